"""Reading small files together: some of them by one call in a thread, or by a process beside this one."""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import suppress

from runner.backends.local.gathering import SLOW_S
from runner.backends.local.hands import Hand, Hands
from runner.backends.local.reading import load
from runner.backends.local.threads import Threads
from runner.model.backend import Copy
from runner.model.checksum import Checksum
from runner.model.content import Loaded
from runner.model.powers import Some

MOST, MOST_BYTES = 64, 1 << 20
"""Files that are read by one call, and bytes."""

MANY = 32
"""Files that take longer to read than to be told of."""


class Loading:
    """Reads the files of one disk. Where a file takes its time, those of a call are spread over the threads."""

    def __init__(self, root: str, threads: Threads, hands: Hands) -> None:
        self._root, self._threads, self._hands = root, threads, hands
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
        self._hands.note(handled=len(group))
        found: list[tuple[int, Loaded]] = []
        for some, seconds in await asyncio.gather(
            *[self._threads.run(_load, self._root, part, algorithm, self._hands.one()) for part in parts]
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


def _load(root: str, group: Sequence[tuple[int, Copy]], algorithm: str, hand: Hand) -> tuple[Some, float]:
    """What could be read, and how many seconds it took."""
    began, files = time.perf_counter(), [(number, file.origin, file.generation) for number, file in group]
    with hand:
        found = hand.ask("read", root, files, algorithm) if len(files) >= MANY and hand.take(0) else None
    if found is None:
        found = load(root, files, algorithm)
    checked = [(number, Loaded(data, Checksum(algorithm, digest))) for number, data, digest in found]
    return checked, time.perf_counter() - began
