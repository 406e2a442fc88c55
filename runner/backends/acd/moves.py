"""Renaming on the service. Source: acd-api §7.6, §7.7."""

import secrets
from collections.abc import Awaitable

from runner.backends.acd.answers import Conflict
from runner.backends.acd.nodes import AcdNode
from runner.backends.acd.wire import AcdWire
from runner.model.errors import Blocked, Exists, NotFound


async def move(wire: AcdWire, node: AcdNode, old: str, folder: str, name: str) -> AcdNode:
    """Bring the node from the folder `old` to `folder`, under `name`. Raises Exists when that is taken.

    Name and folder change by two requests. Each may meet a namesake that has nothing to do with the goal:
    then the other goes first, and when that meets one too, the node takes a name of its own in between,
    one that listings show, so that a crash leaves it in sight.
    """
    if name != node.name and len(node.parents) > 1:
        raise Blocked("it stands in several folders, and would be renamed in all of them")
    if folder == old:
        return await _final(_rename(wire, node, name))
    if name == node.name:
        return await _final(_reparent(wire, node, old, folder))
    try:
        renamed = await _rename(wire, node, name)
    except Conflict:
        return await _other_way(wire, node, old, folder, name)
    try:
        return await _reparent(wire, renamed, old, folder)
    except Conflict as error:
        await _rename(wire, renamed, node.name)
        raise _taken() from error


async def _other_way(wire: AcdWire, node: AcdNode, old: str, folder: str, name: str) -> AcdNode:
    between = node
    try:
        moved = await _reparent(wire, node, old, folder)
    except Conflict:
        between = await _rename(wire, node, f"{node.name[:200]}.moving-{secrets.token_hex(4)}")
        moved = await _reparent(wire, between, old, folder)
    try:
        return await _rename(wire, moved, name)
    except Conflict as error:
        await _reparent(wire, moved, folder, old)
        if between is not node:
            await _rename(wire, between, node.name)
        raise _taken() from error


async def _final(step: Awaitable[AcdNode]) -> AcdNode:
    try:
        return await step
    except Conflict as error:
        raise _taken() from error


def _taken() -> Exists:
    return Exists("the name is taken", hint="names that differ only in case are one name here")


async def _rename(wire: AcdWire, node: AcdNode, name: str) -> AcdNode:
    return await wire.change("PATCH", f"nodes/{node.id}", {"name": name})


async def _reparent(wire: AcdWire, node: AcdNode, old: str, folder: str) -> AcdNode:
    """Replace one parent. Done twice, the second time is refused, so a refusal is looked into."""
    try:
        return await wire.change("POST", f"nodes/{folder}/children", {"fromParent": old, "childId": node.id})
    except (Blocked, NotFound):
        now = await wire.node(node.id)
        if folder in now.parents and old not in now.parents and now.status == "AVAILABLE":
            return now
        raise
