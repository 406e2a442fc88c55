"""Small new files that come at the same time are stored together, in one call in a thread."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress

from runner.backends.local.draft import Disk
from runner.backends.local.flush import most_open
from runner.backends.local.landing import Arrival, Landing
from runner.backends.local.threads import Threads
from runner.model.errors import AcdrunError
from runner.model.node import Node

SMALL = 1 << 18
"""Content of more bytes takes so long to write that others do not wait for it."""


class Arriving:
    """Takes the files that come to one disk.

    While some are being stored those that come wait and go together; none waits for company when nothing is away.
    enter: called, in a thread, with each folder before something is put there.
    """

    def __init__(self, disk: Disk, threads: Threads, enter: Callable[[str], None]) -> None:
        self._disk, self._threads, self._enter = disk, threads, enter
        self._waiting: deque[_Call] = deque()
        self._courier: asyncio.Task[None] | None = None

    async def put(self, arrival: Arrival) -> Node | None:
        """The node, once it is sure to outlast a power cut; None when it was not done, for it was not simple.

        When cancelled, waits for its end. Raises Unsynced.
        """
        mine = _Call(arrival)
        self._waiting.append(mine)
        if self._courier is None:
            self._courier = asyncio.create_task(self._carry())
        try:
            await mine.over
        except asyncio.CancelledError:
            if mine in self._waiting:
                self._waiting.remove(mine)
                mine.settled = True
            while not mine.settled:
                mine.over = asyncio.get_running_loop().create_future()
                with suppress(asyncio.CancelledError):
                    await mine.over
            raise
        if isinstance(mine.error, AcdrunError):
            raise type(mine.error)(
                mine.error.message
            ) from mine.error  # its own, for the place is named in it
        if mine.error is not None:
            raise mine.error
        return arrival.node

    async def _carry(self) -> None:
        try:
            while self._waiting:
                most = min(most_open(), len(self._waiting))
                await self._away([self._waiting.popleft() for _ in range(most)])
        finally:
            self._courier = None

    async def _away(self, some: "Sequence[_Call]") -> None:
        failure: Exception | None = None
        try:
            await self._threads.run(self._store, [call.arrival for call in some])
        except Exception as error:
            failure = error
        finally:
            for call in some:
                call.settled, call.error = True, failure
                if not call.over.done():
                    call.over.set_result(None)

    def _store(self, some: Sequence[Arrival]) -> None:
        Landing(self._disk, self._enter).run(some)


class _Call:
    """One file on its way. over: done when it is settled, as its arrival says, or `error`."""

    __slots__ = ("arrival", "error", "over", "settled")

    def __init__(self, arrival: Arrival) -> None:
        self.arrival = arrival
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.settled = False
        self.error: Exception | None = None
