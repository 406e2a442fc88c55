"""Batches that are worked on in one go: while one is, the next is taken."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from runner.engine import drain
from runner.model.backend import Copied
from runner.model.node import Node
from runner.remote.remote import Remote
from runner.state import queue
from tests.lab.worlds import World

LARGE = 1 << 16


@pytest.fixture
def world(world: World) -> World:
    """One whose destination takes files from the source by itself."""
    for name in ("src", "dst"):
        world.fields[name] = {"copies": True}
    return world


@pytest.mark.parametrize(
    ("number", "size"), [(2 * queue.BATCH_OPS + 1, 1), (3, LARGE // 2 + 1)], ids=["many", "large"]
)
def test_a_batch_is_taken_while_another_is_copied_though_all_had_to_wait_for_their_folder(
    world: World, number: int, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write("src", {f"folder/{at:04}": b"x" * size for at in range(number)})
    for module in (queue, drain):
        monkeypatch.setattr(module, "BATCH_BYTES", LARGE)
    begun: list[int] = []
    second, whole, make = asyncio.Event(), Remote.copy_from, Remote.mkdir

    async def mkdir(self: Remote, path: str) -> Node:
        await asyncio.sleep(0.1)  # so long that all have looked for something to do
        return await make(self, path)

    async def copy_from(self: Remote, source: Remote, batch: Any, how: Any) -> Sequence[Copied | None]:
        begun.append(len(batch))
        if len(begun) > 1:
            second.set()
        await asyncio.wait_for(second.wait(), 20)
        return await whole(self, source, batch, how)

    monkeypatch.setattr(Remote, "mkdir", mkdir)
    monkeypatch.setattr(Remote, "copy_from", copy_from)

    assert world.run().code == 0
    assert sum(begun) == number
    assert world.files("dst").keys() == world.files("src").keys()
