"""Parts of a file: all digested by one pass, and each read by itself when somebody wants it.

What `reading` holds for a whole file holds for a part: the file is the one that was listed when it is opened, and has
not moved on when the part's last byte has been read.
"""

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

from runner.backends.local.faults import READING
from runner.backends.local.reading import Opened, moved_on, open_listed
from runner.backends.local.safe import folder, let_go
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
    with folder(root, paths.parent(path)) as above:
        file, seen = open_listed(above, path, expect)
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


class Span(Opened):
    """A part being read."""

    def __init__(self, root: str, path: str, expect: str | None, start: int, size: int) -> None:
        super().__init__(path, expect)
        self._root = root
        self._at, self._left = start, size

    def start(self) -> bytes:
        """Open the file and read the first piece."""
        with folder(self._root, paths.parent(self._path)) as above:
            self._open(above)
        if (advise := getattr(os, "posix_fadvise", None)) is not None:
            # Parts are read side by side: asked for as a whole, each comes from a slow disk in one go.
            with suppress(OSError):
                advise(self._file, self._at, self._left, os.POSIX_FADV_WILLNEED)
        return self.more()

    def more(self) -> bytes:
        """The next piece."""
        with READING:
            chunk = os.pread(self._file, min(_SENT, self._left), self._at)
        self._at += len(chunk)
        return self._read(chunk)
