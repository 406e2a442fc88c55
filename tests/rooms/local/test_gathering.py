"""Calls that go to a thread together: each has its own end."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial

import pytest

from runner.backends.local.gathering import MOST, SLOW_S, Gathering
from runner.backends.local.threads import Threads
from runner.model.errors import NotFound


def test_each_call_has_its_own_result_or_error() -> None:
    def call(number: int, _: None) -> int:
        if number % 3 == 0:
            raise FileNotFoundError(2, "No such file")
        if number % 3 == 1:
            raise ValueError(number)
        return number

    async def work() -> list[int | BaseException]:
        gathering = Gathering(Threads(2), nullcontext)
        calls = [partial(call, number) for number in range(3 * MOST)]
        return await asyncio.gather(*[gathering.run(one) for one in calls], return_exceptions=True)

    for number, end in enumerate(asyncio.run(work())):
        assert isinstance(end, (NotFound, ValueError, int)[number % 3])
        assert number % 3 != 2 or end == number


def test_those_that_come_together_go_together_and_not_in_the_loops_thread() -> None:
    def ident(_: None) -> int:
        return threading.get_ident()

    async def work() -> set[int]:
        gathering = Gathering(Threads(4), nullcontext)
        first = asyncio.ensure_future(gathering.run(ident))
        await asyncio.sleep(0)
        others = await asyncio.gather(*[gathering.run(ident) for _ in range(MOST)])
        return {await first, *others}

    threads = asyncio.run(work())

    assert threading.get_ident() not in threads
    assert len(threads) <= 2


def test_where_calls_are_slow_they_do_not_wait_for_each_other() -> None:
    together = threading.Barrier(4)

    async def work() -> None:
        gathering = Gathering(Threads(4), nullcontext)
        for _ in range(20):
            await gathering.run(lambda _: time.sleep(3 * SLOW_S))
        await asyncio.gather(*[gathering.run(lambda _: together.wait(20)) for _ in range(4)])

    asyncio.run(work())


@pytest.mark.parametrize("gone", [True, False])
def test_who_is_cancelled_leaves_when_the_call_is_over_or_was_never_made(gone: bool) -> None:
    go, made = threading.Event(), []

    def call(_: None) -> None:
        go.wait(20)
        made.append(1)

    async def work() -> tuple[bool, int]:
        gathering = Gathering(Threads(2), nullcontext)
        first = asyncio.ensure_future(gathering.run(call))
        await asyncio.sleep(0.05)
        second = asyncio.ensure_future(gathering.run(call))
        await asyncio.sleep(0.05)
        mine = first if gone else second
        mine.cancel()
        await asyncio.sleep(0.05)
        early = mine.done()
        go.set()
        await asyncio.wait([first, second])
        assert mine.cancelled()
        return early, len(made)

    assert asyncio.run(work()) == ((False, 2) if gone else (True, 1))


def test_what_they_share_is_made_for_those_that_go_together_and_left_behind_them() -> None:
    log: list[str] = []

    @contextmanager
    def shared() -> Iterator[int]:
        log.append("in")
        yield len(log)
        log.append("out")

    def call(number: int, mine: int) -> int:
        log.append("call")
        if number == 1:
            raise ValueError(number)
        return mine

    async def work() -> list[int | BaseException]:
        gathering = Gathering(Threads(2), shared)
        await gathering.run(partial(call, 0))
        both = [gathering.run(partial(call, number)) for number in (1, 2)]
        return await asyncio.gather(*both, return_exceptions=True)

    failed, went_well = asyncio.run(work())

    assert isinstance(failed, ValueError)
    assert went_well == 4
    assert log == ["in", "call", "out", "in", "call", "call", "out"]
