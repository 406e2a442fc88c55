"""Having a disk confirm many files at once.

Where it may be relied on, one `syncfs` stands for an fsync of each file: on ext4 0.12 ms a file instead of 1.8 (250
files of 4 KiB). It may be where the file system makes all of itself durable by it and its errors are told, which
Linux does since 5.8. Source: syncfs(2), "Versions"; linux/magic.h for the kinds.
"""

import ctypes
import os
import re
import sys
from collections.abc import Callable

from runner.backends.local.faults import unsynced

FEW = 16
"""So many files are confirmed one by one: what others write to the same disk is none of our business."""

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
"""More than any struct statfs has; its kind comes first."""

Call = Callable[[int], int]


def _system_call() -> Call | None:
    found = re.match(r"(\d+)\.(\d+)", os.uname().release)
    told = found is not None and (int(found[1]), int(found[2])) >= _SINCE
    return (
        getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
        if sys.platform == "linux" and told
        else None
    )


_CALL = _system_call()


def sync_whole(fd: int) -> None:
    """Have the disk confirm all that was written to the file system of an open folder, by whomever.

    Errors are those since the folder was opened. Raises NoSpace, Unsynced.
    """
    assert _CALL is not None
    if _CALL(fd) != 0:
        code = ctypes.get_errno()
        raise unsynced(OSError(code, os.strerror(code)))


def has_whole(fd: int) -> bool:
    """May `sync_whole` be relied on for the file system of an open folder?"""
    return _CALL is not None and _kind(fd) in _WHOLE


def _kind(fd: int) -> int:
    answer = ctypes.create_string_buffer(_ANSWER_BYTES)
    if ctypes.CDLL(None, use_errno=True).fstatfs(fd, answer) != 0:
        return 0
    return ctypes.c_long.from_buffer(answer).value & 0xFFFFFFFF
