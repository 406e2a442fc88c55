"""One throttle for all workers of a remote."""

import asyncio

import pytest

from runner.remote.throttle import Throttle
from tests.rooms.remote.world import Clock


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
