"""Writing a file so that its name shows the old content or the new, and never a part.

Temporary file in the same folder > write > times > fsync > close > rename > fsync of the folder. An old file gets
a second name in the trash first, and then the two exchange their names where that is one step: so it is seen what gave
up its name. Source: reliability.md §3, what is fsynced when; cells D1 D4 P8 P10.
"""

import os
import secrets
import stat
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from runner.backends.local.faults import WRITING, unsynced
from runner.backends.local.rename import rename_new, swap
from runner.backends.local.safe import (
    check_new,
    generation,
    identity,
    let_go,
    look,
    look_for,
    node,
    open_folder,
    sync,
)
from runner.backends.local.trash import Trash, alike
from runner.model import path as paths
from runner.model.checksum import Checksum
from runner.model.errors import Exists, Stale
from runner.model.node import Node, same_content

_REPLACED = "replaced just before it was to be"


class Disk(NamedTuple):
    """Where drafts are made. mask: the process's umask."""

    root: str
    trash: Trash
    mask: int


class Draft:
    """One file on its way. Every method blocks; `discard` must be called in the end, and may be called twice.

    A new file gets 0666 less the umask; a replaced one keeps its permissions, but no setuid or sticky bit.
    """

    def __init__(self, disk: Disk, path: str, mtime_ns: int | None, expect: str | None) -> None:
        self._root = disk.root
        self._path = path
        self._name = paths.name(path)
        self.mtime_ns = mtime_ns
        self._expect = expect
        self._trash = disk.trash
        self._mode = 0o666 & ~disk.mask
        self._folder = self._file = -1
        self._temp = ""
        self._size = 0
        self._same = True

    def whole(self, data: bytes, checksum: Checksum | None = None) -> Node:
        """All of it in one call, for what is small. checksum: see `publish`."""
        try:
            self.start()
            self.write(data, back=checksum is not None)
            return self.publish(checksum)
        finally:
            self.discard()

    def start(self) -> None:
        """Check what is there, and make the temporary file. Raises Exists, Stale, NotFound, NoSpace."""
        if not self._path:
            raise Exists("the root is a folder")
        check_new(self._path)
        self._folder = open_folder(self._root, paths.parent(self._path))
        with WRITING:
            old = self._check()
            if old is not None:
                self._mode = old.st_mode & 0o777
            temp = f".acdrun-{secrets.token_hex(8)}.partial"
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            self._file = os.open(temp, flags, 0o600, dir_fd=self._folder)
            self._temp = temp

    def write(self, chunk: bytes, *, back: bool = False) -> None:
        """Add bytes. back: read them back, and remember whether they come as they were given. Raises NoSpace."""
        with WRITING:
            done = os.write(self._file, chunk)
            while done < len(chunk):
                done += os.write(self._file, memoryview(chunk)[done:])
            if back and self._same:
                self._same = self._comes_back(chunk)
            self._size += len(chunk)

    def _comes_back(self, chunk: bytes) -> bool:
        return os.pread(self._file, len(chunk) + 1, self._size) == chunk

    def publish(self, checksum: Checksum | None = None) -> Node:
        """Give the file its name, for good. Raises Exists, Stale, NoSpace, Unsynced.

        checksum: of all that was written and read back; the node bears it where that was the same.
        """
        with WRITING:
            os.fchmod(self._file, self._mode)
            if self.mtime_ns is not None:
                os.utime(self._file, ns=(time.time_ns(), self.mtime_ns))
            sync(self._file)
            mine = os.fstat(self._file)
            self._close()
            old, kept = self._check(), ""
            if old is None:
                rename_new(self._folder, self._temp, self._folder, self._name)
            else:
                kept = self._replace(old, mine)
            self._temp = ""
            sync(self._folder)
            seen = look_for(self._folder, self._name)
            if seen is None or not alike(seen, mine):
                raise Stale("replaced by somebody else as soon as it was stored")
        return node(self._name, seen)._replace(replaced=kept, checksum=checksum if self._same else None)

    def discard(self) -> None:
        """Leave nothing open, and no temporary file."""
        if self._file >= 0:
            let_go(self._file)
            self._file = -1
        if self._temp:
            with suppress(OSError):  # a later put sweeps it; what went wrong before is what to tell
                os.unlink(self._temp, dir_fd=self._folder)
            self._temp = ""
        if self._folder >= 0:
            let_go(self._folder)
            self._folder = -1

    def _check(self) -> os.stat_result | None:
        seen = look_for(self._folder, self._name)
        if self._expect is None:
            if seen is not None:
                raise Exists("something is there already")
            return None
        if seen is None or not stat.S_ISREG(seen.st_mode) or not self._expected(seen):
            raise Stale("not the generation that was to be replaced")
        return seen

    def _expected(self, seen: os.stat_result) -> bool:
        there = generation(seen)
        if there == self._expect:
            return True
        # an attempt that died between its link in the trash and its rename has moved the ctime, and no more
        return same_content(there, self._expect or "") and self._trash.holds(self._path, seen)

    def _replace(self, old: os.stat_result, mine: os.stat_result) -> str:
        kept = self._trash.keep(self._folder, self._path, old)
        try:
            self._exchange(old, mine)
        except BaseException:
            self._trash.give_back(kept, self._folder, self._name)
            raise
        return kept

    def _exchange(self, old: os.stat_result, mine: os.stat_result) -> None:
        """Take the name of the old file, which is in the trash too, and see that it was that one which gave it up."""
        if look_for(self._folder, self._name) is None:
            rename_new(self._folder, self._temp, self._folder, self._name)
            return
        temp, self._temp = self._temp, ""  # from here on it is not known to be ours, and `discard` keeps off
        if not swap(self._folder, temp, self._name):
            self._temp = temp
            now = look_for(self._folder, self._name)
            if now is not None and not alike(now, old):
                raise Stale(_REPLACED)
            os.rename(temp, self._name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
            return
        if alike(look(self._folder, temp), old):
            self._temp = temp
            os.unlink(temp, dir_fd=self._folder)
            return
        swap(self._folder, temp, self._name)  # somebody else was faster: theirs goes back
        back = look(self._folder, temp)
        if identity(back) == identity(mine):
            self._temp = temp
        else:  # a third one has taken the name from us meanwhile
            self._trash.take(self._folder, paths.join(paths.parent(self._path), temp), back)
        raise Stale(_REPLACED)

    def _close(self) -> None:
        file, self._file = self._file, -1
        try:
            os.close(file)
        except OSError as error:
            raise unsynced(error) from error


def sweep(fd: int, names: Sequence[str], before_ns: int) -> None:
    """Remove temporary files whose last change lies before a time: their writers are gone.

    ctime is asked, for a draft that waits for its rename already shows the mtime of its source.
    """
    for name in names:
        seen = look_for(fd, name)
        if seen is not None and stat.S_ISREG(seen.st_mode) and seen.st_ctime_ns < before_ns:
            with WRITING:
                os.unlink(name, dir_fd=fd)
