"""Filters: the first rule that matches decides; a slow oracle agrees."""

import fnmatch
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.manifest.filter import RuleFilter
from runner.manifest.rules import Rule
from runner.model.node import Kind, Node

from .reading import codes, load, manifest, only, pair

DAY_NS = 86_400 * 10**9


def rules(*written: dict[str, Any]) -> RuleFilter:
    return RuleFilter([Rule.model_validate(rule) for rule in written], now_ns=100 * DAY_NS)


def admits(filter: RuleFilter, path: str) -> bool:
    """A path that ends in "/" is a folder."""
    kind: Kind = "folder" if path.endswith("/") else "file"
    path = path.rstrip("/")
    return filter.admits(path, Node(path.rpartition("/")[2], kind))


@pytest.mark.parametrize(
    ("glob", "matches", "others"),
    [
        ("*.tmp", ["a.tmp", "x/y/a.tmp", "a.tmp/"], ["a.tmpx", "tmp"]),
        ("cache/", ["cache/", "x/cache/"], ["cache", "x/cache", "cached/"]),
        ("/cache", ["cache", "cache/"], ["x/cache"]),
        ("/cache/", ["cache/"], ["cache", "x/cache/"]),
        ("**/.cache/", [".cache/", "a/b/.cache/"], [".cache"]),
        ("a/b", ["a/b", "a/b/"], ["x/a/b", "a", "a/b/c"]),
        ("a/**", ["a/", "a/b", "a/b/c/"], ["b/a/c", "ab"]),
        ("a/**/b", ["a/b", "a/x/b", "a/x/y/b"], ["a/xb", "b"]),
        ("**", ["a", "a/", "a/b"], []),
        ("*", ["a", "a/", "a/b"], []),
        ("*/", ["a/", "a/b/"], ["a", "a/b"]),
        ("**/", ["a/", "a/b/"], ["a", "a/b"]),
        ("a?c", ["abc", "x/aéc"], ["ac", "a/c"]),
        ("[a-c]x", ["ax", "y/cx"], ["dx"]),
        ("[!a]x", ["bx"], ["ax"]),
        ("[[]x", ["[x"], ["]x"]),
        (r"\*x", ["*x"], ["ax"]),
        (r"\!x", ["!x"], ["x"]),
        ("x y", ["x y"], ["x"]),
        ("é", ["é"], ["e\u0301"]),
    ],
)
def test_a_glob_matches_as_in_gitignore(glob: str, matches: list[str], others: list[str]) -> None:
    filter = rules({"exclude": glob})

    assert [path for path in matches if admits(filter, path)] == []
    assert [path for path in others if not admits(filter, path)] == []


def test_a_name_with_a_line_end_is_matched_whole() -> None:
    filter = rules({"exclude": "a"}, {"exclude": "/x/b"})

    assert admits(filter, "a\n")
    assert admits(filter, "x/b\n")
    assert not admits(rules({"exclude": "*.tmp"}), "a\nb.tmp")


def test_without_rules_every_node_takes_part() -> None:
    assert admits(RuleFilter(), "a/b")


def test_the_first_rule_that_matches_decides() -> None:
    filter = rules({"include": "keep.tmp"}, {"exclude": "*.tmp"})

    assert admits(filter, "x/keep.tmp")
    assert not admits(filter, "x/other.tmp")


@pytest.mark.parametrize(
    ("conditions", "size", "age_days", "matches"),
    [
        ({"larger_than": "1KiB"}, 1025, 0, True),
        ({"larger_than": "1KiB"}, 1024, 0, False),
        ({"smaller_than": "1KiB"}, 1023, 0, True),
        ({"smaller_than": "1KiB"}, 1024, 0, False),
        ({"older_than": "2d"}, 0, 3, True),
        ({"older_than": "2d"}, 0, 1, False),
        ({"newer_than": "2d"}, 0, 1, True),
        ({"newer_than": "2d"}, 0, 3, False),
        ({"larger_than": "1KiB", "older_than": "2d"}, 2000, 3, True),
        ({"larger_than": "1KiB", "older_than": "2d"}, 2000, 1, False),
        ({"larger_than": "1KiB", "older_than": "2d"}, 10, 3, False),
    ],
)
def test_all_conditions_of_a_rule_must_hold(
    conditions: dict[str, str], size: int, age_days: int, matches: bool
) -> None:
    node = Node("a", "file", size, (100 - age_days) * DAY_NS)

    assert rules({"exclude": conditions}).admits("a", node) is not matches


def test_conditions_leave_folders_and_unknown_times_alone() -> None:
    filter = rules({"exclude": {"smaller_than": "1KiB", "older_than": "1s"}})

    assert filter.admits("a", Node("a", "folder"))
    assert filter.admits("a", Node("a", "other"))
    assert filter.admits("a", Node("a", "file", 1, None))


def test_the_rule_that_decides_can_be_asked_for() -> None:
    filter = rules({"exclude": "cache/"}, {"include": "*.jpg"}, {"exclude": {"larger_than": "1KiB"}})

    assert str(filter.why("x/cache/a/b.jpg", Node("b.jpg", "file"))) == 'exclude: "cache/"'
    assert str(filter.why("x/b.jpg", Node("b.jpg", "file"))) == 'include: "*.jpg"'
    assert str(filter.why("b", Node("b", "file", 2000))) == "exclude: {larger_than: 1KiB}"
    assert filter.why("b", Node("b", "file", 1)) is None


@pytest.mark.parametrize(
    "glob",
    ["[", "a[b", "\\", "!x", "#x", "/", "//", "a//b", "../a", "./a", "a/../b", "[z-a]", " ", "x" * 2000],
)
def test_a_bad_glob_is_refused_at_its_line(glob: str) -> None:
    problem = only(pair(f"mode: copy\nfilter:\n  - exclude: '{glob}'"))

    assert (problem.code, problem.place.line, problem.place.column) == ("bad-glob", 12, 22)
    assert problem.hint


@pytest.mark.parametrize(
    "rule",
    ["{}", "{exclude: a, include: b}", "{exclude: {}}", "{exclude: {larger_than: 2KB, smaller_than: 1KB}}",
     "{exclude: {older_than: 2d, newer_than: 1d}}"],
)  # fmt: skip
def test_a_rule_that_says_nothing_is_refused(rule: str) -> None:
    assert [code.split()[1] for code in codes(pair(f"mode: copy\nfilter: [{rule}]"))] == ["bad-value"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("filter: [{include: '*.jpg'}, {exclude: '**'}]", "10:18"),
        ("filter: [{exclude: cache/}, {include: cache/keep/**}]", "10:37"),
        ("filter: [{exclude: '*.tmp'}, {include: keep.tmp}]", "10:38"),
    ],
)
def test_an_include_below_an_excluded_folder_is_warned_of(text: str, line: str) -> None:
    (warning,) = load(pair(text + "\nmode: copy")).warnings

    assert warning.code == "include-unreachable"
    assert warning.place.line == 10


@pytest.mark.parametrize(
    "text",
    [
        "[{include: '*/'}, {include: '*.jpg'}, {exclude: '**'}]",
        "[{include: /a/}, {include: '/a/**'}, {exclude: '**'}]",
        "[{exclude: cache/}, {include: '**'}]",
        "[{exclude: {larger_than: 1GB}}, {include: '*.jpg'}]",
    ],
)
def test_an_include_that_can_be_reached_is_not_warned_of(text: str) -> None:
    assert load(pair(f"mode: copy\nfilter: {text}")).warnings == ()


def test_defaults_are_warned_of_once() -> None:
    text = manifest("defaults: {filter: [{include: '*.jpg'}, {exclude: '**'}]}\n").replace(
        "pairs: [", 'pairs: [{source: /b, destination: "cloud:b", mode: copy}, '
    )

    assert len(load(text).warnings) == 1


def test_the_digest_changes_with_the_rules() -> None:
    one, same, other = rules({"exclude": "a"}), rules({"exclude": "a"}), rules({"include": "a"})

    assert one.digest == same.digest != other.digest


def test_a_hundred_thousand_nodes_are_asked_in_a_second() -> None:
    filter = rules(
        *({"exclude": f"*.{end}"} for end in "abcdefgh"), {"exclude": "/build/"}, {"exclude": "**/.git/"}
    )
    node = Node("name.txt", "file", 5, 5)
    start = time.perf_counter()

    for _ in range(100_000):
        filter.admits("some/folder/of/names/name.txt", node)

    assert time.perf_counter() - start < 1


NAMES = st.sampled_from(["a", "b", "ab", "a.b", "é"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
GLOBS = st.builds(
    lambda start, parts, end: start + "/".join(parts) + end,
    st.sampled_from(["", "/", "**/"]),
    st.lists(st.sampled_from(["a", "b", "a*", "?", "*.b", "a?b"]), min_size=1, max_size=2),
    st.sampled_from(["", "/", "/**"]),
)
TREES = st.dictionaries(PATHS, st.integers(0, 3), max_size=8)
RULES = st.lists(
    st.tuples(
        st.sampled_from(["include", "exclude"]),
        GLOBS
        | st.sampled_from([{"larger_than": 1}, {"smaller_than": 2}, {"larger_than": 0, "smaller_than": 3}]),
    ),
    max_size=4,
)


def _oracle(written: list[tuple[str, Any]], path: str, folder: bool, size: int) -> bool:
    for verdict, what in written:
        if isinstance(what, str):
            hit = _glob(what, path, folder)
        else:
            hit = not folder and size > what.get("larger_than", -1) and size < what.get("smaller_than", 99)
        if hit:
            return verdict == "include"
    return True


def _glob(glob: str, path: str, folder: bool) -> bool:
    """gitignore(5), part by part."""
    if glob.endswith("/") and not folder:
        return False
    bare = glob.removesuffix("/")
    anchored = "/" in bare
    parts = bare.removeprefix("/").split("/")
    return _parts(parts if anchored else ["**", *parts], path.split("/"), folder)


def _parts(glob: list[str], path: list[str], folder: bool) -> bool:
    if glob == ["**"]:
        return bool(path) or folder
    if not glob or not path:
        return not glob and not path
    if glob[0] == "**":
        return _parts(glob[1:], path, folder) or _parts(glob, path[1:], folder)
    return fnmatch.fnmatchcase(path[0], glob[0]) and _parts(glob[1:], path[1:], folder)


@given(TREES, RULES)
def test_a_walk_admits_what_the_slow_oracle_admits(
    tree: dict[str, int], written: list[tuple[str, Any]]
) -> None:
    filter = rules(*({verdict: what} for verdict, what in written))
    folders = {"/".join(path.split("/")[:end]) for path in tree for end in range(1, path.count("/") + 1)}

    for path in sorted({*tree, *folders}):
        folder, size = path in folders, tree.get(path, 0)
        node = Node(path.rpartition("/")[2], "folder" if folder else "file", 0 if folder else size)
        assert filter.admits(path, node) == _oracle(written, path, folder, size)
