"""The content of files: one file per node and content version, in place before the commit that shows it.

content/ab/abCD...22.3     content of node abCD..., third version
uploads/                   content that still arrives; swept at start
uploads/intent             names that a commit is about to add or to drop; see `settle`
"""

import contextlib
import ctypes
import os
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

# Up to this many files an fsync each is cheaper than one of the whole file system (measured: one file 0.5 and
# 1 ms, two files 2.8 and 1 ms).
FEW = 1
_NAME = re.compile(r"[A-Za-z0-9_-]{22}\.\d+", re.ASCII)


@dataclass(slots=True)
class Stored:
    """Content that has wholly arrived: held in memory when small, else in a temporary file."""

    size: int
    md5: str
    data: bytes | None = None
    temp: str | None = None

    def discard(self) -> None:
        """Forget the content; a temporary file that was put in place is no longer there to remove."""
        if self.temp is not None:
            _remove(self.temp)


class Shelf:
    """Reads and writes content files below one folder."""

    def __init__(self, folder: Path) -> None:
        self.content = folder / "content"
        self.uploads = folder / "uploads"
        self.intent = self.uploads / "intent"
        for path in (self.content, self.uploads):
            path.mkdir(parents=True, exist_ok=True)
        self._intent = os.open(self.intent, os.O_CREAT | os.O_RDWR, 0o600)
        self._folders = {entry.name for entry in os.scandir(self.content) if entry.is_dir()}
        self._arrived = 0
        self._grew = False
        self._sync_all = _file_system_sync(self.content)

    def path(self, name: str) -> str:
        """Return where the content called `name` (node id, dot, content version) stands."""
        return f"{self.content}/{name[:2]}/{name}"

    def temporary(self) -> str:
        """Return a fresh name for content that is arriving."""
        self._arrived += 1
        return f"{self.uploads}/{self._arrived}"

    def place(self, wanted: list[tuple[str, Stored]], replaced: list[str]) -> None:
        """Put all wanted content in place; `sync` it before the commit that shows it.

        replaced: names that the same commit makes useless; `drop` them after it.
        """
        # Left there after the commit: `settle` asks the rows, and a rewrite is cheaper than a removal.
        names = "\n".join([name for name, _ in wanted] + replaced).encode()
        os.pwrite(self._intent, names, 0)
        os.ftruncate(self._intent, len(names))
        for name, stored in wanted:
            if name[:2] not in self._folders:
                os.makedirs(f"{self.content}/{name[:2]}", exist_ok=True)
                self._folders.add(name[:2])
                self._grew = True
            if stored.temp is not None:
                os.rename(stored.temp, self.path(name))
            elif stored.data is not None:
                _create(self.path(name), stored.data)  # nobody looks for it before the commit

    def sync(self, names: list[str]) -> None:
        """Make content that was put in place durable; blocks until the disk has it."""
        if len(names) > FEW and self._sync_all is not None:
            self._sync_all()
            return
        for name in names:
            _sync(self.path(name))
        for folder in {name[:2] for name in names}:
            _sync(f"{self.content}/{folder}")
        if self._grew:
            _sync(str(self.content))
            self._grew = False

    def drop(self, names: Iterable[str]) -> None:
        """Remove content that no row names any more."""
        for name in names:
            _remove(self.path(name))

    def undo(self, wanted: list[tuple[str, Stored]]) -> None:
        """Take back what `place` did, or half did, for a failed commit; it can be placed again."""
        for name, stored in wanted:
            if stored.temp is None:
                _remove(self.path(name))
            elif os.path.exists(self.path(name)):
                os.rename(self.path(name), stored.temp)

    def close(self) -> None:
        """Let go of the folder."""
        os.close(self._intent)

    def settle(self, wanted: Callable[[str], bool]) -> None:
        """Clear what an ended process left: half uploads, and content placed or replaced by a lost commit.

        wanted: whether a row names this content.
        """
        names = self.intent.read_text("ascii", "replace").split("\n")
        self.drop(name for name in names if _NAME.fullmatch(name) and not wanted(name))
        for entry in os.scandir(self.uploads):
            if entry.name != self.intent.name:
                os.unlink(entry.path)


def _create(path: str, data: bytes) -> None:
    # Truncated: what a commit that could not be taken back left there is nobody's.
    descriptor = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    try:
        write_all(descriptor, data)
    except OSError:
        os.unlink(path)
        raise
    finally:
        os.close(descriptor)


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def _sync(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_all(descriptor: int, data: bytes | bytearray) -> None:
    """Write everything, in as many steps as the system wants."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _file_system_sync(folder: Path) -> Callable[[], None] | None:
    """Return a call that makes the folder's whole file system durable, or None where there is none.

    Source: syncfs(2); since Linux 5.8 it reports write errors as fsync does.
    """
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, "syncfs"):
        return None

    def sync() -> None:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            if library.syncfs(descriptor) != 0:
                code = ctypes.get_errno()
                raise OSError(code, os.strerror(code), str(folder))
        finally:
            os.close(descriptor)

    return sync
