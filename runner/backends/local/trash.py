"""The trash of a local remote: removed and replaced files, under their old paths, run by run.

`.acdrun-trash/<run>/<path>` at the root. What would meet a file trashed earlier goes to `<run>.2`, `<run>.3`
and so on, so names in the trash are never altered and nothing in it is ever replaced. Where the root's file
system is not the file's own, the trash of the file's folder is used: trashing is a rename, never a copy.
Folders that we make on the way ("rooms") carry the sticky bit, which tells them from folders that were trashed.
"""

import errno
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from threading import Lock

from runner.backends.local.faults import told
from runner.backends.local.rename import link_new, rename_new
from runner.backends.local.safe import TRASH, identity, let_go, look, look_for, open_folder, sync
from runner.model import path as paths
from runner.model.errors import Blocked, NotFound, Stale

_ROOM = 0o1700


class Trash:
    """What one run takes away from one root."""

    def __init__(self, root: str, run: str) -> None:
        self._root = root
        self._run = run.replace("/", "-") or "run"
        self._making = Lock()  # who finds a room may rely on it: its maker has had it confirmed by the disk

    def take(self, fd: int, path: str, seen: os.stat_result) -> str:
        """Rename the file or folder `path` of the open folder `fd` into the trash; return its path there.

        Raises Stale, and puts it back, when it is not what was `seen`.
        """
        name = paths.name(path)

        def move(room: int, name_there: str) -> None:
            rename_new(fd, name, room, name_there)
            taken = look(room, name_there)
            if not alike(taken, seen):
                rename_new(room, name_there, fd, name)
                raise Stale("replaced while it was trashed")
            sync(room)

        return self._into(path, move)

    def keep(self, fd: int, path: str, seen: os.stat_result) -> str:
        """Give the file a second name in the trash, for it is about to be replaced; return its path there.

        Where there are no second names the file is renamed. A link of the same file from an attempt that
        died is used again. Raises Stale when it is not what was `seen`.
        """
        name = paths.name(path)

        def link(room: int, name_there: str) -> None:
            renamed = False
            try:
                if not link_new(fd, name, room, name_there):
                    rename_new(fd, name, room, name_there)
                    renamed = True
            except FileExistsError:
                if identity(look(room, name_there)) != identity(seen):
                    raise
            try:
                if not alike(look(room, name_there), seen):
                    raise Stale("replaced while it was kept")
                sync(room)
            except BaseException:
                if renamed:
                    rename_new(room, name_there, fd, name)
                raise

        return self._into(path, link)

    def give_back(self, where: str, fd: int, name: str) -> None:
        """Undo a `keep` that had to rename; one that linked stays, for the next attempt to use."""
        if look_for(fd, name) is None:
            room = open_folder(self._root, paths.parent(where))
            try:
                rename_new(room, paths.name(where), fd, name)
            finally:
                let_go(room)

    def holds(self, path: str, seen: os.stat_result) -> bool:
        """Is this file in this run's trash already, so that its ctime moved by our own doing?"""
        where = paths.join(paths.join(TRASH, self._run), path)
        try:
            fd = open_folder(self._root, paths.parent(where))
        except NotFound:
            return False
        try:
            return alike(look(fd, paths.name(where)), seen)
        except FileNotFoundError:
            return False
        finally:
            let_go(fd)

    def _into(self, path: str, act: Callable[[int, str], None]) -> str:
        try:
            return self._place("", path, act)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise told(error, writing=True) from error
        try:
            return self._place(paths.parent(path), paths.name(path), act)
        except OSError as error:
            raise told(error, writing=True) from error

    def _place(self, top: str, path: str, act: Callable[[int, str], None]) -> str:
        for attempt in count(1):
            run = self._run if attempt == 1 else f"{self._run}.{attempt}"
            where = "/".join(filter(None, (top, TRASH, run, path)))
            try:
                room = self._room(top, paths.parent(where))
            except NotADirectoryError:  # a file was trashed under the name that is a folder now
                continue
            try:
                act(room, paths.name(where))
            except FileExistsError:
                continue
            finally:
                let_go(room)
            return where
        raise AssertionError("count does not end")

    def _room(self, top: str, where: str) -> int:
        """Open a folder of the trash, made as needed for us alone: what was private stays private."""
        fd = open_folder(self._root, top)
        marked = False
        for number, name in enumerate(paths.order(where)[len(paths.order(top)) :]):
            try:
                with self._making, suppress(FileExistsError):
                    os.mkdir(name, _ROOM, dir_fd=fd)
                    sync(fd)
                below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
            except NotADirectoryError as error:
                if name == TRASH:
                    raise Blocked(f"{TRASH!r} is in the way: it is no folder") from error
                raise
            finally:
                let_go(fd)
            fd = below
            try:
                room = is_room(os.fstat(fd))
                if number == 1:
                    marked = room  # the run's own folder is ours: without a mark, this disk keeps none
                elif marked and not room:
                    raise NotADirectoryError(errno.ENOTDIR, "what was trashed is no place for others")
            except BaseException:
                let_go(fd)
                raise
        return fd


def is_room(seen: os.stat_result) -> bool:
    """Is it a folder of the trash that we made, and none that was trashed?"""
    return stat.S_ISDIR(seen.st_mode) and stat.S_IMODE(seen.st_mode) == _ROOM


def alike(one: os.stat_result, other: os.stat_result) -> bool:
    """Are these the same file in the same state? ctime is left out: renaming and linking move it."""
    if identity(one) != identity(other):
        return False
    if stat.S_ISDIR(one.st_mode):  # its times move with its children
        return True
    return (one.st_size, one.st_mtime_ns) == (other.st_size, other.st_mtime_ns)
