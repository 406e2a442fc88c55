"""One at a time for each key."""

import asyncio
from collections.abc import MutableMapping

from runner.remote.dated import At


class Turns:
    """The lock of one key, and how many hold it or wait for it."""

    __slots__ = ("lock", "users")

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.users = 0


class Alone:
    """Enters when nobody else is in for that key. A key of which nobody is in leaves nothing behind in `turns`."""

    __slots__ = ("_at", "_mine", "_turns")

    def __init__(self, turns: MutableMapping[At, Turns], at: At) -> None:
        self._turns, self._at = turns, at
        self._mine = turns.get(at) or turns.setdefault(at, Turns())

    async def __aenter__(self) -> None:
        await self.enter()

    async def __aexit__(self, *error: object) -> None:
        self.leave()

    async def enter(self) -> None:
        """Wait until nobody else is in; `leave` has to follow."""
        self._mine.users += 1
        try:
            await self._mine.lock.acquire()
        except BaseException:
            self._leave()
            raise

    def leave(self) -> None:
        """Let the next one in."""
        self._mine.lock.release()
        self._leave()

    def _leave(self) -> None:
        self._mine.users -= 1
        if not self._mine.users:
            del self._turns[self._at]
