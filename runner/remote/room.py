"""How many bytes of content wait in memory."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Room:
    """Bytes that may be held at once, given out in the order they are asked for."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._free = size
        self._queue: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def take(self, size: int) -> int:
        """Wait for that much, until `give`; who wants more than there is gets all of it. Returns how much that is."""
        size = min(size, self._size)
        if not self._queue and self._free >= size:
            self._free -= size
            return size
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append((size, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give(size)
            else:
                self._queue.remove((size, turn))
            raise
        return size

    def give(self, size: int) -> None:
        """Let go of what `take` returned."""
        self._free += size
        while self._queue and self._free >= self._queue[0][0]:
            size, turn = self._queue.popleft()
            if not turn.done():
                self._free -= size
                turn.set_result(None)

    @asynccontextmanager
    async def held(self, size: int) -> AsyncIterator[None]:
        """Take it for as long as the block lasts. What is small takes and gives by itself, which costs less."""
        taken = await self.take(size)
        try:
            yield
        finally:
            self.give(taken)
