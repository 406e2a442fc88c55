"""Saved plans from outside: any bytes, and plans that were edited."""

import contextlib
import io
import math
import os
import sqlite3
import tempfile
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

from hypothesis import strategies as st

from runner.app.plans import opened, trusted
from runner.cli.main import main
from runner.model.errors import PlanStale
from tests.fuzz.targets import target
from tests.lab.worlds import World

SOURCE = {"a": "new", "b/c": "2"}
DESTINATION = {"a": "old", "lost": "0"}


@cache
def world() -> tuple[World, bytes]:
    """A world, and the bytes of a plan that was saved there."""
    folder = tempfile.TemporaryDirectory(prefix="acdrun-fuzz-")
    _KEPT.append(folder)
    here = World(Path(folder.name))
    here.write("src", SOURCE)
    here.write("dst", DESTINATION)
    return here, here.plan(out=here.folder / "saved.plan").path.read_bytes()


_KEPT: list[Any] = []


def refused_or_as_saved(data: bytes, *, accept: bool = False) -> None:
    """Open it, and apply it if it is trusted; nothing but our errors, and nothing done by what was changed."""
    here, whole = world()
    path = here.folder / "mine.plan"
    path.write_bytes(data)
    try:
        with opened(path, here.state) as saved:
            trusted(saved, None, accept_unsigned=False)
            assert saved.trust == "own"
    except PlanStale as error:
        assert error.message
        assert data != whole


@target(st.binary(max_size=300) | st.binary(max_size=200).map(lambda data: b"SQLite format 3\0" + data))
def test_any_bytes_are_no_plan(data: bytes) -> None:
    refused_or_as_saved(data)


def _overwritten(edits: list[tuple[int, bytes]]) -> bytes:
    _, whole = world()
    data = bytearray(whole)
    for at, new in edits:
        start = at % len(data)
        data[start : start + len(new)] = new
    return bytes(data[: len(whole)])


@target(
    st.lists(
        st.tuples(st.integers(0, 1 << 20), st.binary(min_size=1, max_size=6)), min_size=1, max_size=4
    ).map(_overwritten)
)
def test_a_plan_with_other_bytes_is_refused_or_says_the_same(data: bytes) -> None:
    refused_or_as_saved(data)


CELLS = st.sampled_from(
    [("run", "id"), ("run", "name"), ("run", "file"), ("run", "manifest"), ("run", "digest"), ("run", "version"),
     ("run", "created"), ("run", "ended"), ("run", "exit"), ("validity", "expires"), ("validity", "lineage"),
     ("validity", "serial"), ("validity", "weak"), ("seal", "key"), ("seal", "mac"), ("seal", "algorithm"),
     ("op", "path"), ("op", "stage"), ("op", "size"), ("op", "waits"), ("op", "state"), ("op", "source"),
     ("op", "mtime_ns"),
     ("op", "digest"), ("op", "ours"), ("op", "node"), ("op", "origin"), ("op", "target"), ("op", "reason"),
     ("op", "ref"),
     ("stage", "task"), ("stage", "pair"), ("stage", "state"), ("stage", "effect"), ("stage", "waits"),
     ("stage", "side"),
     ("edge", "how"), ("edge", "after"), ("path", "path"), ("path", "parent"), ("tally", "what"), ("tally", "files"),
     ("finding", "level"), ("finding", "text"), ("place", "identity")]
)  # fmt: skip
VALUES = (
    st.none()
    | st.integers(-(1 << 63), (1 << 63) - 1)
    | st.sampled_from([math.inf, -math.inf, 1e300, -1e300, 0.5])
    | st.text(st.characters(blacklist_categories=["Cs"]), max_size=8)
    | st.sampled_from(
        ["", "..", "../x", "/etc/x", "a\0b", "{}", "[]", '{"manifest": {}}', "md5:", "done", "trash", "file"]
    )
    | st.binary(max_size=8)
)


@target(st.tuples(st.lists(st.tuples(CELLS, VALUES), min_size=1, max_size=3), st.booleans()), examples=60)
def test_an_edited_plan_is_refused_and_can_be_shown(
    asked: tuple[list[tuple[tuple[str, str], Any]], bool],
) -> None:
    edits, unseal = asked
    here, whole = world()
    path = here.folder / "edited.plan"
    path.write_bytes(whole)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        for (table, column), value in edits:
            with contextlib.suppress(sqlite3.Error), connection:
                connection.execute(f"UPDATE {table} SET {column} = ?", (value,))
        if unseal:
            with connection:
                connection.execute("DELETE FROM seal")
    changed = _rows(path) != _whole_rows()

    try:
        with opened(path, here.state) as saved:
            doubt = trusted(saved, None, accept_unsigned=False)
            assert doubt == ""
            assert not changed
    except PlanStale:
        pass
    told, errors = io.StringIO(), io.StringIO()
    with (
        mock.patch.dict(os.environ, {"ACDRUN_STATE": str(here.state)}),
        contextlib.redirect_stdout(told),
        contextlib.redirect_stderr(errors),
    ):
        code = main(["show", str(path), "--json" if unseal else "-v"])
    assert code in (0, 2, 5), errors.getvalue()


def _rows(path: Path) -> str:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return "\n".join(connection.iterdump())


@cache
def _whole_rows() -> str:
    here, whole = world()
    path = here.folder / "whole.plan"
    path.write_bytes(whole)
    return _rows(path)
