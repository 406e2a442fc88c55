"""A sort that holds little in memory: what does not fit waits in an unlinked file, in sorted runs."""

import heapq
import marshal
import os
import tempfile
from collections.abc import Iterator
from operator import itemgetter
from typing import IO, Any

_MOST = 20_000
"""Weight that is held in memory: of nodes, about 8 MB."""

_BLOCK = 1_000
"""Weight that is written, and read back, at once."""


class Spool:
    """Records, given in any order and taken back by their first field; equal ones in the order they came in.

    A record is a tuple of what `marshal` writes: text, numbers, None, and tuples and lists of these. Nobody
    else reads the file, and it is gone with the process, whatever becomes of it.
    """

    def __init__(self, *, most: int = _MOST) -> None:
        self._most = most
        self._held: list[tuple[Any, ...]] = []
        self._weight = 0
        self._file: IO[bytes] | None = None
        self._runs: list[
            list[tuple[int, int]]
        ] = []  # of each run, where its blocks begin and how long they are

    def add(self, record: tuple[Any, ...], weight: int) -> None:
        """Take a record in. weight: how many of what `most` counts are in it."""
        self._held.append(record)
        self._weight += weight
        if self._weight >= self._most:
            self._spill(self._most // _BLOCK)

    def sorted(self) -> Iterator[tuple[Any, ...]]:
        """Every record, once; nothing is taken in any more."""
        if self._file is None:
            self._held.sort(key=itemgetter(0))
            yield from self._held
            return
        self._spill(self._most // _BLOCK)
        yield from heapq.merge(*map(self._read, self._runs), key=itemgetter(0))

    def close(self) -> None:
        """Let go of the file."""
        self._held = []
        if self._file is not None:
            self._file.close()

    def _spill(self, blocks: int) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="acdrun-spool-")  # noqa: SIM115  (closed by `close`)
        self._held.sort(key=itemgetter(0))
        step = max(1, len(self._held) // max(1, blocks))
        run = []
        for start in range(0, len(self._held), step):
            data = marshal.dumps(self._held[start : start + step])
            run.append((self._file.tell(), len(data)))
            self._file.write(data)
        self._file.flush()
        self._runs.append(run)
        self._held, self._weight = [], 0

    def _read(self, run: list[tuple[int, int]]) -> Iterator[tuple[Any, ...]]:
        assert self._file is not None
        for offset, length in run:
            # Written by this very process, into a file that has no name.
            yield from marshal.loads(os.pread(self._file.fileno(), length, offset))  # noqa: S302
