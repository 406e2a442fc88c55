"""The loop itself: time jumps, order is chance, a deadlock is an error."""

import asyncio
import time

import pytest

from tests.simulation.loop import EPOCH_S, Stuck, run, simulated


def test_a_day_of_sleep_takes_no_time_and_shows_on_every_clock() -> None:
    async def sleepy() -> tuple[float, float]:
        began, wall = asyncio.get_running_loop().time(), time.time()
        await asyncio.sleep(86_400)
        return asyncio.get_running_loop().time() - began, time.time() - wall

    before = time.perf_counter()
    with simulated(1) as loop:
        passed, shown = run(loop, sleepy())

    assert passed == 86_400
    assert shown == pytest.approx(86_400)
    assert time.perf_counter() - before < 3600
    assert abs(time.time() - EPOCH_S) > 1, "the clock of the machine is back"


def test_what_is_handed_to_a_thread_runs_here_and_its_error_comes_back() -> None:
    def fails() -> None:
        raise LookupError("not here")

    async def both() -> int:
        with pytest.raises(LookupError):
            await asyncio.to_thread(fails)
        return await asyncio.to_thread(lambda: 7)

    with simulated(2) as loop:
        assert run(loop, both()) == 7


def test_seeds_bring_about_every_order_and_each_seed_always_the_same() -> None:
    async def race() -> str:
        said: list[str] = []

        async def say(what: str) -> None:
            await asyncio.sleep(0)
            said.append(what)

        await asyncio.gather(*(say(what) for what in "abc"))
        return "".join(said)

    def order(seed: int) -> str:
        with simulated(seed) as loop:
            return run(loop, race())

    orders = [order(seed) for seed in range(60)]
    assert set(orders) == {"abc", "acb", "bac", "bca", "cab", "cba"}
    assert orders == [order(seed) for seed in range(60)]


def test_a_deadlock_is_found_and_not_waited_for() -> None:
    async def forever() -> None:
        await asyncio.get_running_loop().create_future()

    with simulated(3) as loop, pytest.raises(Stuck, match="everybody waits"):
        run(loop, forever())
