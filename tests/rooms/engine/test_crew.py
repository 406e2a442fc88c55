"""How many operations are under way at once: as many as the destination says, while it says so."""

import asyncio
import gc
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from runner.engine import drain
from runner.model.backend import Backend, Copied
from runner.model.content import Content
from runner.model.node import Node
from runner.model.operation import Operation
from runner.remote.remote import Remote
from runner.state.queue import Queue
from tests.lab.faulty import Faulty
from tests.lab.worlds import World

MANY = {f"f{number:03}": "x" * 10 for number in range(120)}
Watched = Callable[[World, Callable[[int], int]], list[int]]


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    """Make the destination say how many it takes, from how many files it has begun to store.

    Returns how many were under way whenever one began.
    """

    def watch(world: World, says: Callable[[int], int]) -> list[int]:
        under_way: list[int] = []

        def wrap(remote: str, inner: Backend) -> Backend:
            whole, busy = inner.put, 0

            async def put(path: str, content: Content, *, expect: str | None) -> Node:
                nonlocal busy
                busy += 1
                under_way.append(busy)
                try:
                    await asyncio.sleep(0.002)
                    return await whole(path, content, expect=expect)
                finally:
                    busy -= 1

            vars(inner)["put"] = put
            return inner

        world.wrap = wrap
        monkeypatch.setattr(Faulty, "at_once", property(lambda _: says(len(under_way))), raising=False)
        return under_way

    return watch


def test_workers_are_hired_while_the_destination_takes_to_more(world: World, watched: Watched) -> None:
    world.write("src", MANY)
    under_way = watched(world, lambda begun: 2 if begun < 40 else 9)

    assert world.run().code == 0
    assert max(under_way[:39]) == 2
    assert max(under_way) == 9
    assert world.files("dst").keys() == MANY.keys()


def test_a_fault_of_the_program_ends_the_run_whoever_meets_it(world: World, watched: Watched) -> None:
    world.write("src", MANY)

    def says(begun: int) -> int:
        if begun == 60:
            raise RuntimeError("a fault of ours")
        return 2 if begun < 30 else 6

    under_way = watched(world, says)

    with pytest.raises(RuntimeError, match="a fault of ours"):
        world.run()
    assert len(under_way) < 80


def test_a_fault_that_several_meet_at_once_is_told_once(
    world: World, watched: Watched, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    world.write("src", MANY)
    watched(world, lambda _: 20)
    met = asyncio.Event()

    async def meet(*_: object, **__: object) -> Node:
        asyncio.get_running_loop().call_later(0.1, met.set)
        await met.wait()
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(Remote, "put", meet)

    with pytest.raises(RuntimeError, match="a fault of ours"):
        world.run()
    gc.collect()
    assert [record.message for record in caplog.records if record.name == "asyncio"] == []


def test_a_limit_of_the_user_is_kept_whatever_the_destination_says(world: World, watched: Watched) -> None:
    world.write("src", MANY)
    under_way = watched(world, lambda begun: 50)

    assert world.run(transfers=3).code == 0
    assert max(under_way) == 3


def test_the_next_batch_is_taken_while_what_is_left_of_the_last_is_begun(
    world: World, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drain, "BATCH_OPS", 100)
    world.write("src", {f"f{number:04}": "x" for number in range(1000)})
    begun, meanwhile, whole = threading.Event(), list[bool](), Queue.take

    def says(count: int) -> int:
        begun.set()
        return 50

    def take(self: Queue, *args: Any, **more: Any) -> Sequence[Operation]:
        if under_way and not any(meanwhile):
            begun.clear()
            meanwhile.append(begun.wait(0.3))
        return whole(self, *args, **more)

    under_way = watched(world, says)
    monkeypatch.setattr(Queue, "take", take)

    assert world.run().code == 0
    assert any(meanwhile)  # of ten: while one is being taken others may end sooner than it is begun
    assert len(under_way) == 1000
    assert world.files("dst").keys() == world.files("src").keys()


def test_when_the_last_has_ended_nobody_looks_for_more_but_one(
    world: World, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write("src", MANY)
    looked, whole = list[int](), Queue.take

    def take(self: Queue, *args: Any, **more: Any) -> Sequence[Operation]:
        taken = whole(self, *args, **more)
        looked.extend([len(taken)] if under_way else [])
        return taken

    under_way = watched(world, lambda _: 100)
    monkeypatch.setattr(Queue, "take", take)

    assert world.run().code == 0
    assert len(looked) < 10


def test_few_batches_are_in_hand_where_they_are_worked_on_in_one_go(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("src", "dst"):
        world.fields[name] = {"copies": True}
    monkeypatch.setattr(drain, "BATCH_OPS", 10)
    monkeypatch.setattr(Faulty, "at_once", property(lambda _: 50), raising=False)
    world.write("src", MANY)
    in_hand, most, whole = 0, 0, Remote.copy_from

    async def copy_from(self: Remote, source: Remote, batch: Any, how: Any) -> Sequence[Copied | None]:
        nonlocal in_hand, most
        in_hand += 1
        most = max(most, in_hand)
        await asyncio.sleep(0.05)
        in_hand -= 1
        return await whole(self, source, batch, how)

    monkeypatch.setattr(Remote, "copy_from", copy_from)

    assert world.run().code == 0
    assert 2 <= most <= 3
    assert world.files("dst").keys() == MANY.keys()
