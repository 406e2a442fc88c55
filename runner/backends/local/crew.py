"""Processes beside this one that list folders, and read, copy and store small files.

Threads do not help: each system call hands the interpreter's lock over. Workers are shared by all disks, hired when
there turns out to be much to do or is known to be, and end with the last disk, or with this process, whose end of the
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
from typing import IO, Any

import runner
from runner.backends.local import worker

_PIPE = 1 << 20
"""Bytes in a pipe: a question or an answer does not wait for its reader."""

_START = "import sys; sys.path.insert(0, sys.argv[1]); from runner.backends.local.worker import main; main()"


class Crew:
    """A few workers, for any number of threads. most: how many; without any, whoever asks works itself."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._changed = threading.Condition()
        self._free: list[Worker] = []
        self._coming: list[Worker] = []
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
        """Within this there are workers, or they are on their way: for what is known to be much."""
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

    def take(self, patience_s: float | None) -> "Worker | None":
        """One that has nothing to do; None when there is none, or all are busy for longer than that."""
        with self._changed:
            ready = [one for one in self._coming if one.ready()]
            self._coming = [one for one in self._coming if one not in ready]
            self._free += ready
            if not self._free and self._hired < self._most:
                self._hire()
            self._changed.wait_for(lambda: self._free or self._hired == len(self._coming), patience_s)
            return self._free.pop() if self._free else None

    def give(self, one: "Worker") -> None:
        """It has done its work."""
        with self._changed:
            if self._disks:
                self._free.append(one)
                self._changed.notify()
                return
        self.drop(one)

    def drop(self, one: "Worker") -> None:
        """It is no longer wanted, or gone."""
        with self._changed:
            self._hired -= 1
            self._changed.notify_all()
        one.end()

    def _hire(self) -> None:
        try:
            self._coming.append(Worker())
        except OSError:
            self._most = self._hired  # there is no room for another process
        else:
            self._hired += 1


class Worker:
    """One process. It gets nothing of ours but the pipe."""

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
        for pipe in (self._asked, self._told):
            with suppress(AttributeError, OSError):  # Linux has it, and up to a limit
                fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE)

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

    def ask(self, question: Sequence[Any]) -> Any:
        """Raises OSError, EOFError when it is gone."""
        worker.send(self._asked, question)
        return worker.receive(self._told)

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
