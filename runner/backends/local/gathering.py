"""Short calls that come at the same time make the way to a thread and back together."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Generic, TypeVar

from runner.backends.local.faults import told
from runner.backends.local.handed import Handed
from runner.backends.local.threads import Threads

S = TypeVar("S")
T = TypeVar("T")

MOST = 32
"""Calls that go together."""

SLOW_S = 0.003
"""Where calls take longer than this, each is made in a thread of its own: one after the other, they would take longer
than the way there. With less it may be that they only wait for this program's other work."""


class Gathering(Generic[S]):
    """Makes blocking calls as `Threads.run` does, at a part of its cost where many are wanted at once.

    shared: what calls that go together have in common and are given, entered before the first, left after the last.

    To wake a thread, and then the loop, costs more than to read a small file that is in memory. While some calls are
    away, those that come wait for their return; none waits for company when nothing is away.
    """

    def __init__(self, threads: Threads, shared: Callable[[], AbstractContextManager[S]]) -> None:
        self._threads, self._shared = threads, shared
        self._waiting: deque[_Call] = deque()
        self._courier: asyncio.Task[None] | None = None
        self._each_s = 0.0

    async def run(self, call: Callable[[S], T]) -> T:
        """Make the call in a thread. When cancelled, wait for its end: what it uses can be closed then."""
        mine = _Call(call)
        if self._each_s > SLOW_S:
            await self._away([mine])
        else:
            self._waiting.append(mine)
            if self._courier is None:
                self._courier = asyncio.create_task(self._carry())
            await mine.wait(self._waiting)
        if mine.error is not None:
            raise mine.error
        result: T = mine.result
        return result

    async def _carry(self) -> None:
        try:
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))]
                try:
                    await self._away(batch)
                finally:
                    for call in batch:
                        call.settle()
        finally:
            self._courier = None

    async def _away(self, batch: "list[_Call]") -> None:
        seconds = await self._threads.run(_make, batch, self._shared)
        self._each_s += (seconds / len(batch) - self._each_s) / 16


class _Call(Handed):
    """One call, and what came of it."""

    __slots__ = ("call", "result")

    def __init__(self, call: Callable[[Any], Any]) -> None:
        super().__init__()
        self.call = call
        self.result: Any = None


def _make(batch: list[_Call], shared: Callable[[], AbstractContextManager[S]]) -> float:
    """Make the calls one after the other; return how many seconds they took."""
    began = time.perf_counter()
    with shared() as common:
        for one in batch:
            try:
                one.result = one.call(common)
            except OSError as error:
                one.error = told(error)
                one.error.__cause__ = error
            except BaseException as error:
                one.error = error
    return time.perf_counter() - began
