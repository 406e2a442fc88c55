"""Reading small files together, by one call in a thread for some of them."""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import closing, suppress

from runner.backends.local.folders import Folders
from runner.backends.local.gathering import SLOW_S
from runner.backends.local.reading import Reading
from runner.backends.local.threads import Threads
from runner.model.backend import Copy
from runner.model.checksum import Checksum, hasher
from runner.model.content import Loaded
from runner.model.errors import AcdrunError
from runner.model.powers import Some

MOST, MOST_BYTES = 64, 1 << 20
"""Files that are read by one call, and bytes."""


class Loading:
    """Reads the files of one disk. Where a file takes its time, those of a call are spread over the threads."""

    def __init__(self, root: str, threads: Threads) -> None:
        self._root, self._threads = root, threads
        self._each_s = 0.0

    async def some(self, files: Sequence[Copy], algorithm: str) -> AsyncGenerator[Some, None]:
        """See `ReadsSome.read_some`. The next are read while these are used."""
        groups = _groups(files)
        ahead = self._next(groups, algorithm)
        try:
            while ahead is not None:
                some = await ahead
                ahead = self._next(groups, algorithm)
                yield some
        finally:
            if ahead is not None:
                ahead.cancel()
                with suppress(asyncio.CancelledError):
                    await ahead

    def _next(self, groups: Iterator[list[tuple[int, Copy]]], algorithm: str) -> asyncio.Task[Some] | None:
        group = next(groups, None)
        return None if group is None else asyncio.create_task(self._load(group, algorithm))

    async def _load(self, group: list[tuple[int, Copy]], algorithm: str) -> Some:
        parts = [[one] for one in group] if self._each_s > SLOW_S else [group]
        found: list[tuple[int, Loaded]] = []
        for some, seconds in await asyncio.gather(
            *[self._threads.run(_load, self._root, part, algorithm) for part in parts]
        ):
            found += some
            self._each_s += (seconds / len(group) * len(parts) - self._each_s) / 16
        return found


def _groups(files: Sequence[Copy]) -> Iterator[list[tuple[int, Copy]]]:
    group: list[tuple[int, Copy]] = []
    size = 0
    for one in enumerate(files):
        if group and (len(group) >= MOST or size + one[1].size > MOST_BYTES):
            yield group
            group, size = [], 0
        group.append(one)
        size += one[1].size
    if group:
        yield group


def _load(root: str, group: Sequence[tuple[int, Copy]], algorithm: str) -> tuple[Some, float]:
    """What could be read, and how many seconds it took."""
    began, found = time.perf_counter(), list[tuple[int, Loaded]]()
    with closing(Folders(root)) as folders:
        for number, file in group:
            reading = Reading(file.origin, file.generation)
            try:
                data = reading.start(folders)
            except (AcdrunError, OSError):
                continue
            finally:
                whole = reading.over
                reading.close()
            if whole:
                checksum = Checksum(algorithm, hasher(algorithm, data).hexdigest())
                found.append((number, Loaded(data, checksum)))
    return found, time.perf_counter() - began
