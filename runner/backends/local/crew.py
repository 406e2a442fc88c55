"""Processes beside this one that list folders.

Threads do not help: each `stat` hands the interpreter's lock over. Workers are shared by all disks, hired when a
listing turns out to be long or is known to be, and end with the last disk, or with this process, whose end of the
pipe goes with it.
"""

import fcntl
import os
import select
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import runner
from runner.backends.local import worker
from runner.backends.local.listing import Columns

LONG = 2000
"""Nodes of one disk from which on a listing is long: they take about as long as a worker takes to be ready."""

_PATIENCE_S = 0.1
"""How long a thread waits for a worker. Where workers take longer the disk is slow, and threads wait beside them."""

_PIPE = 1 << 20
"""Bytes in a pipe: an answer does not wait for its reader."""

_START = "import sys; sys.path.insert(0, sys.argv[1]); from runner.backends.local.worker import main; main()"


class Crew:
    """A few workers, for any number of threads. most: how many; without any, whoever asks works itself."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._changed = threading.Condition()
        self._free: list[_Worker] = []
        self._coming: list[_Worker] = []
        self._hired = 0
        self._disks = 0

    def join(self) -> None:
        """One more disk uses it."""
        with self._changed:
            self._disks += 1

    def leave(self) -> None:
        """One disk less does. The last one lets the workers go."""
        with self._changed:
            self._disks -= 1
            gone = [] if self._disks else self._free + self._coming
            if gone:
                self._free, self._coming = [], []
                self._hired -= len(gone)
        for one in gone:
            one.end()

    @contextmanager
    def called(self) -> Iterator[None]:
        """Within this there are workers, or they are on their way: for listings that are known to be long."""
        self.join()
        try:
            with self._changed:
                while self._hired < self._most:
                    self._hire()
            yield
        finally:
            self.leave()

    @property
    def there(self) -> bool:
        """Are there any, or are they on their way?"""
        return self._hired > 0

    def some(self, root: str, folders: Sequence[str]) -> Sequence[Columns | None] | None:
        """As `worker.some`, with None in the place of an error; None for all when no worker could be had."""
        one = self._take()
        if one is None:
            return None
        try:
            found = one.some(root, folders)
        except (OSError, EOFError, ValueError, TypeError):
            self._drop(one)
            return None
        self._give(one)
        return found

    def _take(self) -> "_Worker | None":
        with self._changed:
            ready = [one for one in self._coming if one.ready()]
            self._coming = [one for one in self._coming if one not in ready]
            self._free += ready
            if not self._free and self._hired < self._most:
                self._hire()
            if self._hired > len(self._coming):
                self._changed.wait_for(lambda: self._free, _PATIENCE_S)
            return self._free.pop() if self._free else None

    def _hire(self) -> None:
        try:
            self._coming.append(_Worker())
        except OSError:
            self._most = self._hired  # there is no room for another process
        else:
            self._hired += 1

    def _give(self, one: "_Worker") -> None:
        with self._changed:
            if self._disks:
                self._free.append(one)
                self._changed.notify()
                return
        self._drop(one)

    def _drop(self, one: "_Worker") -> None:
        with self._changed:
            self._hired -= 1
        one.end()


class _Worker:
    """One process. It gets nothing of ours but the pipe: no lock outlives us because of it."""

    def __init__(self) -> None:
        home = str(Path(runner.__file__).resolve().parent.parent)
        options = ["-I", "-S", "-X", f"utf8={sys.flags.utf8_mode}"]  # names are decoded as they are here
        self._process = subprocess.Popen(
            [sys.executable, *options, "-c", _START, home],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # a Ctrl-C is for us
        )
        with suppress(AttributeError, OSError):  # Linux has it, and up to a limit
            fcntl.fcntl(self._told, fcntl.F_SETPIPE_SZ, _PIPE)

    @property
    def _asked(self) -> IO[bytes]:
        assert self._process.stdin is not None
        return self._process.stdin

    @property
    def _told(self) -> IO[bytes]:
        assert self._process.stdout is not None
        return self._process.stdout

    def ready(self) -> bool:
        """Has it begun? One that ended instead is told by its first answer."""
        if not select.select([self._told], [], [], 0)[0]:
            return False
        self._told.read(len(worker.READY))
        return True

    def some(self, root: str, folders: Sequence[str]) -> Sequence[Columns | None]:
        """Raises OSError, EOFError when it is gone."""
        worker.send(self._asked, (root, list(folders)))
        return [columns and Columns(*columns) for columns in worker.receive(self._told)]

    def end(self) -> None:
        """It has no work, or is gone already."""
        with suppress(OSError):
            self._asked.close()
        self._process.kill()
        self._process.wait()
        self._told.close()


def processors() -> int:
    """How many processors we may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


CREW = Crew(min(4, processors()) if processors() > 1 and sys.executable else 0)
