"""One throttle for all workers of a remote."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import httpx
import pytest

from runner.remote.http import Request, Stream
from runner.remote.httpx_engine import HttpxEngine
from runner.remote.throttle import Throttle
from runner.remote.wire import Wire
from tests.rooms.remote.world import URL, Clock, classify
from tests.simulation.loop import run, simulated


def most(least: float, greatest: float) -> float:
    return greatest


def test_requests_a_second_are_exact_over_ten_seconds() -> None:
    clock = Clock()
    throttle = Throttle(concurrency=8, requests_per_s=7.0, clock=clock, sleep=clock.sleep)
    sent: list[float] = []

    async def worker() -> None:
        while clock.now < 30:
            await throttle.enter()
            sent.append(clock.now)
            throttle.leave()

    async def work() -> None:
        await asyncio.gather(*[worker() for _ in range(8)])

    clock.run(work())

    for begin in (0.05, 3.3, 11.05, 19.9):
        assert len([instant for instant in sent if begin <= instant < begin + 10 - 1e-6]) in (70, 71)


@pytest.mark.parametrize("first", [None, 16])
def test_requests_a_second_are_exact_however_many_ask_and_however_long_answers_take(
    first: int | None,
) -> None:
    async def work() -> list[float]:
        loop, sent = asyncio.get_running_loop(), list[float]()
        throttle = Throttle(concurrency=512, first=first, requests_per_s=40.0, clock=loop.time)

        async def worker(number: int) -> None:
            while loop.time() - begin < 32:
                ticket = await throttle.enter()
                sent.append(loop.time() - begin)
                await asyncio.sleep(0.01 + number % 7 * 0.05)
                throttle.leave()
                throttle.well(ticket)

        begin = loop.time()
        await asyncio.gather(*[worker(number) for number in range(200)])
        return sent

    with simulated(3) as loop:
        sent = run(loop, work())

    for begin in (0.5, 7.3, 15.05, 21.9):
        assert len([instant for instant in sent if begin <= instant < begin + 10]) == pytest.approx(
            400, rel=0.05
        )


@pytest.mark.parametrize("bandwidth", [100_000, 20 << 20])
def test_bytes_a_second_are_exact_both_ways_together_through_the_wire(bandwidth: int) -> None:
    """Bodies of all sizes go up, small ones in one piece, while others come down: what passes is counted there."""
    passed: list[tuple[float, int]] = []

    async def pieces(size: int) -> AsyncIterator[bytes]:
        for start in range(0, size, 1 << 20):
            yield bytes(min(1 << 20, size - start))

    async def work() -> None:
        loop = asyncio.get_running_loop()
        begin = loop.time()
        throttle = Throttle(concurrency=64, bandwidth=bandwidth, clock=loop.time)

        class Service(httpx.AsyncBaseTransport):
            async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
                assert isinstance(request.stream, httpx.AsyncByteStream)
                async for piece in request.stream:
                    passed.append((loop.time() - begin, len(piece)))
                return httpx.Response(200, content=bytes(int(request.headers["x-wanted"])))

        line = Wire(HttpxEngine(transport=Service), throttle, classify, clock=loop.time)

        async def worker(number: int) -> None:
            size = int(bandwidth * (3, 0.2, 0.01)[number % 3])
            while loop.time() - begin < 22:
                body = Stream(size, partial(pieces, size)) if number % 2 else bytes(size)
                wanted = (("X-Wanted", str(bandwidth // 3 if number % 4 == 0 else 2)),)
                async with line.stream(Request("PUT", URL, headers=wanted, body=body)) as answer:
                    async for piece in answer.chunks():
                        passed.append((loop.time() - begin, len(piece)))

        await asyncio.gather(*[worker(number) for number in range(12)])

    with simulated(4) as loop:
        run(loop, work())

    for begin in (1.0, 4.5, 11.0):
        amount = sum(size for instant, size in passed if begin <= instant < begin + 10)
        assert amount == pytest.approx(10 * bandwidth, rel=0.05)


def test_bytes_a_second_hold_both_ways_together() -> None:
    clock = Clock()
    throttle = Throttle(concurrency=4, bandwidth=1000, clock=clock, sleep=clock.sleep)

    async def work() -> None:
        await asyncio.gather(*[throttle.moved(500) for _ in range(21)])

    clock.run(work())

    assert clock.now == pytest.approx(10.0)


def test_no_more_requests_are_under_way_than_allowed_and_a_cancelled_wait_loses_no_place() -> None:
    async def work() -> tuple[int, int]:
        throttle = Throttle(concurrency=2)
        await throttle.enter()
        await throttle.enter()
        waiting = [asyncio.ensure_future(throttle.enter()) for _ in range(3)]
        await asyncio.sleep(0)
        before = sum(task.done() for task in waiting)
        throttle.leave()
        waiting[0].cancel()  # admitted in the same instant
        await asyncio.sleep(0.01)
        after = sum(task.done() and not task.cancelled() for task in waiting)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        return before, after

    assert asyncio.run(work()) == (0, 1)


def test_one_refusal_pauses_everyone_and_its_companions_do_not_make_it_longer() -> None:
    clock = Clock()
    throttle = Throttle(concurrency=16, clock=clock, sleep=clock.sleep, chance=most)

    async def work() -> tuple[list[float], int]:
        tickets = [await throttle.enter() for _ in range(16)]
        pauses = [throttle.slow_down(ticket) for ticket in tickets]
        return pauses, throttle.window

    pauses, window = clock.run(work())

    assert pauses == [0.5] * 16
    assert window == 8


def test_refusals_in_a_row_pause_longer_and_longer_up_to_a_minute() -> None:
    clock = Clock()
    throttle = Throttle(concurrency=16, clock=clock, sleep=clock.sleep, chance=most)
    pauses = []

    async def work() -> None:
        for _ in range(12):
            ticket = await throttle.enter()
            throttle.leave()
            pauses.append(throttle.slow_down(ticket))

    clock.run(work())

    assert pauses[:4] == [0.5, 1, 2, 4]
    assert pauses[-1] == 60
    assert throttle.window == 1


def test_success_makes_room_again_step_by_step() -> None:
    clock = Clock()
    throttle = Throttle(concurrency=16, clock=clock, sleep=clock.sleep)

    async def work() -> list[int]:
        for _ in range(6):
            throttle.slow_down(await throttle.enter())
            throttle.leave()
        windows = []
        for _ in range(200):
            ticket = await throttle.enter()
            throttle.leave()
            throttle.well(ticket)
            windows.append(throttle.window)
        return windows

    windows = clock.run(work())

    assert windows[0] == 2
    assert windows == sorted(windows)
    assert windows[-1] == 16


def test_the_services_own_wish_is_waited_for() -> None:
    clock = Clock()
    throttle = Throttle(concurrency=2, clock=clock, sleep=clock.sleep)

    async def work() -> float:
        throttle.slow_down(await throttle.enter(), 30)
        throttle.leave()
        await throttle.enter()
        return clock.now

    assert clock.run(work()) == 30
