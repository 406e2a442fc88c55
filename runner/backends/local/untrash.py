"""Looking into the trash of a local remote, and taking things out of it again."""

import errno
import os
from collections.abc import Iterator

from runner.backends.local import safe
from runner.backends.local.faults import READING, WRITING
from runner.backends.local.rename import rename_new
from runner.backends.local.safe import TRASH
from runner.backends.local.trash import is_room
from runner.model import path as paths
from runner.model.backend import Trashed
from runner.model.errors import AcdrunError, Exists, NotFound


def found(root: str, folder: str) -> Iterator[list[Trashed]]:
    """Yield, trash by trash, what lay in `folder` or below it.

    Where names cannot be moved to the root's trash (another file system) there are others, each in the folder
    that the file was in, so the folders below are looked through too; what cannot be read there is passed over.
    """
    above = paths.order(folder)
    places = ["/".join(above[:depth]) for depth in range(len(above) + 1)]
    seen = set(places)
    while places:
        place = places.pop()
        with safe.folder(root, "") as top:
            entries = _names(top, place)
        for name, is_folder in entries:
            if name == TRASH and is_folder:
                yield [entry for entry in _inside(root, place) if paths.within(entry.path or "", folder)]
            elif is_folder and paths.within(place, folder):
                below = paths.join(place, name)
                if below not in seen:
                    seen.add(below)
                    places.append(below)


def _names(top: int, place: str) -> list[tuple[str, bool]]:
    """Entries of a folder, and which are folders themselves; none when it cannot be looked into."""
    try:
        fd = os.open(place or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=top)
    except OSError:
        return []
    try:
        with os.scandir(fd) as entries:
            return [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    except OSError:
        return []
    finally:
        safe.let_go(fd)


def _inside(root: str, place: str) -> Iterator[Trashed]:
    trash = paths.join(place, TRASH)
    rooms = [(paths.join(trash, run), place) for run in _children(root, trash)]
    while rooms:
        room, stood = rooms.pop()
        for name, seen in _children(root, room).items():
            where, path = paths.join(room, name), paths.join(stood, name)
            if is_room(seen):
                rooms.append((where, path))
            else:
                yield Trashed(where, path, safe.node(name, seen), seen.st_ctime_ns)


def _children(root: str, folder: str) -> dict[str, os.stat_result]:
    children: dict[str, os.stat_result] = {}
    with safe.folder(root, folder) as fd, READING:
        for name in os.listdir(fd):
            try:
                children[name] = safe.look(fd, name)
            except FileNotFoundError:
                continue
    return children


def kept(root: str, ref: str) -> Trashed:
    """What the trash holds at `ref`."""
    path = _stood(ref)
    with safe.folder(root, paths.parent(ref)) as room:
        seen = safe.look_for(room, paths.name(ref))
    if seen is None or is_room(seen):
        raise NotFound(f"{paths.show(ref)!r} is not in the trash")
    return Trashed(ref, path, safe.node(paths.name(ref), seen), seen.st_ctime_ns)


def _stood(ref: str) -> str:
    """Where it was before it was trashed."""
    parts = paths.order(ref)
    if TRASH not in parts or len(parts) < parts.index(TRASH) + 3 or any(map(paths.fault, parts)):
        raise NotFound(f"{paths.show(ref)!r} is no path in the trash")
    place = parts.index(TRASH)
    return "/".join(parts[:place] + parts[place + 2 :])


def give_back(root: str, ref: str, to: str | None) -> str:
    """Rename what the trash holds at `ref` to where it was, or to `to`; return where that is."""
    path = _stood(ref)
    if to is not None:
        path = to
    safe.check_new(path)
    above = paths.parent(path)
    with safe.folder(root, paths.parent(ref)) as room, WRITING:
        if safe.look_for(room, paths.name(ref)) is None:
            raise NotFound(f"{paths.show(ref)!r} is not in the trash")
        try:
            fd = safe.open_folder(root, above)
        except NotFound as error:
            raise NotFound(f"its folder {paths.show(above)!r} is not there") from error
        try:
            _rename(room, paths.name(ref), fd, paths.name(path))
            safe.sync(fd)
            safe.sync(room)
        finally:
            safe.let_go(fd)
    return path


def _rename(room: int, name: str, fd: int, to: str) -> None:
    try:
        rename_new(room, name, fd, to)
    except FileExistsError as error:
        raise Exists("something is there already") from error
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        hint = "move it by hand: it lies on another file system than the folder it is to go to"
        raise AcdrunError("it cannot be renamed to there", hint=hint) from error
