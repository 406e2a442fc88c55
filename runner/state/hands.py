"""Processes that write for a run, and how nobody else begins before they have ended.

A run's lock goes with its process. One that writes in its place may live a moment longer, so while it does it shares a
second lock beside each that the run holds; who wants the first one then waits for the second.
"""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_held: set[str] = set()


def beside(lock: Path) -> Path:
    """The second lock of a lock."""
    return lock.with_suffix(".hands")


@contextmanager
def holding(lock: Path) -> Iterator[None]:
    """Within this, a run of this process holds the lock."""
    path = os.fspath(beside(lock).absolute())
    _held.add(path)
    try:
        yield
    finally:
        _held.discard(path)


def held() -> Sequence[str]:
    """The second locks of all that this process holds, for those that write in its place."""
    return sorted(_held)


@contextmanager
def sharing(paths: Sequence[str], parent: int) -> Iterator[None]:
    """Within this, nobody else gets what the parent holds, whatever becomes of that. Raises OSError, EOFError.

    parent: its process id. A parent that is there after we have got the second locks held the first ones until then.
    """
    files = list[int]()
    try:
        for path in paths:
            files.append(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
            fcntl.flock(files[-1], fcntl.LOCK_SH | fcntl.LOCK_NB)
        if os.getppid() != parent:
            raise EOFError("nobody waits for this any more")
        yield
    finally:
        for file in files:
            os.close(file)
