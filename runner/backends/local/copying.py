"""Copying files from one local disk to another, many at a time.

Of each: temporary file > bytes, digested and compared with what is read back > times. Then of all: one flush > their
names > one flush of their folders. What does not go as simply as that is left as it was, for `put` to do or to refuse.
Source: reliability.md §2 rule 6 and §3; cells S1 S4 S5 S6, D1 D2, P10 P14.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from runner.backends.local.carrying import Carrier
from runner.backends.local.faults import told
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


_Written = tuple[int, str, str, int, Checksum]
"""A file that waits for its name: its number in its batch, that name, the one it has, its descriptor, its digest."""


class Copier:
    """Copies one batch. Every method blocks.

    source, target: roots of the disk that is read, and of the one that is written to. enter: called with each folder
    before something is put there. moved: told, in this thread, how many bytes of a large file went over; halted: asked
    whether to give up.
    """

    def __init__(
        self,
        source: str,
        target: str,
        how: Copying,
        *,
        enter: Callable[[str], None],
        moved: Callable[[int], None],
        halted: Callable[[], bool],
    ) -> None:
        self._how, self._enter, self._moved, self._halted = how, enter, moved, halted
        self._sources, self._targets = Folders(source), Folders(target, self._entering)
        self._carrier: Carrier | None = None
        self._label, self._now = os.urandom(6).hex(), time.time_ns()
        self._temps: dict[str, str] = {}
        self._files: list[int] = []
        self._written: dict[str, list[_Written]] = {}  # by the folder they are in
        self._waiting = 0
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
                if self._waiting >= most:
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
        origin, listed_as, _, mtime_ns, path, known = copy
        above, _, _ = origin.rpartition("/")
        folder, _, name = path.rpartition("/")
        if paths.fault(name) or ours(name):
            return
        target = self._targets.fd(folder)
        source, listed = open_listed(self._sources.fd(above), origin, listed_as)
        try:
            temp = f".acdrun-{self._label}{number:04x}.partial"
            file = os.open(temp, _NEW, 0o666, dir_fd=target)
            self._temps[temp] = folder
            self._files.append(file)
            checksum = self._bytes(source, file, listed.st_size)
            if checksum is None or moved_on(source, listed) or (known and _other(checksum, known)):
                return
            if mtime_ns is not None:
                os.utime(file, ns=(self._now, mtime_ns))
        except OSError as error:  # `WRITING` would cost each file more than its times
            raise told(error, writing=True) from error
        finally:
            let_go(source)
        self._written.setdefault(folder, []).append((number, name, temp, file, checksum))
        self._waiting += 1

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
        written, done = self._written, self._done
        sync_all([[file for _, _, _, file, _ in some] for some in written.values()])
        named = [one for folder, some in written.items() for one in self._name(folder, some)]
        folders = list(written)
        for start in range(0, len(folders), MOST):  # no more than can be open at a time
            sync_all([[self._targets.fd(folder)] for folder in folders[start : start + MOST]])
        for (number, name, _, _, checksum), seen in named:
            done[number] = Copied(node(name, seen), checksum)
        self._close()

    def _name(self, folder: str, some: Sequence[_Written]) -> Iterator[tuple[_Written, os.stat_result]]:
        """Those that have got their names and kept them, and what they are under these."""
        try:
            target = self._targets.fd(folder)
        except AcdrunError:
            return
        for one in some:
            _, name, temp, file, _ = one
            try:
                rename_new(target, temp, target, name)
                del self._temps[temp]
                seen = os.fstat(file)
            except OSError:
                continue
            if seen.st_nlink:
                yield one, seen

    def _close(self) -> None:
        self._written.clear()
        self._waiting = 0
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


def _other(checksum: Checksum, known: Checksum) -> bool:
    """Are these other bytes than those that were known?"""
    return known.algorithm == checksum.algorithm and known != checksum
