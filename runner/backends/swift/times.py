"""Times and digests that listings leave out: remembered, or asked for once."""

import asyncio
from collections.abc import Sequence

from runner.backends.swift.nodes import Found
from runner.backends.swift.objects import Objects
from runner.model.errors import NotFound
from runner.model.node import Node
from runner.remote.dated import At
from runner.state.heads import Head

_ASKED_AT_ONCE = 32


async def timed(objects: Objects, nodes: Sequence[tuple[At, Node]]) -> list[Node]:
    """The nodes with their times, in the same order; see `Timed.timed`. A HEAD for each state never asked about."""
    door = asyncio.Semaphore(_ASKED_AT_ONCE)
    known = _known(objects, [at for at, _ in nodes])

    async def ask(at: At, node: Node) -> Node:
        head = known.get(at)
        if head is not None and _of(head, node):
            return node._replace(mtime_ns=head.mtime_ns, checksum=node.checksum or head.checksum)
        async with door:
            try:
                found = await objects.head(at, newest=False)
            except NotFound:
                return node
        if found.etag != node.generation:
            return node
        return node._replace(mtime_ns=found.mtime_ns, checksum=node.checksum or found.checksum)

    return list(await asyncio.gather(*(ask(at, node) for at, node in nodes)))


def _known(objects: Objects, ats: Sequence[At]) -> dict[At, Head]:
    found: dict[At, Head] = {}
    for container in {at.bucket for at in ats}:
        keys = [at.key for at in ats if at.bucket == container]
        heads = objects.heads.known(objects.place(container), keys)
        found.update({At(container, key): head for key, head in heads.items()})
    return found


def _of(head: Head, node: Node) -> bool:
    """Is what is remembered of the state that was listed? Where no listing is behind the node, its content decides."""
    if node.changed_ns is None:
        return head.generation.partition("@")[0] == node.generation
    found = Found("", 0, node.generation, node.changed_ns, -(-node.changed_ns // 10**9))
    return found.stamped(head.generation)
