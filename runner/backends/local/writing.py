"""The first half of copying files from disk to disk: under temporary names, which only `copying` takes them out of.

Of each file: open the one that was listed > temporary file in its folder > bytes, digested and compared with what is
read back > times > the source has not moved on. It is the same in our process and in a worker, and what stays behind
when either dies are temporary files. Source: reliability.md §2 rule 6; cells S1 S4 S5 S6, N11.
"""

import os
import secrets
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from runner.backends.local.faults import WRITING
from runner.backends.local.folders import Folders
from runner.backends.local.reading import moved_on, open_listed
from runner.backends.local.safe import check_new, let_go, ours, sync
from runner.model import path as paths
from runner.model.checksum import hasher
from runner.model.content import CHUNK
from runner.model.errors import AcdrunError, NoSpace

_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

Known = tuple[str, str]
"""Algorithm and digest."""

Wanted = tuple[str, str, int, int | None, str, Known | None]
"""The fields of `model.backend.Copy`, as plain values."""


class How(NamedTuple):
    """What holds for all files of an order.

    label: what their temporary names begin with. confirmed: each file is fsynced, as no flush of all will follow.
    """

    source: str
    target: str
    label: str
    algorithm: str
    proven: bool
    confirmed: bool


class Written(NamedTuple):
    """A file that waits for its name. number: in its order. The rest: what was seen of it last, and its digest.

    Without its ctime, which moves with the name, and where writes are kept back with the close.
    """

    number: int
    dev: int
    ino: int
    size: int
    mtime_ns: int
    digest: str

    def still(self, seen: os.stat_result) -> bool:
        """Is this the file?"""
        return (
            seen.st_ino == self.ino
            and seen.st_dev == self.dev
            and seen.st_size == self.size
            and seen.st_mtime_ns == self.mtime_ns
        )


def label() -> str:
    """One that no other order has."""
    return secrets.token_hex(6)


def temporary(label: str, number: int) -> str:
    """The name under which a file waits."""
    return f".acdrun-{label}{number:04x}.partial"


class Writer:
    """Writes the files of one order. Every method blocks.

    enter: called with each folder before something is put there. moved: told how many bytes of a large file went
    over; halted: asked before each file whether to give up.
    """

    def __init__(
        self,
        how: How,
        *,
        enter: Callable[[str], None] = check_new,
        moved: Callable[[int], None] = lambda count: None,
        halted: Callable[[], bool] = lambda: False,
    ) -> None:
        self._how, self._moved, self._halted = how, moved, halted
        self._sources, self._targets = Folders(how.source), Folders(how.target, enter)
        self._now = time.time_ns()

    def run(self, order: Sequence[Wanted]) -> list[Written]:
        """What was written, until there was no more room or it was halted; of the rest there is no file.

        Raises NoSpace, Unsynced when a file could not be confirmed; then some are there, and none may get a name.
        """
        written: list[Written] = []
        files: list[int] = []
        try:
            for number, wanted in enumerate(order):
                if self._halted():
                    break
                try:
                    one = self._write(number, wanted, files)
                except NoSpace:
                    break
                except AcdrunError:
                    continue  # it is about this one file, and whoever puts it will be told the same
                if one is not None:
                    written.append(one)
            for file in files:
                sync(file)
        finally:
            for file in files:
                let_go(file)
            self._sources.close()
            self._targets.close()
        return written

    def _write(self, number: int, wanted: Wanted, files: list[int]) -> Written | None:
        origin, generation, _, mtime_ns, path, known = wanted
        folder, _, name = path.rpartition("/")
        if paths.fault(name) or ours(name):
            return None
        target = self._targets.fd(folder)
        source, listed = open_listed(self._sources.fd(paths.parent(origin)), origin, generation)
        temp, file, good = temporary(self._how.label, number), -1, False
        try:
            with WRITING:
                file = os.open(temp, _NEW, 0o666, dir_fd=target)
                digest = self._bytes(source, file, listed.st_size)
                if not digest or moved_on(source, listed) or _other(self._how.algorithm, digest, known):
                    return None
                if mtime_ns is not None:
                    os.utime(file, ns=(self._now, mtime_ns))
                seen = os.fstat(file)
                good = True
        finally:
            let_go(source)
            if file >= 0:
                if good and self._how.confirmed:
                    files.append(file)
                else:
                    let_go(file)
                if not good:
                    drop(target, temp)
        return Written(number, seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, digest)

    def _bytes(self, source: int, file: int, size: int) -> str:
        """The digest of what was read and stored; "" when the two differ, or are not `size` bytes."""
        algorithm, proven = self._how.algorithm, self._how.proven
        if size > CHUNK:
            from runner.backends.local.kernel import Carrier  # a worker rarely needs its threads

            checksum = Carrier(
                source, file, size, algorithm, proven=proven, moved=self._moved, halted=self._halted
            ).run()
            return checksum.digest if checksum is not None else ""
        data = os.read(source, size + 1)
        if (
            len(data) != size
            or os.write(file, data) != size
            or (proven and os.pread(file, size + 1, 0) != data)
        ):
            return ""
        return hasher(algorithm, data).hexdigest()


def drop(folder: int, temp: str) -> None:
    """Remove a temporary file that gets no name; one that stays is swept by a later put."""
    try:  # noqa: SIM105  (it is done for whole batches)
        os.unlink(temp, dir_fd=folder)
    except OSError:
        pass


def _other(algorithm: str, digest: str, known: Known | None) -> bool:
    """Are these other bytes than those that were known?"""
    return known is not None and known[0] == algorithm and known[1] != digest
