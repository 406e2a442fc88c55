"""Which nodes of a pair take part: the first rule that matches decides."""

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from itertools import groupby

from runner.manifest import glob
from runner.manifest.rules import Conditions, Rule
from runner.model.node import Kind, Node
from runner.model.path import parent

_Test = Callable[[str, Node], bool]
_UNLIKELY = "\ue000"  # stands for any name: a private character that no glob spells out


class RuleFilter:
    """The `Filter` of a pair.

    A node takes part unless the first rule that matches it is an exclude. Globs see the path below the
    pair's root, sizes and ages see files only; "other" nodes count as files without size and time.
    The trap: an excluded folder is not entered, so no include reaches below it. `exclude: "**"` at the end
    excludes folders too; say before it which ones to enter: `include: "*/"` enters all of them.
    rules: in the order of the manifest. now_ns: what ages are measured from, ns since 1970; the time of
        loading by default, so that it does not move during a run.
    """

    __slots__ = ("_steps", "admits_all", "digest", "rules")

    def __init__(self, rules: Sequence[Rule] = (), now_ns: int | None = None) -> None:
        self.rules = tuple(rules)
        self.admits_all = not self.rules
        self.digest = hashlib.sha256(json.dumps(self.written()).encode()).hexdigest()
        self._steps = tuple(_steps(self.rules, time.time_ns() if now_ns is None else now_ns))

    @property
    def ages(self) -> bool:
        """See `Filter.ages`."""
        conditions = (rule.what for rule in self.rules if isinstance(rule.what, Conditions))
        return any(c.older_than is not None or c.newer_than is not None for c in conditions)

    def admits(self, path: str, node: Node) -> bool:
        """Does the node at this path take part? A folder that does not is not entered."""
        for verdict, test in self._steps:
            if test(path, node):
                return verdict
        return True

    def why(self, path: str, node: Node, now_ns: int | None = None) -> Rule | None:
        """The rule that decides about a node, or about a folder above it that is not entered, if any."""
        now_ns = time.time_ns() if now_ns is None else now_ns
        above = parent(path)
        if above:
            folder = Node(above.rpartition("/")[2], "folder")
            rule = self.why(above, folder, now_ns)
            if rule is not None and not rule.admits:
                return rule
        return next((rule for rule in self.rules if _test([rule], now_ns)(path, node)), None)

    def unreachable(self) -> Iterator[tuple[int, int]]:
        """Numbers of includes that never match all they name, each with the exclude that stands before it.

        Seen are the plain cases: a folder on the way to the included name is excluded, or the name itself.
        """
        tests = [_test([rule], 0) for rule in self.rules]
        for number, rule in enumerate(self.rules):
            if not rule.admits or not isinstance(rule.what, str) or "[" in rule.what:
                continue
            for path, kind in _way(rule.what):
                node = Node(path.rpartition("/")[2], kind)
                first = next((i for i, test in enumerate(tests) if test(path, node)), None)
                if (
                    first is not None
                    and not self.rules[first].admits
                    and isinstance(self.rules[first].what, str)
                ):
                    yield number, first
                    break

    def written(self) -> list[dict[str, object]]:
        """The rules as a manifest writes them."""
        return [
            {
                "include" if rule.admits else "exclude": rule.what
                if isinstance(rule.what, str)
                else rule.written()
            }
            for rule in self.rules
        ]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RuleFilter) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"RuleFilter({', '.join(map(str, self.rules))})"


def _steps(rules: Sequence[Rule], now_ns: int) -> Iterator[tuple[bool, _Test]]:
    # Neighbours of one verdict and one form are one step: a million nodes ask, and one expression is faster.
    for (verdict, _), neighbours in groupby(rules, lambda rule: (rule.admits, isinstance(rule.what, str))):
        yield verdict, _test(list(neighbours), now_ns)


def _test(rules: list[Rule], now_ns: int) -> _Test:
    globs = [rule.what for rule in rules if isinstance(rule.what, str)]
    conditions = [_holds(rule.what, now_ns) for rule in rules if isinstance(rule.what, Conditions)]
    if conditions:
        return lambda path, node: any(test(path, node) for test in conditions)
    by_name = [glob.regex(one) for one in globs if "/" not in one.rstrip("/") and one not in ("*", "**")]
    by_path = [glob.regex(one) for one in globs if "/" in one.rstrip("/") or one in ("*", "**")]
    # A glob without a slash in its middle asks for the name alone, which is shorter than the path.
    name, path = (glob.join(part).match if part else None for part in (by_name, by_path))
    if path is None:
        return _on_name(name)
    return _on_path(path) if name is None else _either(_on_name(name), _on_path(path))


def _on_name(match: Callable[[str], re.Match[str] | None] | None) -> _Test:
    if match is None:
        return lambda path, node: False

    def test(path: str, node: Node) -> bool:
        name = path.rpartition("/")[2]
        return match(name + "/" if node.kind == "folder" else name) is not None

    return test


def _on_path(match: Callable[[str], re.Match[str] | None]) -> _Test:
    return lambda path, node: match(path + "/" if node.kind == "folder" else path) is not None


def _either(one: _Test, other: _Test) -> _Test:
    return lambda path, node: one(path, node) or other(path, node)


def _holds(what: Conditions, now_ns: int) -> _Test:
    def before(age: timedelta) -> int:
        return now_ns - age // timedelta(microseconds=1) * 1000

    older = None if what.older_than is None else before(what.older_than)
    newer = None if what.newer_than is None else before(what.newer_than)
    larger, smaller = what.larger_than, what.smaller_than

    def test(path: str, node: Node) -> bool:
        if node.kind != "file":
            return False
        if (larger is not None and node.size <= larger) or (smaller is not None and node.size >= smaller):
            return False
        if older is None and newer is None:
            return True
        time_ns = node.mtime_ns
        if time_ns is None:
            return False
        return (older is None or time_ns < older) and (newer is None or time_ns > newer)

    return test


def _way(include: str) -> Iterator[tuple[str, Kind]]:
    """The folders above a path that the glob matches, then that path; wildcards are an unlikely name."""
    folder_only = include.endswith("/")
    parts = include.strip("/").split("/")
    if len(parts) == 1 and not include.startswith("/"):
        parts.insert(0, "**")  # it is looked for at every depth
    names = [
        _UNLIKELY if part == "**" else re.sub(r"\*+|\?", _UNLIKELY, part).replace("\\", "") for part in parts
    ]
    for end in range(1, len(names)):
        yield "/".join(names[:end]), "folder"
    yield "/".join(names), "folder" if folder_only else "file"
