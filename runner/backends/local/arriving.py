"""Small new files that come at the same time are stored together, by one call in a thread or a process beside us."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from runner.backends.local import beside
from runner.backends.local.draft import Disk
from runner.backends.local.flush import FEW, most_open
from runner.backends.local.handed import Handed
from runner.backends.local.hands import Hand, Hands
from runner.backends.local.landing import Arrival, Landing
from runner.backends.local.threads import Threads
from runner.model.errors import AcdrunError
from runner.model.node import Node

SMALL = 1 << 18
"""Content of more bytes takes so long to write that others do not wait for it."""

SLOW_S = 0.003
"""Where a file takes longer than this its disk takes its time to confirm it: several threads then wait for that, as
long as there are no more files than are confirmed one by one."""


class Arriving:
    """Takes the files that come to one disk.

    While some are being stored those that come wait and go together; none waits for company when nothing is away.
    most: threads that may be used at once. enter: called, in a thread, with each folder before something is put there.
    """

    def __init__(
        self, disk: Disk, threads: Threads, most: int, hands: Hands, enter: Callable[[str], None]
    ) -> None:
        self._disk, self._threads, self._most, self._hands, self._enter = disk, threads, most, hands, enter
        self._waiting: deque[_Call] = deque()
        self._couriers: set[asyncio.Task[Any] | None] = set()
        self._gone = 0
        self._each_s = 0.0

    async def put(self, arrival: Arrival) -> Node | None:
        """The node, once it is sure to outlast a power cut; None when it was not done, for it was not simple.

        When cancelled, waits for its end. Raises Unsynced.
        """
        await self.put_all([arrival])
        return arrival.node

    async def put_all(self, arrivals: Sequence[Arrival]) -> None:
        """As `put`, for some that came together: each has its `node` then."""
        calls = [_Call(arrival) for arrival in arrivals]
        self._waiting += calls
        if not self._couriers or (self._apart and len(self._couriers) < self._most):
            self._couriers.add(asyncio.create_task(self._carry()))
        try:
            for call in calls:
                await call.wait(self._waiting)
        except asyncio.CancelledError:
            for call in calls:
                if call in self._waiting:
                    self._waiting.remove(call)
                    call.settle()
            for call in calls:
                await call.end()
            raise
        for call in calls:
            if isinstance(call.error, AcdrunError):  # each raises its own, for the place will be named in it
                raise type(call.error)(call.error.message) from call.error
            if call.error is not None:
                raise call.error

    @property
    def _apart(self) -> bool:
        """Do several threads wait for the disk now?"""
        return self._each_s > SLOW_S and self._gone + len(self._waiting) <= FEW

    def _next(self) -> "list[_Call]":
        number = len(self._waiting)
        most = -(-(self._gone + number) // self._most) if self._apart else most_open()
        return [self._waiting.popleft() for _ in range(min(most, number))]

    async def _carry(self) -> None:
        try:
            while self._waiting:
                await self._away(self._next())
        finally:
            self._couriers.remove(asyncio.current_task())

    async def _away(self, some: "Sequence[_Call]") -> None:
        failure: Exception | None = None
        self._gone += len(some)
        try:
            seconds = await self._threads.run(self._store, [call.arrival for call in some], self._hands.one())
            self._each_s += (seconds / len(some) - self._each_s) / 4
            self._hands.note(handled=len(some))
        except Exception as error:
            failure = error
        finally:
            self._gone -= len(some)
            for call in some:
                call.error = failure
                call.settle()

    def _store(self, some: Sequence[Arrival], hand: Hand) -> float:
        began = time.perf_counter()
        with hand:
            done = beside.store(hand, self._disk, self._enter, some)
        if not done:
            Landing(self._disk.root, self._enter).run(some)
        return time.perf_counter() - began


class _Call(Handed):
    """One file on its way."""

    __slots__ = ("arrival",)

    def __init__(self, arrival: Arrival) -> None:
        super().__init__()
        self.arrival = arrival
