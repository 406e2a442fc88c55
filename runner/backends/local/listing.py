"""The children of a folder of a disk, looked at once each and kept as columns."""

import hashlib
import marshal
import os
from collections.abc import Collection, Sequence

from runner.backends.local import safe
from runner.backends.local.safe import FOLDER, OTHER, Identity, Mark, made, ours
from runner.model.node import Node
from runner.model.nodes import Nodes, Stamp, State


def children(fd: int, above: Sequence[Identity]) -> tuple[Sequence[Node], Sequence[str]]:
    """What is in an open folder, and the names of temporary files of ours in it.

    above: the folders on the way, this one too. A folder that is one of them is a mount that leads back up and
        has no end, so it counts as "other".
    Raises OSError when an entry cannot be looked at: it might be anything.
    """
    names: list[str] = []
    stamps: list[Stamp] = []
    marks: list[Mark] = []
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
            stamp, mark = safe.row(seen)
            if stamp is FOLDER and safe.identity(seen) in above:
                stamp = OTHER
            names.append(name)
            stamps.append(stamp)
            marks.append(mark)
    by_name = dict(zip(names, stamps, strict=True))
    if len(by_name) < len(names):  # a name that came twice is for the walk to judge
        return list(map(made, names, stamps, marks)), partial
    return Nodes(by_name, _Rows(f"{above[-1].dev}:{above[-1].ino}", names, stamps, marks)), partial


class _Rows:
    """The columns, out of which it makes the node of a name."""

    __slots__ = ("_columns", "_folder", "_rows")

    def __init__(self, folder: str, names: list[str], stamps: list[Stamp], marks: list[Mark]) -> None:
        self._folder = folder
        self._columns = names, stamps, marks
        self._rows: dict[str, tuple[Stamp, Mark]] = {}

    def node(self, name: str) -> Node:
        return made(name, *self._by_name()[name])

    def state(self, files: Collection[str]) -> State:
        # The second version of the format writes equal values alike; later ones look at who else refers to them.
        if len(files) == len(self._columns[0]):
            data = marshal.dumps(self._columns, 2)
        else:
            by_name = self._by_name()
            data = marshal.dumps([(name, by_name[name]) for name in files], 2)
        return State(self._folder, hashlib.blake2b(data, digest_size=16).digest())

    def _by_name(self) -> dict[str, tuple[Stamp, Mark]]:
        if not self._rows:
            names, stamps, marks = self._columns
            self._rows = dict(zip(names, zip(stamps, marks, strict=True), strict=True))
        return self._rows
