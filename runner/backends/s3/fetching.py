"""Reading many small objects, without a task for each."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress

from runner.backends.s3.objects import Objects, asked_to_get
from runner.model.backend import Copy, Copying
from runner.model.checksum import Checksum
from runner.model.content import CHUNK, Loaded
from runner.model.errors import AcdrunError
from runner.model.powers import Some
from runner.remote.dated import At
from runner.remote.http import Posting, Reply, Request
from runner.remote.volley import Volley

_AT_LEAST = 64
"""So many are handed on together, or all there are."""

_HELD = 2 << 20
"""No more is asked for while so many bytes wait to be taken."""


class Fetching:
    """Reads the objects of one batch. What does not come at once as it was listed is left to be read alone.

    ats: where they are, None for one that is nowhere.
    """

    def __init__(
        self, objects: Objects, files: Sequence[Copy], ats: Sequence[At | None], how: Copying
    ) -> None:
        self._objects, self._files, self._ats, self._how = objects, files, ats, how
        self._came: list[tuple[int, Loaded]] = []
        self._enough, self._taken = asyncio.Event(), asyncio.Event()
        self._held = 0

    async def some(self, posting: Posting) -> AsyncGenerator[Some, None]:
        """Yield what has come, while more is on its way."""
        asking = asyncio.create_task(self._ask(posting))
        asking.add_done_callback(lambda _: self._enough.set())
        try:
            while not asking.done():
                await self._enough.wait()
                came, self._came = self._came, []
                self._held = 0
                self._enough.clear()
                self._taken.set()
                if came:
                    yield came
            await asking
            if self._came:
                yield self._came
        finally:
            asking.cancel()
            with suppress(asyncio.CancelledError):
                await asking

    async def _ask(self, posting: Posting) -> None:
        numbers = [number for number, at in enumerate(self._ats) if at is not None]
        async with Volley(self._objects.wire.wire, posting, CHUNK, self._told, self._how.wanted) as volley:
            for start in range(0, len(numbers), _AT_LEAST):
                while self._held > _HELD:
                    self._taken.clear()
                    await self._taken.wait()
                if not await volley.send(map(self._asked, numbers[start : start + _AT_LEAST])):
                    return

    def _asked(self, number: int) -> tuple[int, Request]:
        at = self._ats[number]
        assert at is not None
        return number, self._objects.wire.prepared(asked_to_get(at, self._files[number].generation))

    def _told(self, number: int, outcome: Reply | AcdrunError | None) -> None:
        at = self._ats[number]
        if at is None or not isinstance(outcome, Reply):
            return
        try:
            fetched = self._objects.fetched(at, self._files[number].generation, outcome)
        except AcdrunError:
            return  # whoever reads it alone will be told
        checksum = Checksum.of(self._how.algorithm, fetched.data)
        self._came.append((number, Loaded(fetched.data, checksum, fetched.mtime_ns)))
        self._held += len(fetched.data)
        if len(self._came) >= _AT_LEAST or self._held > _HELD:
            self._enough.set()
