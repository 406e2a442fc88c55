"""The file system by one component at a time: no link below the root is ever followed.

Source: reliability.md §7, names and links; I9. Works where the system has `dir_fd`, so not on Windows.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from runner.backends.local.faults import READING, told, unsynced
from runner.model import path as paths
from runner.model.errors import AcdrunError, Blocked, NotFound
from runner.model.node import Node
from runner.model.nodes import Stamp

TRASH = ".acdrun-trash"
"""A folder of this name is ours at any depth, and no listing shows it: one root may lie inside another."""

FOLDER: Stamp = ("folder", 0, None, None)
OTHER: Stamp = ("other", 0, None, None)

Mark = tuple[int, int, int]
"""Device, inode, and when in ns it was last changed, or if it is no file, written to."""

_PASS = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
_LIST = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class Identity(NamedTuple):
    """What a file is under every name it has."""

    dev: int
    ino: int


def identity(seen: os.stat_result) -> Identity:
    """Of what was seen."""
    return Identity(seen.st_dev, seen.st_ino)


def ours(name: str) -> bool:
    """Is this a name that only acdrun makes, and no listing shows?"""
    return name.startswith(".acdrun-") and (name == TRASH or name.endswith(".partial"))


def check_new(path: str) -> None:
    """Refuse a path that we may not make. Raises Blocked."""
    for name in paths.order(path):
        if fault := paths.fault(name):
            raise Blocked(f"{fault} is no part of a path")
        if ours(name):
            raise Blocked(f"the name {name!r} is kept for acdrun's own files")


def open_folder(root: str, path: str, above: list[Identity] | None = None) -> int:
    """Open a folder for listing and for work in it; the caller closes the descriptor.

    above: when given, gets the identity of each folder on the way, the last one too.
    Raises NotFound, Denied; Blocked where a link or a hostile name stands in the way.
    """
    names = paths.order(path)
    try:
        fd = os.open(root, _PASS if names else _LIST)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFound(f"there is no folder {paths.show(root)!r}", hint="is the disk mounted?") from error
    except OSError as error:
        raise told(error) from error
    for left, name in zip(range(len(names) - 1, -1, -1), names, strict=True):
        try:
            if above is not None:
                above.append(identity(os.fstat(fd)))
            if fault := paths.fault(name):
                raise Blocked(f"{fault} is no part of a path")
            below = os.open(name, (_PASS if left else _LIST) | os.O_NOFOLLOW, dir_fd=fd)
        except OSError as error:
            raise _stopped(error, fd, name) from error
        finally:
            let_go(fd)
        fd = below
    if above is not None:
        try:
            above.append(identity(os.fstat(fd)))
        except OSError as error:
            let_go(fd)
            raise told(error) from error
    return fd


def make_all(path: str) -> None:
    """Make a folder and what is missing above it; each outlasts a power cut before there is anything in it.

    Raises FileExistsError when it is no folder.
    """
    above = os.path.dirname(path) or "."
    if not os.path.isdir(above):
        make_all(above)
    try:
        os.mkdir(path)
    except FileExistsError:
        if not os.path.isdir(path):
            raise
    try:
        fd = os.open(above, _LIST)
    except PermissionError:
        return  # one that may be written to and not read cannot be confirmed
    try:
        sync(fd)
    finally:
        let_go(fd)


def let_go(fd: int) -> None:
    """Close what was open for looking: a failure then says nothing about any content."""
    try:  # noqa: SIM105  (`suppress` takes longer than the call)
        os.close(fd)
    except OSError:
        pass


@contextmanager
def folder(root: str, path: str) -> Iterator[int]:
    """Hold a folder open for a block."""
    fd = open_folder(root, path)
    try:
        yield fd
    finally:
        let_go(fd)


def _stopped(error: OSError, fd: int, name: str) -> AcdrunError:
    if isinstance(error, NotADirectoryError) or error.errno == errno.ELOOP:
        try:
            if stat.S_ISLNK(look(fd, name).st_mode):
                return Blocked(f"{paths.show(name)!r} is a link, and links are not followed")
        except OSError:
            pass
        return NotFound(f"{paths.show(name)!r} is no folder")
    return told(error)


def look(fd: int, name: str) -> os.stat_result:
    """What stands under this name itself; a link is seen, not followed."""
    return os.stat(name, dir_fd=fd, follow_symlinks=False)


def look_for(fd: int, name: str) -> os.stat_result | None:
    """As `look`; None when nothing stands there."""
    try:
        with READING:
            return look(fd, name)
    except NotFound:
        return None


def generation(seen: os.stat_result) -> str:
    """One stored state. Each write, rename, link and change of mode moves it: ctime cannot be set back.

    ctime stands behind a "~", for it moves with the name too: see `Node.generation`.
    """
    return f"{seen.st_dev}:{seen.st_ino}:{seen.st_size}:{seen.st_mtime_ns}~{seen.st_ctime_ns}"


def row(seen: os.stat_result) -> tuple[Stamp, Mark]:
    """What is kept of what was seen. A folder has no generation: its times move with its children."""
    kind = stat.S_IFMT(seen.st_mode)
    if kind == stat.S_IFREG:
        stamp: Stamp = ("file", seen.st_size, seen.st_mtime_ns, None)
        return stamp, (seen.st_dev, seen.st_ino, seen.st_ctime_ns)
    return FOLDER if kind == stat.S_IFDIR else OTHER, (seen.st_dev, seen.st_ino, seen.st_mtime_ns)


def made(name: str, stamp: Stamp, mark: Mark) -> Node:
    """The node of a row."""
    kind, size, mtime_ns, _ = stamp
    device, inode, changed_ns = mark
    id_ = f"{device}:{inode}"
    generation = f"{id_}:{size}:{mtime_ns}~{changed_ns}" if kind == "file" else ""
    return Node(name, kind, size, mtime_ns, None, id_, generation, changed_ns)


def node(name: str, seen: os.stat_result) -> Node:
    """The node for what was seen."""
    return made(name, *row(seen))


def sync(fd: int) -> None:
    """Have the disk confirm a file or a folder. Raises NoSpace, Unsynced."""
    try:
        os.fsync(fd)
    except OSError as error:
        raise unsynced(error) from error
