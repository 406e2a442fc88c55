"""Names that the destination cannot tell apart: which keep their own, which get an alias, which are refused."""

import hashlib
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple, Self

from runner.model.node import Node
from runner.model.nodes import Nodes
from runner.model.path import fold, fold_all, show


class Names(NamedTuple):
    """What the names of one folder come to where the destination folds.

    aliases: source files that are called otherwise there, with what they are called.
    free: those of them whose own name nobody has there any more, so that they can have it back.
    refused: source nodes that cannot be kept in step, with the reason.
    hidden: names there about which nothing may be concluded.
    """

    aliases: dict[str, str]
    free: set[str]
    refused: dict[str, str]
    hidden: set[str]

    @classmethod
    def none(cls) -> Self:
        """Nothing to say of any name."""
        return cls({}, set(), {}, set())


def alias(name: str) -> str:
    """What a file is called where its own name is taken by a twin: the same in every run, whoever the twin is.

    Two twins differ in their bytes, so the digest tells them apart; the stem is composed, for a service may do that.
    """
    stem, _, suffix = name.rpartition(".")
    if not stem:
        stem, suffix = name, ""
    mark = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=3).hexdigest()
    return f"{unicodedata.normalize('NFC', stem)}~{mark}{'.' * bool(suffix)}{suffix}"


def told_apart(
    source: Nodes,
    destination: Nodes,
    *,
    rename: bool,
    left_out: Iterable[str] = (),
    taken: Iterable[str] = (),
) -> Names:
    """Look at the names of one folder as a destination does that cannot hold two that fold alike.

    rename: files get aliases, as `case: rename` wants it; folders and what meets one are refused always, for
        nobody could say below which of two folders a path leads.
    left_out: names of the source that take no part: what they have at the destination stays theirs.
    taken: names at the destination that take no part.
    Of several twins the one whose very name is there keeps it, else the first that has no alias there yet.
    """
    names = Names.none()
    left_out = set(left_out) if rename else set()
    marked = rename and any("~" in name for name in destination.stamps)
    if not (marked or left_out or _some_alike(source) or _some_alike(destination)):
        return names
    groups, there = _folded(source), _folded(destination)
    files = set(destination.names("file"))
    held: set[str] = set()
    if left_out:
        for name in left_out:
            names.hidden.update({name, alias(name)} - source.stamps.keys())
            if name in destination.stamps:
                held.add(fold(name))
    rooms = _Rooms(names, groups.keys(), {*there, *map(fold, taken)}, files)
    for folded, group in groups.items():
        others = there.get(folded, [])
        folders = any(node.kind != "file" for node in (*group, *others))
        if len(others) > 1 and folders:
            told = " and ".join(show(repr(node.name)) for node in others[:2])
            _refuse(names, group, others, f"the destination has both {told} for it")
        elif len(group) > 1 and (folders or not rename):
            _refuse(names, group, others, "")
        elif rename and not folders and (len(group) > 1 or marked or folded in held):
            rooms.give(folded, sorted(node.name for node in group), held=folded in held)
    return names


class _Rooms(NamedTuple):
    """The names of one folder at the destination, and who may have which.

    wanted: folded names of the source; occupied: of the destination; files: names of its files.
    """

    names: Names
    wanted: Collection[str]
    occupied: set[str]
    files: set[str]

    def give(self, folded: str, group: Sequence[str], *, held: bool) -> None:
        """Find a name for each file of a group that folds alike. held: their own is that of a file left out."""
        away = [name for name in group if name not in self.files]
        stored = [name for name in away if alias(name) in self.files and fold(alias(name)) not in self.wanted]
        fresh = [name for name in away if name not in stored]
        if not held and len(away) == len(group):
            if fresh:
                fresh.pop(0)
            elif folded not in self.occupied:
                self.names.free.add(stored[0])
        for name in (*stored, *fresh):
            other = alias(name)
            if fold(other) in self.wanted or (fold(other) in self.occupied and other not in self.files):
                self.names.refused[name] = f"its alias {show(repr(other))} is the name of something else"
            else:
                self.names.aliases[name] = other
                self.occupied.add(fold(other))
                self.files.discard(other)


def _refuse(names: Names, group: Sequence[Node], others: Sequence[Node], why: str) -> None:
    for node in group:
        twin = next((other.name for other in group if other is not node), "")
        names.refused[node.name] = why or f"the destination cannot tell it from {show(repr(twin))}"
    names.hidden.update(node.name for node in others)


def _some_alike(nodes: Nodes) -> bool:
    return len(set(fold_all(nodes.stamps))) < len(nodes)


def _folded(nodes: Iterable[Node]) -> Mapping[str, list[Node]]:
    groups: dict[str, list[Node]] = {}
    for node in nodes:
        groups.setdefault(fold(node.name), []).append(node)
    return groups
