"""How hard a remote is driven: one throttle that all its workers share."""

import asyncio
import random
import resource
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextvars import ContextVar

from runner.model.errors import Throttled
from runner.remote.climb import Climb
from runner.remote.retry import LONGEST_WISH_S, patient

feeding: ContextVar[bool] = ContextVar("feeding", default=False)
"""True while a request's body is drawn from its source. A request made to get that body needs no place of its
own: its upload holds one, and uploads that waited for places which other uploads hold would wait for ever."""

LEAST_PAUSE_S = 0.5
MOST_PAUSE_S = 60.0
MOST_CONNECTIONS = 512

GRAIN_S = 0.05
"""What passes at once takes no longer than this at the bandwidth, so that the limit holds from second to second."""


class Throttle:
    """Requests a second, requests at once, bytes a second, and a pause for all when the service asks for one.

    Additive increase, multiplicative decrease: a 429 halves how many requests may be under way and doubles
    the pause; each request that goes well makes room for a part of one more and shortens the next pause.
    concurrency: most requests at once. first: with how many to begin when the best number is to be found by trying,
    see `Climb`; None for `concurrency` at once.
    requests_per_s, bandwidth (bytes a second, both ways together): None for no limit.
    clock: seconds, monotonic.
    """

    def __init__(
        self,
        *,
        concurrency: int,
        first: int | None = None,
        requests_per_s: float | None = None,
        bandwidth: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        chance: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self.concurrency = max(1, concurrency)
        self._requests = _Pace(requests_per_s) if requests_per_s else None
        self._bytes = _Pace(bandwidth) if bandwidth else None
        self._grain = max(1, int(bandwidth * GRAIN_S)) if bandwidth else None
        self._clock = clock
        self._sleep = sleep
        self._chance = chance
        self._busy = 0
        self._climb = Climb(first, self.concurrency) if first is not None else None
        self._window = float(self._most)
        self._queue: deque[asyncio.Future[None]] = deque()
        self._not_before = float("-inf")
        self._pause_s = 0.0
        self._storm = 0

    @property
    def window(self) -> int:
        """How many requests may be under way at this moment."""
        return int(self._window)

    @property
    def useful(self) -> int:
        """How many workers keep that many requests under way: some prepare the next ones, or finish the last."""
        return self.window if self._climb is None else self.window + max(2, self.window // 4)

    async def enter(self, *, place: bool = True) -> int:
        """Wait until a request may be sent. Returns a ticket for `well` and `slow_down`.

        place: it takes one of those that `concurrency` counts, until `leave`; see `feeding` for one that does not.
        Raises Throttled in a pause that comes after the end of the task's retry budget.
        """
        if place and (self._queue or self._busy >= self.window):
            await self._in_line()
        elif place:
            self._take()
        try:
            while (wait := self._not_before - self._clock()) > 0:
                if not patient():
                    raise Throttled(
                        "the service still asks for fewer requests, and the retry budget is used up"
                    )
                await self._sleep(wait)
            if self._requests is not None:
                await self._until(self._requests.reserve(self._clock(), 1))
        except BaseException:
            if place:
                self.leave()
            raise
        return self._storm

    @property
    def _most(self) -> int:
        return self.concurrency if self._climb is None else self._climb.at_once

    def leave(self) -> None:
        """The request has ended, well or not."""
        self._busy -= 1
        if self._climb is not None and self._window >= self._climb.at_once:
            self._climb.ended(self._clock())
            self._window = float(self._climb.at_once)
        self._admit()

    def _take(self) -> None:
        self._busy += 1
        if self._climb is not None and self._busy >= self._window:
            self._climb.filled(self._clock())

    def well(self, ticket: int) -> None:
        """The service answered without complaint to a request sent since the last one."""
        if self._window < self._most and ticket == self._storm:
            self._window = min(float(self._most), self._window + 1 / self._window)
            self._pause_s *= 0.9
            self._admit()

    def slow_down(self, ticket: int, after_s: float | None = None) -> float:
        """The service refused a request for there being too many; pause everyone. Returns seconds from now.

        Of many refusals of requests that were sent before a pause began only the first makes it longer.
        after_s: what the service asks for; it is asked again sooner than after LONGEST_WISH_S.
        """
        now = self._clock()
        if ticket == self._storm:
            self._storm += 1
            if self._climb is not None:
                self._climb.refused(self.window)
            self._window = max(1.0, self._window / 2)
            self._pause_s = min(MOST_PAUSE_S, max(LEAST_PAUSE_S, self._pause_s * 2))
            self._not_before = max(self._not_before, now + self._chance(self._pause_s / 2, self._pause_s))
        if after_s is not None:
            self._not_before = max(self._not_before, now + min(after_s, LONGEST_WISH_S))
        return max(0.0, self._not_before - now)

    def portions(self, data: bytes) -> Iterator[bytes]:
        """The data in pieces that are small enough for the bandwidth, each to be told to `moved` before it passes."""
        if self._grain is None or not self.slices(data):
            yield data
            return
        for start in range(0, len(data), self._grain):
            yield data[start : start + self._grain]

    @property
    def weighs(self) -> bool:
        """Do bytes have to wait before they pass?"""
        return self._bytes is not None

    def slices(self, data: bytes) -> bool:
        """Is it too much to pass at once?"""
        return self._grain is not None and len(data) > self._grain

    async def moved(self, count: int) -> None:
        """Wait until `count` more bytes may pass."""
        if self._climb is not None:
            self._climb.moved(count)
        if self._bytes is not None:
            await self._until(self._bytes.reserve(self._clock(), count))

    async def _until(self, instant: float) -> None:
        while (wait := instant - self._clock()) > 0:
            await self._sleep(wait)

    async def _in_line(self) -> None:
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self.leave()  # admitted in the same instant: pass the place on
            else:
                self._queue.remove(place)
            raise

    def _admit(self) -> None:
        while self._queue and self._busy < self.window:
            place = self._queue.popleft()
            if not place.done():
                self._take()
                place.set_result(None)


def most_connections() -> int:
    """To how many requests at once `concurrency: auto` may grow: files that may be open are left for all else."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return MOST_CONNECTIONS if files == resource.RLIM_INFINITY else max(1, min(MOST_CONNECTIONS, files // 2))


class _Pace:
    """Instants that lie so far apart that a rate is never exceeded; late sleepers do not lower it."""

    def __init__(self, per_s: float) -> None:
        self._step_s = 1.0 / per_s
        self._next = float("-inf")

    def reserve(self, now: float, count: int) -> float:
        """The instant at which `count` more may pass."""
        instant = max(now, self._next)
        self._next = instant + count * self._step_s
        return instant
