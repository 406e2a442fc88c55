"""Storing many small new objects, without a task for each."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

from runner.backends.s3.alone import Alone
from runner.backends.s3.objects import Misstored, Objects
from runner.backends.s3.store import NEW, Store
from runner.model.backend import Copied
from runner.model.content import Loaded
from runner.model.errors import AcdrunError, Unclear
from runner.model.powers import Some
from runner.remote.dated import At
from runner.remote.http import Posting, Reply, Request
from runner.remote.volley import Volley

_MOST = 1 << 20
"""Bytes of an answer that stores something."""


class _Sent(NamedTuple):
    """One that is under way."""

    at: At
    file: Loaded
    mtime_ns: int | None
    turn: Alone


class Several:
    """Stores the files of one batch where nothing is. What did not go simply is left to be put alone.

    ats, times: where they go, None for one that does not, and their times. done: what became of each.
    """

    def __init__(
        self, objects: Objects, store: Store, ats: Sequence[At | None], times: Sequence[int | None]
    ) -> None:
        self._objects, self._store = objects, store
        self._ats, self._times = ats, times
        self._sent: dict[int, _Sent] = {}
        self._doubtful: list[tuple[int, _Sent, Misstored | None]] = []
        self.done: list[Copied | None] = [None] * len(ats)

    async def put(
        self, posting: Posting, loaded: AsyncIterator[Some], wanted: Callable[[], bool] | None
    ) -> None:
        """Store them as they are loaded, as long as that is wanted."""
        try:
            async with Volley(self._objects.wire.wire, posting, _MOST, self._told, wanted) as volley:
                async for some in loaded:
                    if not await volley.send(
                        map(self._asked, [one for one in some if await self._free(*one)])
                    ):
                        break
            await asyncio.gather(*[self._look(*one) for one in self._doubtful])
        finally:
            for sent in [*self._sent.values(), *(one[1] for one in self._doubtful)]:
                sent.turn.leave()

    async def _free(self, number: int, file: Loaded) -> bool:
        """Nobody writes to its key now, and nobody will until this is over."""
        at = self._ats[number]
        if at is None or self._store.writes(at):
            return False
        turn = self._store.alone(at)
        await turn.enter()
        mtime_ns = file.mtime_ns if self._times[number] is None else self._times[number]
        self._sent[number] = _Sent(at, file, mtime_ns, turn)
        return True

    def _asked(self, one: tuple[int, Loaded]) -> tuple[int, Request]:
        number, _ = one
        at, file, mtime_ns, _ = self._sent[number]
        ask = self._objects.asked_to_put(at, file.data, file.checksum, mtime_ns, NEW)
        return number, self._objects.wire.prepared(ask)

    def _told(self, number: int, outcome: Reply | AcdrunError | None) -> None:
        sent = self._sent.pop(number)
        try:
            if isinstance(outcome, Reply):
                found = self._objects.stored(
                    sent.at, len(sent.file.data), sent.file.checksum, sent.mtime_ns, outcome.headers
                )
                self.done[number] = Copied(found.node(), sent.file.checksum)
            elif isinstance(outcome, Unclear):
                self._doubtful.append((number, sent, None))
                return
        except Misstored as error:
            self._doubtful.append((number, sent, error))
            return
        except AcdrunError:
            pass  # whoever puts it alone will look
        sent.turn.leave()

    async def _look(self, number: int, sent: _Sent, error: Misstored | None) -> None:
        """Find what arrived though its answer was lost, and take back what is not what was sent."""
        with suppress(AcdrunError):
            if error is not None:
                await asyncio.shield(self._objects.remove(sent.at, expect=error.etag))
            elif (there := await self._objects.find(sent.at)) and there.checksum == sent.file.checksum:
                self.done[number] = Copied(there.node(), sent.file.checksum)
