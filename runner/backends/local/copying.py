"""Copying files from one local disk to another, many at a time.

Of each: temporary file > bytes, digested and compared with what is read back > times. Then of all: one flush > their
names > one flush of their folders. What does not go as simply as that is left as it was, for `put` to do or to refuse.
Source: reliability.md §2 rule 6 and §3; cells S1 S4 S5 S6, D1 D2, P10 P14.
"""

import os
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

from runner.backends.local.carrying import Carrier
from runner.backends.local.draft import Disk
from runner.backends.local.faults import WRITING
from runner.backends.local.flush import most_open, sync_all
from runner.backends.local.folders import MOST, Folders
from runner.backends.local.reading import moved_on, open_listed
from runner.backends.local.rename import rename_new
from runner.backends.local.safe import check_new, let_go, node, ours
from runner.model import path as paths
from runner.model.backend import Copied, Copy, Copying
from runner.model.checksum import Checksum, hasher
from runner.model.content import CHUNK
from runner.model.errors import AcdrunError, NoSpace, Unsynced

_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class _Written(NamedTuple):
    """A file that waits for its name. number: in its batch; file: its descriptor."""

    number: int
    folder: str
    name: str
    temp: str
    file: int
    checksum: Checksum


class Copier:
    """Copies one batch. Every method blocks.

    source: root of the disk that is read. enter: called with each folder before something is put there.
    moved: told, in this thread, how many bytes of a large file went over; halted: asked whether to give up.
    """

    def __init__(
        self,
        source: str,
        disk: Disk,
        how: Copying,
        *,
        enter: Callable[[str], None],
        moved: Callable[[int], None],
        halted: Callable[[], bool],
    ) -> None:
        self._how, self._enter, self._moved, self._halted = how, enter, moved, halted
        self._sources, self._targets = Folders(source), Folders(disk.root, self._entering)
        self._carrier: Carrier | None = None
        self._label, self._now = secrets.token_hex(6), time.time_ns()
        self._temps: dict[str, str] = {}
        self._files: set[int] = set()
        self._written: list[_Written] = []
        self._done: list[Copied | None] = []

    def run(self, batch: Sequence[Copy]) -> Sequence[Copied | None]:
        """What became of each file; see `Peer.copy_from`. Raises Unsynced."""
        self._done = [None] * len(batch)
        most = most_open() if self._how.durability == "batch" else 1
        try:
            for number, copy in enumerate(batch):
                if self._halted():
                    return self._done
                try:
                    self._write(number, copy)
                except NoSpace:
                    break
                except AcdrunError:
                    continue  # it is about this one file, and whoever puts it will be told the same
                if len(self._written) >= most:
                    self._publish()
            self._publish()
        except Unsynced:
            raise
        except AcdrunError:
            pass  # some disks have no room only when they are to confirm what was written
        finally:
            self._discard()
        return self._done

    def _entering(self, folder: str) -> None:
        check_new(folder)
        self._enter(folder)

    def _write(self, number: int, copy: Copy) -> None:
        folder, _, name = copy.path.rpartition("/")
        if paths.fault(name) or ours(name):
            return
        target = self._targets.fd(folder)
        source, listed = open_listed(
            self._sources.fd(paths.parent(copy.origin)), copy.origin, copy.generation
        )
        try:
            with WRITING:
                temp = f".acdrun-{self._label}{number:04x}.partial"
                file = os.open(temp, _NEW, 0o666, dir_fd=target)
                self._files.add(file)
                self._temps[temp] = folder
                checksum = self._bytes(source, file, listed.st_size)
                if checksum is None or moved_on(source, listed) or _other(checksum, copy.known):
                    return
                if copy.mtime_ns is not None:
                    os.utime(file, ns=(self._now, copy.mtime_ns))
        finally:
            let_go(source)
        self._written.append(_Written(number, folder, name, temp, file, checksum))

    def _bytes(self, source: int, file: int, size: int) -> Checksum | None:
        """The checksum of what was read and stored; None when the two differ, or are not `size` bytes."""
        algorithm, proven = self._how.algorithm, self._how.proven
        if size > CHUNK:
            if self._carrier is None:
                self._carrier = Carrier(algorithm, proven=proven, moved=self._moved, halted=self._halted)
            return self._carrier.run(source, file, size)
        data = os.read(source, size + 1)
        if (
            len(data) != size
            or os.write(file, data) != size
            or (proven and os.pread(file, size + 1, 0) != data)
        ):
            return None
        return Checksum(algorithm, hasher(algorithm, data).hexdigest())

    def _publish(self) -> None:
        """Have all that was written confirmed, give it its names, and have these confirmed."""
        folders: dict[str, list[int]] = {}
        for one in self._written:
            folders.setdefault(one.folder, []).append(one.file)
        sync_all(folders.values())
        named = [(one, seen) for one in self._written if (seen := self._name(one)) is not None]
        names = list(folders)
        for start in range(0, len(names), MOST):  # no more than can be open at a time
            sync_all([[self._targets.fd(folder)] for folder in names[start : start + MOST]])
        for one, seen in named:
            self._done[one.number] = Copied(node(one.name, seen), one.checksum)
        self._close()

    def _name(self, one: _Written) -> os.stat_result | None:
        """What the file is under its name; None when it could not get it, or lost it at once."""
        try:
            target = self._targets.fd(one.folder)
            rename_new(target, one.temp, target, one.name)
            del self._temps[one.temp]
            seen = os.fstat(one.file)
        except (OSError, AcdrunError):
            return None
        return seen if seen.st_nlink else None

    def _close(self) -> None:
        self._written.clear()
        for file in self._files:
            let_go(file)
        self._files.clear()

    def _discard(self) -> None:
        """Leave nothing open, and no temporary file."""
        self._close()
        for temp, folder in self._temps.items():
            with suppress(OSError, AcdrunError):  # a later put sweeps it
                os.unlink(temp, dir_fd=self._targets.fd(folder))
        self._temps.clear()
        if self._carrier is not None:
            self._carrier.close()
        self._sources.close()
        self._targets.close()


def _other(checksum: Checksum, known: Checksum | None) -> bool:
    """Are these other bytes than those that were known?"""
    return known is not None and known.algorithm == checksum.algorithm and known != checksum
