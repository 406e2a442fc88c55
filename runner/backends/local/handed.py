"""What one task hands to another, and waits for."""

import asyncio
from collections import deque
from contextlib import suppress
from typing import Any


class Handed:
    """Something that is to be done. settled: it was, or never will be; error: why not."""

    __slots__ = ("_over", "error", "settled")

    def __init__(self) -> None:
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.settled = False
        self.error: BaseException | None = None

    def settle(self) -> None:
        """Whoever waits for it may go on."""
        self.settled = True
        if not self._over.done():
            self._over.set_result(None)

    async def wait(self, queue: deque[Any]) -> None:
        """Wait until it is settled. When cancelled, take it out of the queue, or wait for its end: what it uses can be
        closed then.
        """
        try:
            await self._over
        except asyncio.CancelledError:
            if self in queue:
                queue.remove(self)
                self.settled = True
            await self.end()
            raise

    async def end(self) -> None:
        """Wait until it is settled, cancelled or not."""
        while not self.settled:
            self._over = asyncio.get_running_loop().create_future()
            with suppress(asyncio.CancelledError):
                await self._over
