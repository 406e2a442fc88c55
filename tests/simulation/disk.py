"""A disk that loses power: from what a program asked of it, in order, every state it may be found in.

Until a file is fsynced its content may be whole, empty or torn. Until a folder is fsynced each change of its
names may have reached the disk or not, in any combination; a rename counts for two folders, and happens as a
whole or not at all, as journalling file systems have it. That is more than any one file system allows itself.
"""

import ctypes
import itertools
import os
import random
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple
from unittest import mock

from runner.backends.local import (
    backend,
    carrying,
    copying,
    draft,
    flush,
    landing,
    listing,
    reading,
    rename,
    safe,
    trash,
    untrash,
)

MODULES = (backend, carrying, copying, draft, flush, landing, listing, reading, rename, safe, trash, untrash)
MOST_STATES = 64
"""Of the combinations at one instant; where there are more, chance takes so many of them."""

Content = Literal["whole", "empty", "torn"]


class Names(NamedTuple):
    """One change of names: what goes, what comes, and the folders that must be fsynced for it to be durable."""

    removed: tuple[tuple[int, str], ...]
    added: tuple[tuple[int, str, int], ...]
    folders: frozenset[int]


class Wrote(NamedTuple):
    """Bytes at the end of a file."""

    file: int
    data: bytes


class Synced(NamedTuple):
    """The disk has confirmed a file or a folder, as it was at that moment."""

    what: int
    mtime_ns: int


class Said(NamedTuple):
    """The program was told that something is done; from now on it counts on it."""

    what: str


Event = Names | Wrote | Synced | Said


@dataclass
class Found:
    """What a state shows: content by path, the times of files, and folders; the root is ""."""

    files: dict[str, bytes] = field(default_factory=dict)
    times: dict[str, int] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)

    def build(self, top: Path) -> None:
        """Make it real."""
        for path in sorted(self.folders, key=len):
            (top / path).mkdir(parents=True, exist_ok=True)
            if path.startswith(".acdrun-trash"):
                (top / path).chmod(0o1700)
        for path, data in self.files.items():
            (top / path).write_bytes(data)
            os.utime(top / path, ns=(self.times[path], self.times[path]))


class Disk:
    """Stands in for `os` in the local backend, lets every call through, and remembers what it changed.

    root: the folder that is watched; anything above it is durable, but for the root's own making.
    """

    def __init__(self, root: Path) -> None:
        self.top = root.parent
        self.events: list[Event] = []
        self._lock = threading.RLock()
        self._ids: dict[int, int] = {}
        self._serial = itertools.count(1)
        self._entries: dict[int, dict[str, int]] = {}
        self._contents: dict[int, bytes] = {}
        self._times: dict[int, int] = {}
        self._scan(self.top)
        self._top = self._ids[os.stat(self.top).st_ino]

    def _scan(self, folder: Path) -> int:
        me = self._number(os.lstat(folder).st_ino)
        self._entries[me] = {}
        for path in sorted(folder.iterdir()):
            if path.is_dir() and not path.is_symlink():
                self._entries[me][path.name] = self._scan(path)
            else:
                seen = os.lstat(path)
                number = self._entries[me][path.name] = self._number(seen.st_ino)
                self._contents[number], self._times[number] = path.read_bytes(), seen.st_mtime_ns
        return me

    def _number(self, inode: int, *, fresh: bool = False) -> int:
        if fresh or inode not in self._ids:  # a number that was let go of is given to the next file
            self._ids[inode] = next(self._serial)
        return self._ids[inode]

    def _fd(self, fd: int) -> int:
        return self._number(os.fstat(fd).st_ino)

    def _named(self, fd: int, name: str, *, fresh: bool = False) -> int:
        return self._number(os.stat(name, dir_fd=fd, follow_symlinks=False).st_ino, fresh=fresh)

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def open(self, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        """See os.open."""
        with self._lock:
            fd = os.open(path, flags, mode, dir_fd=dir_fd)
            if flags & os.O_CREAT and dir_fd is not None:
                number = self._number(os.fstat(fd).st_ino, fresh=True)
                self._names((), ((self._fd(dir_fd), os.fspath(path), number),))
                self._contents[number] = b""
            return fd

    def write(self, fd: int, data: Any) -> int:
        """See os.write."""
        with self._lock:
            count = os.write(fd, data)
            self.events.append(Wrote(self._fd(fd), bytes(data)[:count]))
            return count

    def fsync(self, fd: int) -> None:
        """See os.fsync."""
        with self._lock:
            self.events.append(Synced(self._fd(fd), os.fstat(fd).st_mtime_ns))

    def syncfs(self) -> None:
        """The disk has confirmed every file and folder at once."""
        with self._lock:
            self.events.append(Synced(self._top, 0))
            for folder, names, files in os.walk(self.top):
                for name in names + files:
                    seen = os.lstat(os.path.join(folder, name))
                    self.events.append(Synced(self._number(seen.st_ino), seen.st_mtime_ns))

    def rename(self, name: Any, to: Any, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        """See os.rename."""
        with self._lock:
            os.rename(name, to, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)
            self._renamed(src_dir_fd, name, dst_dir_fd, to)

    def _renamed(self, source: int, name: str, target: int, to: str) -> None:
        here, there = self._fd(source), self._fd(target)
        self._names(((here, name),), ((there, to, self._named(target, to)),))

    def _exchanged(self, source: int, name: str, target: int, to: str) -> None:
        here, there = self._fd(source), self._fd(target)
        swapped = (here, name, self._named(source, name)), (there, to, self._named(target, to))
        self._names(((here, name), (there, to)), swapped)

    def link(self, name: Any, to: Any, *, src_dir_fd: int, dst_dir_fd: int, follow_symlinks: bool) -> None:
        """See os.link."""
        with self._lock:
            os.link(name, to, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd, follow_symlinks=follow_symlinks)
            self._names((), ((self._fd(dst_dir_fd), to, self._named(dst_dir_fd, to)),))

    def unlink(self, name: Any, *, dir_fd: int) -> None:
        """See os.unlink."""
        with self._lock:
            os.unlink(name, dir_fd=dir_fd)
            self._names(((self._fd(dir_fd), name),), ())

    def mkdir(self, path: Any, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        """See os.mkdir."""
        with self._lock:
            os.mkdir(path, mode, dir_fd=dir_fd)
            above = os.stat(os.path.dirname(path)).st_ino if dir_fd is None else os.fstat(dir_fd).st_ino
            here = os.stat(path, dir_fd=dir_fd, follow_symlinks=False).st_ino
            number = self._number(here, fresh=True)
            self._entries[number] = {}
            self._names((), ((self._number(above), os.path.basename(path), number),))

    def makedirs(self, path: Any, mode: int = 0o777, exist_ok: bool = False) -> None:
        """See os.makedirs."""
        with self._lock:
            if not os.path.isdir(os.path.dirname(path)):
                self.makedirs(os.path.dirname(path), mode, exist_ok)
            if not (exist_ok and os.path.isdir(path)):
                self.mkdir(path, mode)

    def _names(self, removed: tuple[tuple[int, str], ...], added: tuple[tuple[int, str, int], ...]) -> None:
        folders = frozenset([folder for folder, _ in removed] + [folder for folder, _, _ in added])
        self.events.append(Names(removed, added, folders))

    def said(self, what: str) -> None:
        """The program was told so."""
        with self._lock:
            self.events.append(Said(what))

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Take the place of `os` in the local backend, and of its two direct system calls."""
        call = rename._CALL

        def renamed(source: int, name: bytes, target: int, to: bytes, flag: int) -> int:
            assert call is not None
            with self._lock:
                code = call(source, name, target, to, flag)
                if code == 0 and flag == rename._EXCHANGE:
                    self._exchanged(source, os.fsdecode(name), target, os.fsdecode(to))
                elif code == 0:
                    self._renamed(source, os.fsdecode(name), target, os.fsdecode(to))
                else:
                    ctypes.set_errno(ctypes.get_errno())
                return code

        def syncfs(fd: int) -> int:
            self.syncfs()
            return 0

        with ExitStack() as stack:
            stack.enter_context(mock.patch.object(flush, "_CALL", syncfs))
            stack.enter_context(mock.patch.object(carrying, "_share", lambda source, target: False))
            for module in MODULES:
                stack.enter_context(mock.patch.object(module, "os", self))
            if call is not None:
                stack.enter_context(mock.patch.object(rename, "_CALL", renamed))
            yield

    def states(self, upto: int, chance: random.Random) -> Iterator[Found]:
        """What may be found after a power cut once the first `upto` events were asked for."""
        past = self.events[:upto]
        loose: list[int] = []
        for number, event in enumerate(past):
            if isinstance(event, Names):
                after = {e.what for e in past[number:] if isinstance(e, Synced)}
                if not event.folders <= after:
                    loose.append(number)
        soft = sorted(self._unsynced(past))
        fates: list[Content] = ["whole", "empty", "torn"]
        if 2 ** len(loose) * 3 ** len(soft) <= MOST_STATES:
            for kept in itertools.product((True, False), repeat=len(loose)):
                for each in itertools.product(fates, repeat=len(soft)):
                    lost = {number for number, stays in zip(loose, kept, strict=True) if not stays}
                    yield self._state(past, lost, dict(zip(soft, each, strict=True)))
            return
        yield self._state(past, set(loose), dict.fromkeys(soft, "empty"))
        for _ in range(MOST_STATES):
            lost = {number for number in loose if chance.random() < 0.5}
            yield self._state(past, lost, {number: chance.choice(fates) for number in soft})

    @staticmethod
    def _unsynced(past: list[Event]) -> set[int]:
        soft: set[int] = set()
        for event in past:
            if isinstance(event, Wrote):
                soft.add(event.file)
            elif isinstance(event, Synced):
                soft.discard(event.what)
        return soft

    def _state(self, past: list[Event], lost: set[int], fates: dict[int, Content]) -> Found:
        entries = {folder: dict(names) for folder, names in self._before.items()}
        contents, times = dict(self._old), dict(self._times)
        for number, event in enumerate(past):
            if isinstance(event, Wrote):
                contents[event.file] = contents.get(event.file, b"") + event.data
            elif isinstance(event, Synced):
                times[event.what] = event.mtime_ns
            elif isinstance(event, Names) and number not in lost:
                for folder, name in event.removed:
                    entries.setdefault(folder, {}).pop(name, None)
                for folder, name, what in event.added:
                    entries.setdefault(folder, {})[name] = what
        for file, fate in fates.items():
            data = contents.get(file, b"")
            contents[file] = {"whole": data, "empty": b"", "torn": data[: len(data) // 2]}[fate]
        return self._found(entries, contents, times)

    def begin(self) -> None:
        """What is there now is durable; from here on every change is remembered."""
        self._before = {folder: dict(names) for folder, names in self._entries.items()}
        self._old = dict(self._contents)

    def _found(
        self, entries: dict[int, dict[str, int]], contents: dict[int, bytes], times: dict[int, int]
    ) -> Found:
        found, stack = Found(), [("", self._top)]
        while stack:
            above, folder = stack.pop()
            for name, what in entries.get(folder, {}).items():
                path = f"{above}/{name}" if above else name
                if what in self._entries:
                    found.folders.add(path)
                    stack.append((path, what))
                else:
                    found.files[path] = contents.get(what, b"")
                    found.times[path] = times.get(what, 0)
        return found
