"""Storing some small new files by one call in a thread.

Of each: temporary file > bytes, read back and compared where that is wanted > times. Then of all: one flush > their
names > one flush of their folders. What does not go as simply as that is left as it was, for a `Draft` to do or to
refuse. Source: reliability.md §3; cells D1 D4, P8 P10 P14.
"""

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from runner.backends.local.faults import WRITING
from runner.backends.local.flush import sync_all
from runner.backends.local.folders import MOST, Folders
from runner.backends.local.rename import rename_new
from runner.backends.local.safe import check_new, let_go, node, ours
from runner.model import path as paths
from runner.model.errors import AcdrunError, NoSpace
from runner.model.node import Node

_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Arrival:
    """A file to be stored where nothing is. proven: only as what it is read back as. node: as it stands there, for
    good; None where nothing was done with it.
    """

    __slots__ = ("data", "file", "folder", "mtime_ns", "name", "node", "proven", "temp")

    def __init__(self, path: str, data: bytes, mtime_ns: int | None, *, proven: bool) -> None:
        self.folder, _, self.name = path.rpartition("/")
        self.data, self.mtime_ns, self.proven = data, mtime_ns, proven
        self.node: Node | None = None
        self.file, self.temp = -1, ""


class Landing:
    """Stores some files at once. Every method blocks.

    root: of the disk. enter: called with each folder before something is put there.
    """

    def __init__(self, root: str, enter: Callable[[str], None]) -> None:
        self._enter = enter
        self._folders = Folders(root, self._entering)
        self._label, self._now = os.urandom(6).hex(), time.time_ns()
        self._open: list[Arrival] = []

    def run(self, some: Sequence[Arrival]) -> None:
        """Store those that can be stored simply. Raises Unsynced: then none may be called stored."""
        try:
            try:
                for number, one in enumerate(some):
                    self._write(number, one)
            except NoSpace:
                pass  # for what was not written yet
            self._publish([one for one in self._open if one.temp])
        except NoSpace:
            pass  # some disks have no room only when they are to confirm what was written
        finally:
            self._discard()

    def _entering(self, folder: str) -> None:
        check_new(folder)
        self._enter(folder)

    def _write(self, number: int, one: Arrival) -> None:
        """Raises NoSpace; of what else goes wrong nothing is left, and whoever puts that file will be told the same."""
        if paths.fault(one.name) or ours(one.name):
            return
        try:
            folder = self._folders.fd(one.folder)
            with WRITING:
                temp = f".acdrun-{self._label}{number:04x}.partial"
                one.file = os.open(temp, _NEW, 0o666, dir_fd=folder)
                one.temp = temp
                self._open.append(one)
                size = len(one.data)
                if os.write(one.file, one.data) == size and not (
                    one.proven and os.pread(one.file, size + 1, 0) != one.data
                ):
                    if one.mtime_ns is not None:
                        os.utime(one.file, ns=(self._now, one.mtime_ns))
                    return
        except NoSpace:
            self._drop(one)
            raise
        except AcdrunError:
            pass
        self._drop(one)

    def _publish(self, written: Sequence[Arrival]) -> None:
        """Have all that was written confirmed, give it its names, and have these confirmed."""
        folders: dict[str, list[int]] = {}
        for one in written:
            folders.setdefault(one.folder, []).append(one.file)
        sync_all(folders.values())
        named = [(one, seen) for one in written if (seen := self._name(one)) is not None]
        names = list(folders)
        for start in range(0, len(names), MOST):  # no more than can be open at a time
            sync_all([[self._folders.fd(folder)] for folder in names[start : start + MOST]])
        for one, seen in named:
            one.node = node(one.name, seen)

    def _name(self, one: Arrival) -> os.stat_result | None:
        """What the file is under its name; None when it could not get it, or lost it at once."""
        try:
            folder = self._folders.fd(one.folder)
            rename_new(folder, one.temp, folder, one.name)
            one.temp = ""
            seen = os.fstat(one.file)
        except (OSError, AcdrunError):
            return None
        return seen if seen.st_nlink else None

    def _drop(self, one: Arrival) -> None:
        if one.temp:
            with suppress(OSError, AcdrunError):  # a later put sweeps it
                os.unlink(one.temp, dir_fd=self._folders.fd(one.folder))
            one.temp = ""

    def _discard(self) -> None:
        """Leave nothing open, and no temporary file."""
        for one in self._open:
            self._drop(one)
            let_go(one.file)
        self._open.clear()
        self._folders.close()
