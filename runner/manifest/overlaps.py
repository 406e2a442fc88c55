"""Places within each other: nothing may be copied into itself, and no two pairs may write to one place."""

import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from runner.backends import registry
from runner.manifest.problems import describe
from runner.manifest.tree import Keys, Tree
from runner.model.config import RemoteConfig
from runner.model.errors import Problem
from runner.model.pair import Location
from runner.model.path import fold

Mark = tuple[Any, ...]
"""A folder, whatever the name that leads to it: two marks are equal when the folders are one."""


class End(NamedTuple):
    """A source or destination, by the marks of every folder from the top of its storage down to itself."""

    marks: tuple[Mark, ...]

    def how(self, other: "End") -> str:
        """How it stands to the other one, as a verb; "" when they have nothing in common."""
        if self.marks[-1] == other.marks[-1]:
            return "is"
        if other.marks[-1] in self.marks:
            return "lies within"
        return "holds" if self.marks[-1] in other.marks else ""


def overlaps(
    tree: Tree, found: Mapping[Keys, Location], remotes: Mapping[str, RemoteConfig]
) -> list[Problem]:
    """Report a source in its own destination or around it, and two destinations within each other.

    Returns warnings of pairs that read what another one writes, while nothing says which of them comes first.
    """
    ends = {keys: _end(location, remotes) for keys, location in found.items()}
    for keys, _ in tree.pairs():
        source, destination = ends.get((*keys, "source")), ends.get((*keys, "destination"))
        if source and destination and (how := destination.how(source)):
            tree.findings.report(
                tree.at((*keys, "destination")),
                "overlap",
                f"the destination of {describe(keys)} {how} its own source",
                "copy to a place beside it",
            )
    written = _Found({keys: end for keys, end in ends.items() if keys[-1] == "destination"})
    read = {keys: end for keys, end in ends.items() if keys[-1] == "source"}
    for keys in written.ends:
        if other := written.around(ends[keys], but=keys[:-1]):
            later, first = sorted([keys, other], key=tree.at, reverse=True)
            tree.findings.report(
                tree.at(later),
                "overlap",
                f"the destination of {describe(later[:-1])} {ends[later].how(ends[first])} that of "
                f"{describe(first[:-1])}, in line {tree.at(first).line}",
                "give each pair a destination of its own",
            )
    return list(_unordered(tree, read, written))


def _unordered(tree: Tree, read: Mapping[Keys, End], written: "_Found") -> Iterator[Problem]:
    """Pairs that read what another one writes while nothing says which comes first; two that do so to each other
    would exchange their contents, and are reported.
    """
    before, sources = _needed(tree), _Found(read)
    meeting = {(keys, other) for keys, end in read.items() for other in written.all_around(end)}
    meeting |= {(other, keys) for keys, end in written.ends.items() for other in sources.all_around(end)}
    for source, destination in sorted(meeting, key=lambda two: (tree.at(two[0]), tree.at(two[1]))):
        one, two = str(source[1]), str(destination[1])
        if source[:-1] == destination[:-1] or two in before(one) or one in before(two):
            continue
        message = (
            f"the source of {describe(source[:-1])} {read[source].how(written.ends[destination])} the destination of "
            f"{describe(destination[:-1])}, in line {tree.at(destination).line}, and nothing says which comes first"
        )
        hint = "give each a job of its own, and say with `needs` which comes first"
        if one != two:
            hint = f'say it with `needs: [{two}]` in job "{one}"'
        if ((*destination[:-1], "source"), (*source[:-1], "destination")) in meeting:
            tree.findings.report(tree.at(source), "overlap", message, hint)
        else:
            yield tree.findings.problem(tree.at(source), "unordered", message, hint)


class _Found:
    """Ends that are looked up by their marks, so that thousands of pairs need no comparison each with each."""

    def __init__(self, ends: Mapping[Keys, End]) -> None:
        self.ends = ends
        self._at: dict[Mark, list[Keys]] = defaultdict(list)
        for keys, end in ends.items():
            self._at[end.marks[-1]].append(keys)

    def all_around(self, end: End) -> list[Keys]:
        """Those that are this end or hold it, the nearest first."""
        return [keys for mark in reversed(end.marks) for keys in self._at.get(mark, ())]

    def around(self, end: End, *, but: Keys) -> Keys | None:
        """The nearest of them that does not belong to this pair."""
        return next((keys for keys in self.all_around(end) if keys[:-1] != but), None)


def _needed(tree: Tree) -> Callable[[str], frozenset[str]]:
    """A function that tells all jobs that come before one."""
    jobs = tree.mapping("jobs")

    @cache
    def before(job: str) -> frozenset[str]:
        seen, left = set[str](), [job]
        while left:
            for name in tree.elements("jobs", left.pop(), "needs"):
                if isinstance(name, str) and name in jobs and name not in seen:
                    seen.add(name)
                    left.append(name)
        return frozenset(seen)

    return before


def _end(location: Location, remotes: Mapping[str, RemoteConfig]) -> End:
    if not location.remote:
        return _local(location.path)
    config = remotes.get(location.remote)
    if config is None:  # declared, but not as it should be
        return _far(f"remote {location.remote}", _parts(location.path))
    kind = registry.full_name(str(getattr(config, "type", ""))) or ""
    if kind == "local":
        top = str(getattr(config, "path", "/"))
        return _local(os.path.join(top, config.root.strip("/"), location.path))
    # Memory without a name is a place of its own. Elsewhere two remotes may mean one account.
    alone = bool(kind) and registry.KINDS[kind].fleeting and not getattr(config, "store", "")
    own = location.remote if alone else config.model_dump_json(exclude={"root", "limits"})
    # Most services cannot tell "A" from "a"; to refuse a pair too many is the safe error.
    return _far(f"{kind} {own}", tuple(map(fold, _parts(f"{config.root}/{location.path}"))))


def _far(storage: str, parts: tuple[str, ...]) -> End:
    return End(tuple((storage, *parts[:depth]) for depth in range(len(parts) + 1)))


def _local(path: str) -> End:
    """By device and inode, which links, mounts and spellings of a name have in common; by name what is not there."""
    here, marks = "/", [_inode("/") or ("local",)]
    parts = _parts(os.path.realpath(path))
    for number, part in enumerate(parts):
        inode = _inode(os.path.join(here, part))
        if inode is None:
            form = fold if _folds(here) else str
            rest = tuple(map(form, parts[number:]))
            above = marks[-1]
            marks += ((*above, *rest[:depth]) for depth in range(1, len(rest) + 1))
            break
        here = os.path.join(here, part)
        marks.append(inode)
    return End(tuple(marks))


def _inode(path: str) -> Mark | None:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return "local", found.st_dev, found.st_ino


def _folds(folder: str) -> bool:
    """Does this folder answer to its name in other letters?"""
    above, name = os.path.split(folder)
    other = name.swapcase()
    return other != name and _inode(os.path.join(above, other)) == _inode(folder)


def _parts(path: str) -> tuple[str, ...]:
    return tuple(part for part in path.split("/") if part)
