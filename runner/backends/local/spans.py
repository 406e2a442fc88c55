"""Parts of a file: all digested by one pass, and each read by itself when somebody wants it.

What `reading` holds for a whole file holds for a part: the file is the one that was listed when it is opened, and has
not moved on when the part's last byte has been read.
"""

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

from runner.backends.local.faults import READING
from runner.backends.local.reading import moved_on, open_listed
from runner.backends.local.safe import let_go, open_folder
from runner.model import path as paths
from runner.model.checksum import Checksum, hasher
from runner.model.content import CHUNK, Digests
from runner.model.errors import Changed

_SENT = CHUNK // 2
"""Bytes of a part that are read at once: of several parts at a time, and each connection holds as much again."""


def digest_parts(
    root: str, path: str, expect: str | None, algorithm: str, size: int, halted: Callable[[], bool]
) -> Digests:
    """Read the file once; see `Spanned.digests`. It blocks, and keeps two cores busy.

    halted: asked before each piece; once it says so, nobody waits for what comes.
    Both digests are made of the same bytes in memory, each in a thread of its own: the digest of the whole cannot be
    divided, so that of the parts comes at no more time where there is a second core.
    """
    file, seen = _open(root, path, expect)
    whole, part, parts = hasher(algorithm), hasher(algorithm), list[str]()

    def digest(piece: memoryview, ends: bool) -> None:
        nonlocal part
        part.update(piece)
        if ends:
            parts.append(part.hexdigest())
            part = hasher(algorithm)

    try:
        left, room, going = seen.st_size, size, Future[None]()
        going.set_result(None)
        now, other = memoryview(bytearray(CHUNK)), memoryview(bytearray(CHUNK))
        with ThreadPoolExecutor(1, thread_name_prefix="digest") as second:
            while left and not halted():
                with READING:
                    piece = now[: os.readv(file, [now[: min(left, room)]])]
                if not piece:
                    raise Changed("moved on while it was read")
                left, room = left - len(piece), room - len(piece)
                going.result()  # and the other piece's memory is free
                going = second.submit(digest, piece, not left or not room)
                whole.update(piece)
                now, other, room = other, now, room or size
            going.result()
        with READING:
            if moved_on(file, seen):
                raise Changed("moved on while it was read")
    finally:
        let_go(file)
    return Digests(seen.st_size, Checksum(algorithm, whole.hexdigest()), parts)


class Span:
    """A part being read. Every method blocks; `close` must be called in the end, twice if you like."""

    def __init__(self, root: str, path: str, expect: str | None, start: int, size: int) -> None:
        self._root, self._path, self._expect = root, path, expect
        self._at, self._left = start, size
        self._file = -1
        self._seen: os.stat_result

    @property
    def over(self) -> bool:
        """Has the last byte been read and the file closed?"""
        return self._file < 0

    def start(self) -> bytes:
        """Open the file and read the first piece."""
        self._file, self._seen = _open(self._root, self._path, self._expect)
        if (advise := getattr(os, "posix_fadvise", None)) is not None:
            # Parts are read side by side: asked for as a whole, each comes from a slow disk in one go.
            with suppress(OSError):
                advise(self._file, self._at, self._left, os.POSIX_FADV_WILLNEED)
        return self.more()

    def more(self) -> bytes:
        """The next piece; after the last one the file has been compared with what it was, and is closed."""
        with READING:
            chunk = os.pread(self._file, min(_SENT, self._left), self._at)
            self._at, self._left = self._at + len(chunk), self._left - len(chunk)
            if self._left and chunk:
                return chunk
            if self._left or moved_on(self._file, self._seen):
                raise Changed("moved on while it was read")
        self.close()
        return chunk

    def close(self) -> None:
        """Leave nothing open."""
        file, self._file = self._file, -1
        if file >= 0:
            let_go(file)


def _open(root: str, path: str, expect: str | None) -> tuple[int, os.stat_result]:
    folder = open_folder(root, paths.parent(path))
    try:
        return open_listed(folder, path, expect)
    finally:
        let_go(folder)
