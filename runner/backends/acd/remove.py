"""Taking a node out of a folder, recoverably. Source: acd-api §7.7, §9."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from runner.backends.acd.nodes import AcdNode
from runner.backends.acd.wire import AcdWire

T = TypeVar("T")


async def remove(wire: AcdWire, node: AcdNode, folder: str) -> None:
    """Trash the node; but one that stands in other folders too is only taken out of this one.

    Trashing it would remove it there as well, perhaps outside of what this run may touch.
    """
    if len(node.parents) > 1:
        await wire.change("DELETE", f"nodes/{folder}/children/{node.id}")
    else:
        await wire.change("PUT", f"trash/{node.id}")


async def bring_back(wire: AcdWire, node: AcdNode, folder: str) -> None:
    """Undo `remove`. node: as it was before."""
    if len(node.parents) > 1:
        await wire.change("PUT", f"nodes/{folder}/children/{node.id}")
    else:
        await wire.change("POST", f"trash/{node.id}/restore")


async def finish(work: Coroutine[Any, Any, T]) -> T:
    """Do the work to its end, whatever is cancelled meanwhile; then be cancelled."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError:
                continue
        raise
