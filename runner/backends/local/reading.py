"""Reading a file that must not move meanwhile.

Source: reliability.md §2 rule 6: size, mtime, ctime, inode and device before and after; cells S1 S4 S5 S6.
"""

import errno
import os
import stat
from collections.abc import Sequence
from contextlib import closing

from runner.backends.local.faults import READING, told
from runner.backends.local.folders import Folders
from runner.backends.local.safe import generation, let_go
from runner.model import path as paths
from runner.model.checksum import hasher
from runner.model.content import CHUNK
from runner.model.errors import AcdrunError, Blocked, Changed, NotFound

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""Without blocking, so that a FIFO that took the file's place cannot hold us."""

_QUIET = getattr(os, "O_NOATIME", 0)


def open_listed(folder: int, path: str, expect: str | None) -> tuple[int, os.stat_result]:
    """Open a file of an open folder; the caller closes it. Returns what it is, too.

    expect: the generation it was listed as. Raises Changed, NotFound, Blocked, Denied.
    """
    try:
        file = _open(folder, path, expect)
        try:
            seen = os.fstat(file)
            if not stat.S_ISREG(seen.st_mode):
                raise _no_file(path, expect)
            if expect is not None and expect != generation(seen):
                raise Changed("not the generation that was listed")
        except BaseException:
            let_go(file)
            raise
    except OSError as error:  # `READING` would cost each file more than its look
        raise told(error) from error
    return file, seen


def moved_on(file: int, seen: os.stat_result) -> bool:
    """Has the open file been changed since it was `seen`?"""
    now = os.fstat(file)
    return (
        now.st_ctime_ns != seen.st_ctime_ns
        or now.st_size != seen.st_size
        or now.st_mtime_ns != seen.st_mtime_ns
    )


def _open(folder: int, path: str, expect: str | None) -> int:
    name = paths.name(path)
    if paths.fault(name):
        raise _no_file(path, expect)
    try:
        return os.open(name, _FLAGS | _QUIET, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):  # a link, a socket
            raise _no_file(path, expect) from error
        if error.errno != errno.EPERM or not _QUIET:
            raise
    return os.open(name, _FLAGS, dir_fd=folder)  # leaving atime alone is the owner's right only


def _no_file(path: str, expect: str | None) -> Changed | Blocked | NotFound:
    if expect is not None:
        return Changed("not a file any more")
    return NotFound("no such file") if not path else Blocked("not a file")


class Opened:
    """A file that is read piece by piece, as it was listed. Every method blocks.

    `close` must be called in the end, twice if you like.
    """

    def __init__(self, path: str, expect: str | None) -> None:
        self._path = path
        self._expect = expect
        self._file = -1
        self._seen: os.stat_result
        self._left = 0

    @property
    def over(self) -> bool:
        """Has the last byte been read and the file closed?"""
        return self._file < 0

    def close(self) -> None:
        """Leave nothing open."""
        file, self._file = self._file, -1
        if file >= 0:
            let_go(file)

    def _open(self, folder: int) -> None:
        self._file, self._seen = open_listed(folder, self._path, self._expect)

    def _read(self, chunk: bytes) -> bytes:
        """Note a piece. After the last one the file is compared with what it was, and closed."""
        self._left -= len(chunk)
        if self._left > 0 and chunk:
            return chunk
        with READING:
            if self._left or moved_on(self._file, self._seen):
                raise Changed("moved on while it was read")
        self.close()
        return chunk


class Reading(Opened):
    """A whole file being read."""

    def start(self, folders: Folders) -> bytes:
        """Open the file and read its first piece, which is all of it when it is small."""
        self._open(folders.fd(paths.parent(self._path)))
        self._left = self._seen.st_size
        return self.more()

    def more(self) -> bytes:
        """The next piece."""
        with READING:
            chunk = os.read(self._file, min(CHUNK, self._left + 1))
        return self._read(chunk)


def load(
    root: str, files: Sequence[tuple[int, str, str]], algorithm: str
) -> Sequence[tuple[int, bytes, str]]:
    """The number, content and digest of each of these files that could be read to its end, as it was listed.

    files: the number of each, its path, and the generation that it was listed as.
    """
    found = list[tuple[int, bytes, str]]()
    with closing(Folders(root)) as folders:
        for number, path, generation in files:
            reading = Reading(path, generation)
            try:
                data = reading.start(folders)
            except (AcdrunError, OSError):
                continue
            finally:
                whole = reading.over
                reading.close()
            if whole:
                found.append((number, data, hasher(algorithm, data).hexdigest()))
    return found
