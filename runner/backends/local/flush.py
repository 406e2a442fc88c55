"""Having a disk confirm many files at once.

Where it may be relied on, one `syncfs` stands for an fsync of each file: on ext4 0.12 ms a file instead of 1.8 (250
files of 4 KiB). It may be where the file system makes all of itself durable by it and its errors are told, which
Linux does since 5.8. Source: syncfs(2), "Versions"; linux/magic.h for the kinds.
"""

import ctypes
import os
import re
import resource
import sys
from collections.abc import Callable, Collection, Sequence

from runner.backends.local.faults import unsynced
from runner.backends.local.safe import sync

FEW = 16
"""So many are confirmed one by one: what others have written to the same disk is none of our business."""

MOST_OPEN = 500
"""Files that are open until they have been confirmed; fewer where a process may not have as many."""

_WHOLE = {
    0xEF53: "ext4",
    0x58465342: "xfs",
    0x9123683E: "btrfs",
    0xF2F52010: "f2fs",
    0x01021994: "tmpfs",
}
"""Not among them: what answers without asking the server or process behind it, such as FUSE."""

_SINCE = (5, 8)
_ANSWER_BYTES = 512
"""More than any struct statfs has; the kind comes first in it."""


def _system_calls() -> tuple[Callable[[int], int] | None, Callable[..., int] | None]:
    found = re.match(r"(\d+)\.(\d+)", os.uname().release)
    if sys.platform != "linux" or found is None or (int(found[1]), int(found[2])) < _SINCE:
        return None, None
    library = ctypes.CDLL(None, use_errno=True)
    return getattr(library, "syncfs", None), getattr(library, "fstatfs", None)


_CALL, _ASK = _system_calls()


def most_open() -> int:
    """How many files may wait for their confirmation at a time."""
    return max(1, min(MOST_OPEN, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2))


def sync_all(groups: Collection[Sequence[int]]) -> None:
    """Have the disk confirm open files or folders. Raises NoSpace, Unsynced.

    groups: each of what is surely on one file system, such as the files of one folder, the first opened first.
    """
    disks: dict[int, list[int]] = {}
    for some in groups:
        try:
            disks.setdefault(os.fstat(some[0]).st_dev, []).extend(some)
        except OSError as error:
            raise unsynced(error) from error
    for fds in disks.values():
        if len(fds) <= FEW or _CALL is None or not _whole(fds[0]) or _CALL(fds[0]) != 0:
            for fd in fds:  # after an error too: each of them says whether it was meant
                sync(fd)


def _whole(fd: int) -> bool:
    if _ASK is None:
        return False
    answer = ctypes.create_string_buffer(_ANSWER_BYTES)
    return _ASK(fd, answer) == 0 and ctypes.c_long.from_buffer(answer).value & 0xFFFFFFFF in _WHOLE
