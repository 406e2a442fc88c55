"""A loop whose time is a number and whose order is drawn from a seed: no sleep, no thread, no socket.

A step runs one callback that is ready, whichever the seed says; when none is, the clock jumps to the next
timer. What a program hands to a thread runs inline at a later step. So one seed is one history, and every
order that threads and a network could bring about is some seed.
"""

import asyncio
import heapq
import random
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, TypeVarTuple, Unpack
from unittest import mock

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

EPOCH_S = 1_790_000_000.0
"""What the wall clock shows when a simulation begins, in seconds since 1970."""

MOST_STEPS = 300_000


class Stuck(AssertionError):
    """Nothing can happen any more, or it never ends."""


class Loop(asyncio.BaseEventLoop):
    """An event loop in virtual time.

    chance: decides everything that is not decided. steps: callbacks run so far.
    problems: what callbacks raised and nobody asked for.
    """

    _ready: deque[asyncio.Handle]
    _scheduled: list[asyncio.TimerHandle]
    _asyncgens_shutdown_called: bool

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self._chance = chance
        self._now = 1000.0
        self.steps = 0
        self.problems: list[dict[str, Any]] = []

    def time(self) -> float:
        """Seconds; they pass only while everybody waits."""
        return self._now

    def wait(self, seconds: float) -> None:
        """Let time pass in which nothing is run."""
        self._now += seconds

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep it for the one who asks."""
        self.problems.append(context)

    def run_in_executor(
        self, executor: object, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> "asyncio.Future[T]":
        """Call it inline at some later step. One that is cancelled may have begun already, as in a thread."""
        future: asyncio.Future[T] = self.create_future()

        def work() -> None:
            if future.cancelled() and self._chance.random() < 0.5:
                return
            try:
                result = func(*args)
            except BaseException as error:
                if not future.done():
                    future.set_exception(error)
            else:
                if not future.done():
                    future.set_result(result)

        self.call_later(self._chance.choice((0.0, 0.0, 0.0001, 0.003)), work)
        return future

    async def shutdown_asyncgens(self) -> None:
        """Close what was left half read; others may be begun afterwards, in the next run on this loop."""
        await super().shutdown_asyncgens()
        self._asyncgens_shutdown_called = False

    def _run_once(self) -> None:
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise Stuck(f"no end after {MOST_STEPS:,} steps")
        while self._scheduled and self._scheduled[0].cancelled():
            heapq.heappop(self._scheduled)
        if not self._ready:
            if not self._scheduled:
                raise Stuck("everybody waits for somebody else")
            self._now = max(self._now, self._scheduled[0].when())
        while self._scheduled and self._scheduled[0].when() <= self._now:
            self._ready.append(heapq.heappop(self._scheduled))
        if len(self._ready) > 1:
            self._ready.rotate(-self._chance.randrange(len(self._ready)))
        handle = self._ready.popleft()
        if not handle.cancelled():
            handle._run()

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        pass

    def _process_events(self, event_list: object) -> None:
        pass

    def _write_to_self(self) -> None:
        pass


@contextmanager
def simulated(seed: int) -> Iterator[Loop]:
    """A loop for one seed; inside, the clock on the wall and all other chance are its own too."""
    loop = Loop(random.Random(seed))
    before = random.getstate()
    random.seed(seed)
    try:
        with (
            mock.patch.object(time, "time", lambda: EPOCH_S + loop.time()),
            mock.patch.object(time, "time_ns", lambda: int((EPOCH_S + loop.time()) * 1e9)),
        ):
            yield loop
    finally:
        random.setstate(before)
        loop.close()


def _number(task: "asyncio.Task[Any]") -> int:
    return int(task.get_name().rpartition("-")[2])


def run(loop: Loop, main: Coroutine[Any, Any, T]) -> T:
    """Run to the end, then end what was left going, as `asyncio.run` does."""
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(main)
    finally:
        left = asyncio.all_tasks(loop)
        for task in sorted(left, key=_number):
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        asyncio.set_event_loop(None)
