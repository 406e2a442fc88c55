"""Renaming that never replaces what is there, and exchanging two names."""

import ctypes
import errno
import os
import stat
import sys
from collections.abc import Callable

from runner.backends.local.safe import look

_NOREPLACE = {"linux": ("renameat2", 1), "darwin": ("renameatx_np", 4)}
"""The call and its flag: linux/fs.h RENAME_NOREPLACE, sys/stdio.h RENAME_EXCL."""

_EXCHANGE = 2
"""The flag on both systems: RENAME_EXCHANGE, RENAME_SWAP."""

_NOT_HERE = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP)
_NO_LINKS = (errno.EPERM, errno.EMLINK, *_NOT_HERE)

Call = Callable[[int, bytes, int, bytes, int], int]


def _system_call() -> tuple[Call | None, int]:
    name, flag = _NOREPLACE.get(sys.platform, ("", 0))
    call = getattr(ctypes.CDLL(None, use_errno=True), name, None) if name else None
    if call is not None:
        call.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint]
    return call, flag


_CALL, _FLAG = _system_call()


def rename_new(source: int, name: str, target: int, to: str) -> None:
    """Move a name from one open folder to another. Raises FileExistsError when the new name is taken.

    One step where system and file system know one; else a second link for files; else a look before it.
    """
    if _CALL is not None:
        if _CALL(source, os.fsencode(name), target, os.fsencode(to), _FLAG) == 0:
            return
        code = ctypes.get_errno()
        if code not in _NOT_HERE:
            raise OSError(code, os.strerror(code))
    if stat.S_ISREG(look(source, name).st_mode) and link_new(source, name, target, to):
        os.unlink(name, dir_fd=source)
        return
    try:
        look(target, to)
    except FileNotFoundError:
        os.rename(name, to, src_dir_fd=source, dst_dir_fd=target)
    else:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))


def swap(fd: int, one: str, other: str) -> bool:
    """Exchange two names of a folder in one step; False where there is no such step. Raises FileNotFoundError."""
    if _CALL is None:
        return False
    if _CALL(fd, os.fsencode(one), fd, os.fsencode(other), _EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in _NOT_HERE:
        return False
    raise OSError(code, os.strerror(code))


def link_new(source: int, name: str, target: int, to: str) -> bool:
    """Give a file a second name; False where the file system has no such thing. Raises FileExistsError."""
    try:
        os.link(name, to, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)
    except OSError as error:
        if error.errno in _NO_LINKS:
            return False
        raise
    return True
