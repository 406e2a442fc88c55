"""The children of a folder of a disk, looked at once each and kept as packed columns."""

import marshal
import os
import stat
from collections.abc import Collection, Iterator, Sequence
from itertools import starmap
from operator import itemgetter
from typing import NamedTuple

from runner.backends.local import safe
from runner.backends.local.faults import READING
from runner.backends.local.safe import FOLDER, OTHER, Identity, Mark, made, ours
from runner.model import path as paths
from runner.model.node import Kind, Node
from runner.model.nodes import Nodes, Stamp, State

_VERSION = 2
"""Of marshal's format: it writes equal values alike. Later ones look at who else refers to them."""

_LIGHT = 8
"""Packed files take about as much memory as one node."""

Row = tuple[str, Stamp, Mark]
_File = tuple[str, int, int, int, int, int]
"""Name, size, mtime_ns, and its mark."""

_name = itemgetter(0)


class Columns(NamedTuple):
    """The children of one folder as plain values, which also go from one process to another.

    folder: its device and inode. names: of its files, sorted, with "/" between them; stamps: their sizes and
    times; marks: what else makes their generations. number, size: of the files together. rest: folders, and
    what is neither, sorted. faulty: names that can be no part of a path. partial: names of temporary files of
    ours, which are none of the children. twins: all children, where a name came twice; then nothing else is said.
    """

    folder: str
    names: str
    stamps: bytes
    marks: bytes
    number: int
    size: int
    rest: list[Row]
    faulty: list[str]
    partial: list[str]
    twins: list[Row]

    def nodes(self) -> Sequence[Node]:
        """The children; a name that came twice is for the walk to judge."""
        return [made(*row) for row in self.twins] if self.twins else _Packed(self)

    def rows(self) -> list[Row]:
        """The children unpacked, files first."""
        if not self.number:
            return self.rest
        names = self.names.split("/")
        files = zip(names, *_unpacked(self.stamps), *_unpacked(self.marks), strict=True)
        return [_row(file) for file in files] + self.rest


def look(root: str, folder: str) -> Columns:
    """Look at the children of a folder.

    A folder that is one of those above it is a mount that leads back up and has no end, so it counts as "other".
    Raises what `safe.open_folder` raises, and Denied and its like when an entry cannot be looked at: it might be
    anything.
    """
    above: list[Identity] = []
    fd = safe.open_folder(root, folder, above)
    try:
        with READING:
            return _columns(fd, above)
    finally:
        safe.let_go(fd)


def _columns(fd: int, above: Sequence[Identity]) -> Columns:
    files: list[_File] = []
    rest: list[Row] = []
    partial: list[str] = []
    with os.scandir(fd) as entries:
        for entry in entries:
            name = entry.name
            if name[0] == "." and ours(name):
                partial.append(name)
                continue
            try:
                seen = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if stat.S_ISREG(seen.st_mode):
                files.append(
                    (name, seen.st_size, seen.st_mtime_ns, seen.st_dev, seen.st_ino, seen.st_ctime_ns)
                )
                continue
            stamp, mark = safe.row(seen)
            if stamp is FOLDER and safe.identity(seen) in above:
                stamp = OTHER
            rest.append((name, stamp, mark))
    files.sort(key=_name)
    rest.sort(key=_name)
    return _packed(f"{above[-1].dev}:{above[-1].ino}", files, rest, partial)


def _packed(folder: str, files: list[_File], rest: list[Row], partial: list[str]) -> Columns:
    names, sizes, times, devices, inodes, changes = zip(*files, strict=True) if files else ((),) * 6
    every = [*names, *map(_name, rest)] if rest else names
    if len(set(every)) < len(every):
        return Columns(folder, "", b"", b"", 0, 0, [], [], partial, [*map(_row, files), *rest])
    return Columns(
        folder,
        "/".join(names),
        marshal.dumps((sizes, times), _VERSION),
        marshal.dumps((devices, inodes, changes), _VERSION),
        len(files),
        sum(sizes),
        rest,
        paths.faulty(every),
        partial,
        [],
    )


def _unpacked(column: bytes) -> Sequence[Sequence[int]]:
    return marshal.loads(column)  # type: ignore[no-any-return]  # noqa: S302  (our own)


def _row(file: _File) -> Row:
    name, size, mtime_ns, device, inode, changed_ns = file
    return name, ("file", size, mtime_ns, None), (device, inode, changed_ns)


class _Packed(Nodes):
    """Columns that are unpacked when somebody asks for a name."""

    __slots__ = ("_columns",)

    def __init__(self, columns: Columns) -> None:
        super().__init__({}, _Rows(columns))
        self._columns = columns

    @property
    def stamps(self) -> dict[str, Stamp]:
        if not self._stamps:
            self._stamps = {name: stamp for name, stamp, _ in self._columns.rows()}
        return self._stamps

    def __len__(self) -> int:
        return self._columns.number + len(self._columns.rest)

    def __iter__(self) -> Iterator[Node]:
        if self._stamps:
            return super().__iter__()
        rows = sorted(self._columns.rows(), key=_name)
        return starmap(made, rows)  # unpacked once, and not by their names

    def has(self, name: str) -> bool:
        columns = self._columns
        return name in map(_name, columns.rest) or (name in columns.names and name in self.stamps)

    def weight(self) -> int:
        return len(self) if self._stamps else self._columns.number // _LIGHT + len(self._columns.rest)

    def faulty(self) -> list[str]:
        return self._columns.faulty

    def same(self, other: Nodes) -> bool:
        if not isinstance(other, _Packed):
            return super().same(other)
        one, two = self._columns, other._columns
        if one.stamps != two.stamps or one.names != two.names:
            return False
        return [row[:2] for row in one.rest] == [row[:2] for row in two.rest]

    def timed(self) -> bool:
        return True

    def digests(self, algorithm: str) -> dict[str, str]:
        return {}

    def digest(self, algorithm: str) -> bytes:
        return b""

    def number(self, kind: Kind) -> int:
        if kind == "file":
            return self._columns.number
        return sum(stamp[0] == kind for _, stamp, _ in self._columns.rest)

    def names(self, kind: Kind) -> list[str]:
        if kind == "file":
            return self._columns.names.split("/") if self._columns.number else []
        return [name for name, stamp, _ in self._columns.rest if stamp[0] == kind]

    def files(self) -> Collection[str]:
        return self.names("file")

    def sizes(self) -> Sequence[int]:
        return _unpacked(self._columns.stamps)[0] if self._columns.number else ()

    def size(self) -> int:
        return self._columns.size

    def state(self) -> State:
        columns = self._columns
        names = columns.names.encode("utf-8", "surrogatepass")
        return _state(columns.folder, b"\0".join((names, columns.stamps, columns.marks)))


class _Rows:
    """The columns, out of which it makes the node of a name."""

    __slots__ = ("_columns", "_rows")

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._rows: dict[str, Row] = {}

    def node(self, name: str) -> Node:
        return made(*self._by_name()[name])

    def state(self, files: Collection[str]) -> State:
        by_name = self._by_name()
        return _state(self._columns.folder, marshal.dumps([by_name[name] for name in files], _VERSION))

    def _by_name(self) -> dict[str, Row]:
        if not self._rows:
            self._rows = {row[0]: row for row in self._columns.rows()}
        return self._rows


def _state(folder: str, data: bytes) -> State:
    import hashlib  # a worker is ready sooner without, and asks for no state

    return State(folder, hashlib.blake2b(data, digest_size=16).digest())
