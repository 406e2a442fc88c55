"""Files that only their owner may read: written whole, durably, into a folder that nobody else may enter."""

import contextlib
import os
import re
import secrets as chance
import time
from pathlib import Path

from runner.model.errors import Denied

_NOBODYS_S = 60.0
"""A file on its way that is older than this was left by a process that died: writing one takes no second."""


def write_private(path: Path, text: str) -> None:
    """Put the text at `path`, as `write_whole` does, in a folder that is made, 0700, if need be.

    Raises Denied when others may enter the folder or it is not ours. Source: reliability.md §7.
    """
    private_folder(path.parent)
    write_whole(path, text)


def write_whole(path: Path, text: str) -> None:
    """Put the text at `path`, 0600; after a crash the old file is there or the new one, whole."""
    partial = path.with_name(f".{path.name}.{chance.token_hex(8)}.partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        os.rename(partial, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(partial)
        raise
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def sweep(path: Path) -> None:
    """Remove what processes that died on the way to `path` left beside it: it holds what `path` would."""
    left = re.compile(re.escape(f".{path.name}.") + r"[0-9a-f]{16}\.partial")
    for entry in os.scandir(path.parent):
        if left.fullmatch(entry.name):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - entry.stat(follow_symlinks=False).st_mtime > _NOBODYS_S:
                    os.unlink(entry.path)


def private_folder(folder: Path) -> None:
    """Make the folder if need be. Raises Denied when it is a link, not ours, or open to others."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    seen = os.lstat(folder)
    if folder.is_symlink() or not folder.is_dir() or seen.st_uid != os.geteuid():
        raise Denied(f"the folder {folder} is a link or belongs to another user")
    if seen.st_mode & 0o077:
        raise Denied(f"others may enter the folder {folder}", hint=f"chmod 700 {folder}")
