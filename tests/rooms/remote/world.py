"""A clock that moves only when somebody sleeps, and what else the tests of the wire share."""

import asyncio
import heapq
import time
from collections.abc import Callable, Coroutine
from itertools import count
from typing import Any

import httpx

from runner.model.errors import AcdrunError, BadAnswer, NotFound, Throttled, Unavailable
from runner.remote.http import Reply, Request, TokenExpired
from runner.remote.httpx_engine import HttpxEngine
from runner.remote.throttle import Throttle
from runner.remote.wire import Authoriser, Trace, Wire

URL = "http://127.0.0.1:1/drive"


class Clock:
    """Virtual seconds. Time moves on to the next sleeper once nothing else can run."""

    def __init__(self) -> None:
        self.now = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._number = count()

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.now + seconds, next(self._number), future))
        await future

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run to the end in virtual time."""
        return asyncio.run(self._drive(work))

    async def _drive(self, work: Coroutine[Any, Any, Any]) -> Any:
        task = asyncio.ensure_future(work)
        while not task.done():
            for _ in range(60):  # rounds of the loop until all that can run has run
                await asyncio.sleep(0)
            if not task.done() and self._sleepers:
                instant, _, future = heapq.heappop(self._sleepers)
                self.now = max(self.now, instant)
                if not future.done():
                    future.set_result(None)
        return task.result()


def classify(request: Request, reply: Reply) -> AcdrunError | None:
    """A small service's reading of its answers."""
    known: dict[int, AcdrunError] = {
        401: TokenExpired("token has expired"),
        404: NotFound("not there"),
        429: Throttled("rate exceeded"),
    }
    if reply.status in known:
        return known[reply.status]
    kind = Unavailable if reply.status >= 500 else BadAnswer
    return kind(f"status {reply.status}: {reply.body[:1000]!r}")


def wire(
    answer: Callable[[httpx.Request], Any],
    *,
    throttle: Throttle | None = None,
    authoriser: Authoriser | None = None,
    trace: Callable[[Trace], None] | None = None,
    clock: Callable[[], float] | None = None,
) -> Wire:
    """A wire to a service that is a function."""
    engine = HttpxEngine(transport=lambda: httpx.MockTransport(answer))
    throttle = throttle or Throttle(concurrency=16)
    clock = clock or time.monotonic
    return Wire(engine, throttle, classify, remote="cloud", authoriser=authoriser, trace=trace, clock=clock)
