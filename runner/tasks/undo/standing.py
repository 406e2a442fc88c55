"""What stands at a path now: still what the run left there, or again what was there before it?"""

from typing import NamedTuple

from runner.model.checksum import Checksum
from runner.model.errors import Exists, NotFound, Stale
from runner.model.node import Node, same_content
from runner.model.operation import Operation
from runner.model.path import name, show
from runner.remote.remote import Remote


class Standing(NamedTuple):
    """back: there is nothing to do; node: what is in the way, and must be the run's own; None when nothing is."""

    back: bool
    node: Node | None = None


async def standing(op: Operation, remote: Remote) -> Standing:
    """Look at the path of an operation that restores or discards a file. Raises Stale, Exists.

    Generations are asked first, which cost nothing; then digests, where the run has left some.
    """
    node = await node_at(op.path, remote)
    if node is None:
        return Standing(op.source is None)
    if node.kind != "file":
        raise Exists(f"a {node.kind} stands there now")
    if op.destination is not None and same_content(op.destination, node.generation):
        return Standing(False, node)
    if op.source is not None and same_content(op.source, node.generation):
        return Standing(True, node)
    if op.source is not None and await _holds(op.path, node, op.ours, remote):
        return Standing(True, node)
    if op.destination is not None and await _holds(op.path, node, op.digest, remote):
        return Standing(False, node)
    if op.destination is None:
        raise Exists("something else stands there now")
    raise Stale("changed since that run")


async def moved_from(op: Operation, remote: Remote) -> Node | None:
    """The node that the run moved, which is to go back; None when it is back. Raises Stale, Exists, NotFound.

    Where names fold, either path leads to the node: its name says where it is.
    """
    node, there = await node_at(op.origin, remote), await node_at(op.path, remote)
    if node is not None and node.name == name(op.origin) and await _moved(op, op.origin, node, remote):
        if there is not None and there != node:
            raise Exists(f"{show(there.name)!r} stands there now")
        return node
    if there is not None and there.name == name(op.path) and await _moved(op, op.path, there, remote):
        return None
    if node is None:
        raise NotFound("what the run moved is not where it went to", path=op.origin)
    raise Stale("changed since that run", path=op.origin)


async def node_at(path: str, remote: Remote) -> Node | None:
    """The node at a path, None when nothing is there or its folder is gone."""
    try:
        return await remote.stat(path)
    except NotFound:
        return None


async def _moved(op: Operation, path: str, node: Node, remote: Remote) -> bool:
    if node.kind != op.node:
        return False
    if node.kind == "folder":
        return node.generation == op.destination
    if any(same_content(known or "", node.generation) for known in (op.destination, op.source)):
        return True
    return await _holds(path, node, op.digest or op.ours, remote)


async def _holds(path: str, node: Node, digest: str, remote: Remote) -> bool:
    if not digest:
        return False
    wanted = Checksum.parse(digest)
    if node.checksum is not None and node.checksum.algorithm == wanted.algorithm:
        return node.checksum == wanted
    return await remote.checksum(path, wanted.algorithm, expect=node.generation or None) == wanted
