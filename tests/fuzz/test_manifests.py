"""The manifest loader, the importer of rclone.conf, quantities and globs."""

import json
import re
import tempfile
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from runner.manifest import strict
from runner.manifest.filter import RuleFilter
from runner.manifest.glob import BadGlob, join, regex
from runner.manifest.load import load
from runner.manifest.manifest import Manifest
from runner.manifest.rclone import read_rclone
from runner.manifest.rules import Rule
from runner.model import units
from runner.model.errors import ManifestError, UsageError
from runner.model.node import Node
from tests.fuzz.targets import bent, edited, target, written
from tests.rooms.manifest.test_manifest import FULL

PIECES = [
    b": ", b"- ", b"\n", b"\n  ", b"\n        ", b"[", b"]", b"{", b"}", b", ", b"&x ", b"*x",
                                                    b"!!python/object ", b"|\n",
    b">", b'"', b"'", b"#", b"\t", b"<<: ", b"? ", b"010", b"no", b"~", b"\n---\n", b"\n...\n", b"%YAML 1.2\n",
    b"\xc3\xa9",
    b"\xc2\x85", b"\xe2\x80\xa8", b"\xef\xbb\xbf", b"\r", b"\0", b"\xff", b"\xed\xa0\x80", b"1e999", b"0x1f", b".inf",
    b"12:30:45", b"version: 1\n", b"cloud:", b"/srv/photos", b"..", b"\xf0\x9f\x98\x80",
]  # fmt: skip
WHOLE: dict[str, Any] = {
    "version": 1,
    "name": "nightly",
    "remotes": {"cloud": {"type": "acd", "server": "embedded", "root": "x", "limits": {"rate": "1MiB/s"}},
                "disk": {"type": "local", "path": "/srv/disk", "lock": "remote"}},
    "policies": {"checksum": {"quick": {"compare": "size"}}, "retry": {"patient": {"backoff": "1s..2m"}},
                 "guard": {"calm": {"trash": {"max": "5%", "max_bytes": "20GiB"}}}},
    "defaults": {"checksum": "quick", "retry": {"attempts": 3}, "case": "rename"},
    "plan": {"key": {"env": "A_PLAN_KEY"}},
    "jobs": {"a": {"pairs": [{"source": "/srv/a", "destination": "cloud:a", "mode": "mirror", "guard": "calm",
                              "filter": [{"exclude": "*.tmp"}, {"include": {"larger_than": "1MiB"}}]}]},
             "b": {"needs": ["a"], "before": ["true"], "pairs": [{"source": "cloud:a", "destination": "disk:b",
                                                                 "mode": "copy"}]}},
}  # fmt: skip
CONF = b"""# rclone
[cloud]
type = amazon cloud drive
client_id = amzn1.x
token = {"access_token":"a","token_type":"bearer","refresh_token":"r","expiry":"2026-01-01T00:00:00Z"}

[disk]
type = local
"""
BREAKS = re.compile("\r\n|[\r\n\x85\u2028\u2029]")


@cache
def scratch() -> Path:
    """A folder for files that are read; it goes away with the process."""
    folder = tempfile.TemporaryDirectory(prefix="acdrun-fuzz-")
    _KEPT.append(folder)
    return Path(folder.name)


_KEPT: list[Any] = []


def loaded(data: bytes) -> Manifest | None:
    """Read a manifest from a file; one that is refused is refused in words, at places that are in the file."""
    path = scratch() / "nightly.yaml"
    path.write_bytes(data)
    try:
        return load(path, remotes_file=scratch() / "remotes.yaml")
    except ManifestError as error:
        text = data.decode("utf-8-sig", "replace")
        readings = BREAKS.split(text), text.split("\n")  # editors differ in what ends a line
        assert error.problems
        for problem in error.problems:
            file, line, column = problem.place
            assert file == str(path)
            assert min(line, column) >= 1
            assert any(line <= len(lines) and column <= len(lines[line - 1]) + 1 for lines in readings)
            assert problem.message
            assert str(problem)
    return None


@target(st.binary(max_size=200) | edited(b"", PIECES))
def test_any_bytes_are_a_manifest_or_refused(data: bytes) -> None:
    loaded(data)


@target(edited(FULL.encode(), PIECES), examples=250)
def test_a_manifest_with_slips_is_one_or_refused(data: bytes) -> None:
    loaded(data)


@target(bent(WHOLE), examples=250)
def test_a_manifest_with_other_values_is_one_or_refused(value: Any) -> None:
    found = loaded(written(value))

    if found is not None:
        assert found.digest
        assert json.loads(found.canonical())


@target(
    st.lists(
        st.sampled_from(["&a ", "*a", "[", "]", "{", "}", ",", "a: ", "? ", "- ", "\n ", "x"]), max_size=60
    )
)
def test_aliases_and_nesting_stay_within_bounds(pieces: list[str]) -> None:
    data = ("version: 1\njobs: " + "".join(pieces)).encode()
    loaded(data)
    loaded(data.replace(b"[", b"[" * strict.MAX_DEPTH))


@target(edited(CONF, [b"[", b"]", b"=", b"\n", b"\n ", b"token", b"type = ", b"\0", b"\xff", b";", b"%(x)s", b"\\ud800",
                      b"[\0]\n", b"DEFAULT", b"9999-12-31T23:59:59-01:00"]))  # fmt: skip
def test_any_rclone_conf_is_read_or_refused(data: bytes) -> None:
    path = scratch() / "rclone.conf"
    path.write_bytes(data)
    try:
        for remote in read_rclone(path):
            assert remote.why or remote.fields["type"]
    except UsageError as error:
        assert str(path) in error.message


QUANTITY = st.lists(
    st.sampled_from(["1", "30", "0", "-", ".5", "9" * 19, "٣", "GiB", "kB", "w", "d", "h", "m", "s", "ms", "%",
                     "/", "/s", "..", " "])
    | st.text(max_size=2),
    max_size=6,
).map("".join)  # fmt: skip


@target(QUANTITY | st.integers() | st.floats() | st.none() | st.booleans(), examples=400)
def test_a_quantity_is_within_its_range_or_refused(value: Any) -> None:
    for parse, least in (
        (units.parse_size, 0),
        (units.parse_duration, timedelta(0)),
        (units.parse_rate, 1),
        (units.parse_percent, 0.0),
    ):
        try:
            assert parse(value) >= least  # type: ignore[operator]
        except units.BadQuantity as error:
            assert str(error)
            assert error.hint
    try:
        least_wait, most_wait = units.parse_backoff(value)
        assert timedelta(0) <= least_wait <= most_wait
    except units.BadQuantity as error:
        assert error.hint


GLOBS = st.lists(
    st.sampled_from(["*", "**", "/", "?", "[", "]", "!", "\\", "-", "a", "[a-z]", "[!x]", "^", ".", "#", " ",
                     "(", "|", "é", "["])
    | st.characters(),
    max_size=12,
).map("".join)  # fmt: skip


@target(st.tuples(st.lists(GLOBS, min_size=1, max_size=3), st.text("ab/.é[", max_size=12)), examples=400)
def test_any_glob_is_an_expression_or_refused(given_: tuple[list[str], str]) -> None:
    globs, path = given_
    expressions = []
    for glob in globs:
        try:
            expressions.append(regex(glob))
        except BadGlob as error:
            assert str(error)
            assert error.hint
            continue
        rules = RuleFilter((Rule.model_validate({"exclude": glob}),))
        assert isinstance(rules.admits("a/b", Node("b", "file")), bool)
    if expressions:
        join(expressions).match(path)
