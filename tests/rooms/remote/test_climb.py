"""How many requests at once: found by trying, in virtual time."""

import asyncio
import resource

import pytest

from runner.remote.throttle import Throttle, most_connections
from tests.simulation.loop import run, simulated


class Processor:
    """What works on one thing at a time, for so long: our own, which reads the next file and writes down the last."""

    def __init__(self, each_s: float) -> None:
        self._each_s = each_s
        self._free = 0.0

    async def work(self) -> None:
        """Until it is done, and all that was asked for before."""
        loop = asyncio.get_running_loop()
        self._free = max(self._free, loop.time()) + self._each_s
        await asyncio.sleep(self._free - loop.time())


class Service:
    """Answers each request after `latency_s`, and no more than `capacity` of them a second, in the order they came.

    refuses_from: more requests than this at once are refused, as with 429. cuts: what the throttle allowed before and
    after each refusal.
    """

    def __init__(self, latency_s: float, capacity: float, refuses_from: float = float("inf")) -> None:
        self.latency_s, self.capacity, self.refuses_from = latency_s, capacity, refuses_from
        self.busy = self.most = 0
        self.done: list[float] = []
        self.refusals: list[float] = []
        self.cuts: list[tuple[int, int]] = []
        self._free = 0.0

    async def answer(self) -> bool:
        """False when refused."""
        loop = asyncio.get_running_loop()
        self.busy += 1
        self.most = max(self.most, self.busy)
        try:
            refused = self.busy > self.refuses_from
            self._free = max(self._free, loop.time()) + 1 / self.capacity
            await asyncio.sleep(max(self.latency_s, self._free - loop.time() + self.latency_s))
        finally:
            self.busy -= 1
        (self.refusals if refused else self.done).append(loop.time())
        return not refused

    def rate(self, since: float, until: float) -> float:
        """Requests answered a second."""
        return sum(since <= instant < until for instant in self.done) / (until - since)


def driven(
    service: Service,
    seconds: float,
    *,
    most: int = 512,
    first: int | None = 16,
    workers: int = 512,
    seed: int = 1,
    change: tuple[float, float] = (0.0, 0.0),
) -> tuple[list[int], float]:
    """Keep workers busy for so long. Returns how many were let go on, ten times a second, and when it began.

    change: after so many seconds, that capacity.
    """

    async def whole() -> tuple[list[int], float]:
        loop = asyncio.get_running_loop()
        throttle = Throttle(concurrency=most, first=first, clock=loop.time)
        began, windows = loop.time(), []

        async def worker() -> None:
            while loop.time() - began < seconds:
                ticket = await throttle.enter()
                well = await service.answer()
                throttle.leave()
                if well:
                    throttle.well(ticket)
                else:
                    before = throttle.window
                    throttle.slow_down(ticket)
                    service.cuts.append((before, throttle.window))

        if change[0]:
            loop.call_later(change[0], setattr, service, "capacity", change[1])
        crew = [asyncio.ensure_future(worker()) for _ in range(workers)]
        while loop.time() - began < seconds:
            windows.append(throttle.window)
            await asyncio.sleep(0.1)
        await asyncio.gather(*crew)
        return windows, began

    with simulated(seed) as loop:
        return run(loop, whole())


def hired(
    service: Service, own_s: float, seconds: float, *, first: int = 32, seed: int = 1
) -> tuple[list[int], float]:
    """Keep as many workers busy as are useful, each request with so much work of ours.

    Returns how many were with the service, twenty times in each of its round trips, and when it began.
    """

    async def whole() -> tuple[list[int], float]:
        loop = asyncio.get_running_loop()
        throttle = Throttle(concurrency=512, first=first, clock=loop.time)
        crew, under_way = set[asyncio.Task[None]](), list[int]()
        began, processor = loop.time(), Processor(own_s)

        async def worker() -> None:
            while loop.time() - began < seconds:
                await processor.work()
                ticket = await throttle.enter()
                await service.answer()
                throttle.leave()
                throttle.well(ticket)
                hire()

        def hire() -> None:
            while len(crew) < throttle.useful:
                crew.add(asyncio.ensure_future(worker()))

        hire()
        while loop.time() - began < seconds:
            await asyncio.sleep(service.latency_s / 20)
            under_way.append(service.busy)
        await asyncio.gather(*crew)
        return under_way, began

    with simulated(seed) as loop:
        return run(loop, whole())


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("first", [16, 32])
@pytest.mark.parametrize("latency_s", [0.05, 0.2])
def test_where_a_service_never_has_enough_they_are_twice_as_many_every_other_round_trip(
    latency_s: float, first: int, seed: int
) -> None:
    """Answers come in waves then, and only a quarter as many workers wait for a place as come back at once."""
    under_way, _ = hired(Service(latency_s, 1e9), 1e-5, 13 * latency_s, first=first, seed=seed)

    reached = [max(under_way[: trips * 20]) for trips in (1, 5, 7, 9, 11, 13)]
    assert reached[0] == first
    assert all(most >= min(512, first << doubled) for doubled, most in enumerate(reached))


@pytest.mark.parametrize("own_s", [0.0003, 0.001, 0.005])
@pytest.mark.parametrize("latency_s", [0.005, 0.02, 0.1])
def test_what_a_service_takes_to_answer_hides_behind_our_own_work(latency_s: float, own_s: float) -> None:
    service = Service(latency_s, 1e9)

    _, began = hired(service, own_s, 4.0)

    assert service.rate(began + 2, began + 4) > 0.8 / own_s


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    ("latency_s", "capacity"), [(0.02, 150), (0.02, 1000), (0.02, 3000), (0.2, 800), (0.002, 4000)]
)
def test_throughput_comes_near_the_best_there_is(latency_s: float, capacity: float, seed: int) -> None:
    service = Service(latency_s, capacity)
    seconds = 12000 / capacity

    windows, began = driven(service, seconds, seed=seed)

    assert service.rate(began + seconds / 3, began + seconds) > 0.8 * capacity
    assert windows[-1] < max(16, 3 * latency_s * capacity)


def test_what_was_found_is_found_soon() -> None:
    service = Service(0.02, 5000)

    _, began = driven(service, 1.5)

    assert service.rate(began + 0.5, began + 1.5) > 0.8 * 5000


def test_no_more_than_the_limit_are_ever_under_way() -> None:
    service = Service(0.02, 1e9)

    windows, _ = driven(service, 1.0, most=48)

    assert service.most == 48
    assert windows[-1] == 48


def test_a_number_in_the_manifest_is_used_at_once_and_left_alone() -> None:
    service = Service(0.02, 300)

    windows, _ = driven(service, 3.0, most=24, first=None)

    assert set(windows) == {24}


def test_with_too_little_to_do_nothing_is_learned() -> None:
    service = Service(0.02, 1e9)

    windows, _ = driven(service, 3.0, workers=10)

    assert set(windows) == {16}


def test_a_refusal_halves_it_and_it_comes_back() -> None:
    service = Service(0.02, 1e9, refuses_from=40)

    _, began = driven(service, 10.0)

    before, after = service.cuts[0]
    assert after == before // 2
    assert service.rate(began + 2, began + 10) > 0.6 * 40 / 0.02
    assert len(service.refusals) < 0.03 * len(service.done)


def test_a_service_that_has_room_again_is_used_again() -> None:
    service = Service(0.02, 200)

    _, began = driven(service, 16.0, change=(8.0, 3000))

    assert service.rate(began + 2, began + 8) > 160
    assert service.rate(began + 13, began + 16) > 0.8 * 3000


@pytest.mark.parametrize(
    ("files", "most"), [(1024, 512), (256, 128), (1, 1), (1 << 20, 512), (resource.RLIM_INFINITY, 512)]
)
def test_connections_leave_half_of_the_files_that_may_be_open(
    files: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda what: (files, files))

    assert most_connections() == most
