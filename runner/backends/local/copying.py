"""Copying files from one local disk to another, many at a time.

Of each: temporary file > bytes, digested and compared with what is read back > times; in our process or in a worker
beside it. Then, only here, of all: one flush > their names > one flush of their folders. So a worker that outlives us
leaves temporary files and publishes nothing. What does not go as simply as that is left as it was, for `put` to do or
to refuse. Source: reliability.md §2 rule 6 and §3; cells S1 S4 S5 S6, D1 D2, P10 P14.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress

from runner.backends.local.crew import Crew, Gone
from runner.backends.local.draft import Disk
from runner.backends.local.flush import Disks, most_open, sync_all
from runner.backends.local.folders import MOST, Folders
from runner.backends.local.rename import rename_new
from runner.backends.local.safe import check_new, look, node
from runner.backends.local.writing import How, Writer, Written, drop, label, temporary
from runner.model import path as paths
from runner.model.backend import Copied, Copy, Copying
from runner.model.checksum import Checksum
from runner.model.content import CHUNK
from runner.model.errors import AcdrunError, Unsynced

WORTH = 50
"""Files from which on it takes longer to write them than to tell a worker of them."""

_ALONE = nullcontext()


class Copier:
    """Copies one batch. Every method blocks.

    source: root of the disk that is read. enter: called with each folder before something is put there.
    moved: told, in this thread, how many bytes of a large file went over; halted: asked whether to give up.
    turn: held for what is done in our process, where two at once would only take each other's time.
    crew: writes for us, if one of its workers is free.
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
        turn: AbstractContextManager[object] = _ALONE,
        crew: Crew | None = None,
    ) -> None:
        self._source, self._disk, self._how = source, disk, how
        self._enter, self._moved, self._halted = enter, moved, halted
        self._turn, self._crew = turn, crew
        self._targets = Folders(disk.root, self._entering)
        self._label, self._told = "", False
        self._temps: dict[int, str] = {}

    def run(self, batch: Sequence[Copy]) -> Sequence[Copied | None]:
        """What became of each file; see `Peer.copy_from`. Raises Unsynced."""
        done: list[Copied | None] = [None] * len(batch)
        most = most_open() if self._how.durability == "batch" else 1
        try:
            for start in range(0, len(batch), most):
                if self._halted():
                    break
                for number, copied in self._some(batch[start : start + most]):
                    done[start + number] = copied
        except Unsynced:
            raise
        except AcdrunError:
            pass  # some disks have no room only when they are to confirm what was written
        finally:
            self._targets.close()
        return done

    def _some(self, batch: Sequence[Copy]) -> Sequence[tuple[int, Copied]]:
        """Those that got their names."""
        disks = Disks()
        try:
            for folder in dict.fromkeys(paths.parent(copy.path) for copy in batch):
                with suppress(AcdrunError, OSError):  # whatever is written there gets no name
                    disks.add(self._targets.fd(folder))
            whole = disks.whole(len(batch))
            written = self._beside(batch, not whole)
            with self._turn:
                if written is None:
                    written = self._here(batch, not whole)
                if self._halted():
                    return ()
                return self._published(batch, written, disks if whole else None)
        finally:
            self._discard()
            disks.close()

    def _order(self, batch: Sequence[Copy], confirmed: bool) -> How:
        self._label = label()
        self._temps = dict(enumerate(paths.parent(copy.path) for copy in batch))
        how = self._how
        return How(self._source, self._disk.root, self._label, how.algorithm, how.proven, confirmed)

    def _beside(self, batch: Sequence[Copy], confirmed: bool) -> Sequence[Written] | None:
        """What a worker has written; None when it is to be done here."""
        if self._crew is None or len(batch) < WORTH:
            return None
        how = self._order(batch, confirmed)
        try:
            written = self._crew.write(how, self._disk.mask, batch, self._halted)
        except Gone:
            self._discard()
            return None
        self._left(written or ())
        self._told = written is not None  # and not seen by us
        for one in written or ():
            if one.size > CHUNK:
                self._moved(one.size)
        return written

    def _here(self, batch: Sequence[Copy], confirmed: bool) -> Sequence[Written]:
        how = self._order(batch, confirmed)
        self._told = False
        written = Writer(how, enter=self._entering, moved=self._moved, halted=self._halted).run(batch)
        self._left(written)
        return written

    def _left(self, written: Sequence[Written]) -> None:
        """Of an order that went well, no other temporary files are there."""
        self._temps = {one.number: self._temps[one.number] for one in written}

    def _entering(self, folder: str) -> None:
        check_new(folder)
        self._enter(folder)

    def _published(
        self, batch: Sequence[Copy], written: Sequence[Written], disks: Disks | None
    ) -> Sequence[tuple[int, Copied]]:
        """Have all that was written confirmed, give it its names, and have these confirmed."""
        if not written:
            return ()
        if disks is not None:
            disks.sync()
            written = [one for one in written if one.dev in disks]
        algorithm, folders = self._how.algorithm, dict[str, None]()
        named: list[tuple[int, Copied]] = []
        for one in written:
            folder, _, name = batch[one.number].path.rpartition("/")
            folders[folder] = None
            seen = self._named(one, folder, name)
            if seen is not None:
                named.append((one.number, Copied(node(name, seen), Checksum(algorithm, one.digest))))
        names = list(folders)
        for start in range(0, len(names), MOST):  # no more than can be open at a time
            sync_all([[self._targets.fd(folder)] for folder in names[start : start + MOST]])
        return named

    def _named(self, one: Written, folder: str, name: str) -> os.stat_result | None:
        """What the file is under its name; None when it could not get it, or lost it at once."""
        temp = temporary(self._label, one.number)
        try:
            target = self._targets.fd(folder)
            if self._told and not one.still(look(target, temp)):
                return None
            rename_new(target, temp, target, name)
            del self._temps[one.number]
            seen = look(target, name)
        except (OSError, AcdrunError):
            return None
        return seen if one.still(seen) else None

    def _discard(self) -> None:
        """Leave no temporary file; one that stays is swept by a later put."""
        for number, folder in self._temps.items():
            with suppress(AcdrunError):
                drop(self._targets.fd(folder), temporary(self._label, number))
        self._temps.clear()
