"""The seal: any change of a saved plan is seen, and a file of somebody else's is only read."""

import contextlib
import os
import random
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.model.errors import Denied, PlanStale, StateError, UsageError
from runner.model.tally import Check
from runner.state.journal import Draft, Header, Journal, ProblemRow, Validity
from runner.state.keys import Key, known_own_key, own_key, shared_key
from runner.state.saved import outside
from runner.state.seal import Seal, fits, seal
from tests.rooms.state.small import BINDINGS, STAGES, TRASH, UPLOAD, row

KEYS = {"edge": "(before, after, how)", "tally": "(stage, what)", "place": "(pair, side)"}
KEY = shared_key("an invented key for tests")
HEADER = Header("20261122T193712-42e6", "n", "", "{}", "d", "0", "planned", "plan", 1.5)
NOBODY = 65534


def made(path: Path) -> Path:
    """A sealed plan with at least one row in every table."""
    with contextlib.closing(Journal.create(path, HEADER)) as journal:
        journal.add_stages(STAGES, BINDINGS)
        paths: list[tuple[int, int | None, str]] = [(n, None, f"é {n}") for n in range(1, 40)]
        ops = [row(UPLOAD, n, size=n) for n in range(1, 30)] + [row(TRASH, n) for n in range(30, 40)]
        journal.add(Draft(paths, ops, [ProblemRow(UPLOAD, "x", "blocked", "no", 3)] * 2))
        journal.count(UPLOAD, [("listed", 3, 400), ("gaps", 1, 0)])
        journal.check(UPLOAD, [Check("trash.max", "ok", "1 of 9"), Check("history", "note", "none")])
        journal.saw("pair", "source", "an invented disk")
        journal.limit(Validity(2.25, "lineage", 7, 1))
    seal(path, KEY)
    return path


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """It is not to be changed."""
    return made(tmp_path_factory.mktemp("sealed") / "whole.plan")


@pytest.fixture
def copy(plan: Path, tmp_path: Path) -> Path:
    """It may be changed."""
    path = tmp_path / "copy.plan"
    path.write_bytes(plan.read_bytes())
    return path


def holds(path: Path, key: Key = KEY) -> bool:
    """Would it be taken for what was sealed?"""
    try:
        with outside(path, "the plan") as found:
            return found.sealed_with(key)
    except PlanStale:
        return False


@contextlib.contextmanager
def changing(path: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        yield connection


def everything(path: Path) -> list[str]:
    """Every row of every table, and every object of the schema."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def cells(path: Path) -> list[tuple[str, str, int]]:
    """Every cell there is: table, column, number of the row."""
    found = []
    with contextlib.closing(sqlite3.connect(path)) as connection:
        for (table,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
            columns = [name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")]
            (rows,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
            assert rows, f"{table} has no row to try"
            found += [(table, column, n) for column in columns for n in {0, rows - 1}]
    return found


def test_a_plan_as_it_was_sealed_holds_and_only_with_its_key(plan: Path) -> None:
    assert holds(plan)
    assert not holds(plan, shared_key("another invented key"))
    assert not holds(plan, KEY._replace(material=b"another key that says it is this one"))


@pytest.mark.torture
def test_D9_a_change_of_any_cell_of_any_table_is_seen(plan: Path, copy: Path) -> None:
    tried = set()
    for table, column, number in cells(plan):
        copy.write_bytes(plan.read_bytes())
        key = KEYS.get(table, "rowid")
        which = f"{key} = (SELECT {key.strip('()')} FROM {table} LIMIT 1 OFFSET {number})"
        try:
            with changing(copy) as connection:
                done = connection.execute(
                    f"UPDATE {table} SET {column} = CASE typeof({column}) WHEN 'text' THEN {column} || 'x'"
                    f" WHEN 'blob' THEN zeroblob(32) WHEN 'null' THEN 1 ELSE {column} + 1 END WHERE {which}"
                )
                assert done.rowcount == 1
        except sqlite3.IntegrityError:
            continue  # SQLite itself would not have it so
        tried.add((table, column))
        assert not holds(copy), f"{table}.{column}"
    assert len(tried) >= 50


@pytest.mark.torture
@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM op WHERE id = 5",
        "DELETE FROM problem WHERE rowid = 2",
        "INSERT INTO problem SELECT * FROM problem LIMIT 1",
        "INSERT INTO op (stage, path, node, size, waits, state, reason) VALUES (3, 5, 'file', 1, 0, 'planned', 'x')",
        "UPDATE op SET source = NULL WHERE id = 3",
        "UPDATE op SET ours = 'planned', reason = ours WHERE id = 3",
        "DELETE FROM seal",
        "INSERT INTO seal SELECT * FROM seal",
        "INSERT INTO run SELECT id || 'x', name, file, manifest, digest, version, state, purpose, created, ended,"
        " exit, begun FROM run",
        "UPDATE path SET path = path || char(0) || 'x' WHERE id = 3",
    ],
)
def test_D9_a_row_more_or_less_is_seen(copy: Path, change: str) -> None:
    with changing(copy) as connection:
        connection.execute(change)

    assert not holds(copy)


@pytest.mark.torture
def test_D9_a_byte_flipped_anywhere_is_seen_or_changes_nothing(plan: Path, copy: Path) -> None:
    whole, before, seen = plan.read_bytes(), everything(plan), 0
    chance = random.Random(20261122)
    for place in [*range(100), *chance.sample(range(100, len(whole)), 200)]:
        with copy.open("r+b") as file:
            file.seek(place)
            file.write(bytes([whole[place] ^ (1 << chance.randrange(8))]))
        if holds(copy):
            assert everything(copy) == before, f"byte {place}"
        else:
            seen += 1
        with copy.open("r+b") as file:
            file.seek(place)
            file.write(whole[place : place + 1])
    assert holds(copy)
    assert seen > 40


@pytest.mark.torture
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(length=st.integers(0, 60_000), more=st.binary(max_size=20))
def test_D9_a_plan_that_was_cut_or_goes_on_is_seen(plan: Path, copy: Path, length: int, more: bytes) -> None:
    whole = plan.read_bytes()
    copy.write_bytes(whole[:length] + more)

    assert holds(copy) == (copy.read_bytes() == whole)


@pytest.mark.torture
@pytest.mark.parametrize(
    "change",
    [
        "CREATE TRIGGER t AFTER UPDATE ON op BEGIN DELETE FROM path; END",
        "CREATE VIEW v AS SELECT load_extension('x')",
        "CREATE INDEX i ON op (abs(size))",
        "CREATE TABLE more (x TEXT) STRICT",
        "ALTER TABLE op ADD COLUMN more TEXT AS (upper(note))",
        "DROP INDEX op_ready",
        "PRAGMA user_version = 9",
        "PRAGMA application_id = 9",
        "ANALYZE",
    ],
)
def test_D9_a_file_with_more_than_our_tables_is_not_read(copy: Path, change: str) -> None:
    with changing(copy) as connection:
        connection.execute(change)

    with pytest.raises(PlanStale), outside(copy, "the plan"):
        pass


def test_a_schema_that_lies_about_an_index_is_not_read(copy: Path) -> None:
    with changing(copy) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_schema SET sql = replace(sql, 'waits = 0', 'waits = 1') WHERE name = 'op_ready'"
        )

    with pytest.raises(PlanStale), outside(copy, "the plan"):
        pass


def test_an_index_that_does_not_agree_with_its_table_is_damage(copy: Path) -> None:
    with changing(copy) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_schema SET sql = 'x' || sql WHERE name = 'op_ready' AND 0")
        (text,) = connection.execute("SELECT sql FROM sqlite_schema WHERE name = 'op_ready'").fetchone()
        connection.execute("DELETE FROM sqlite_schema WHERE name = 'op_ready'")
    with changing(copy) as connection:
        connection.execute("UPDATE op SET tries = 1 WHERE id = 4")
        connection.execute("UPDATE op SET tries = 0 WHERE id = 4")
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("INSERT INTO sqlite_schema VALUES ('index', 'op_ready', 'op', 2, ?)", (text,))

    assert not holds(copy)


def test_a_table_that_is_added_later_is_under_the_seal(tmp_path: Path) -> None:
    path = made(tmp_path / "later.plan")
    with changing(path) as connection:
        connection.execute("CREATE TABLE later (a TEXT, b INTEGER, PRIMARY KEY (b, a)) STRICT, WITHOUT ROWID")
        connection.execute("INSERT INTO later VALUES ('x', 1)")
    seal(path, KEY)

    with changing(path) as connection:
        found = connection.execute("SELECT * FROM seal").fetchone()
        before = fits(connection, Seal(*found), KEY)
        connection.execute("UPDATE later SET a = 'y'")
        after = fits(connection, Seal(*found), KEY)

    assert (before, after) == (True, False)


def test_what_was_sealed_twice_holds_as_it_was_sealed_last(copy: Path) -> None:
    other = shared_key("another invented key")

    seal(copy, other)

    assert (holds(copy), holds(copy, other)) == (False, True)


def test_a_state_directory_has_one_key_that_only_its_owner_may_read(tmp_path: Path) -> None:
    assert known_own_key(tmp_path) is None

    first, again = own_key(tmp_path), own_key(tmp_path)

    assert first == again == known_own_key(tmp_path)
    assert stat.S_IMODE((tmp_path / "plan.key").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["plan.key"]
    other = tmp_path / "other"
    other.mkdir()
    assert own_key(other).id != first.id


@pytest.mark.torture
@pytest.mark.parametrize("what", ["open", "link", "folder", "another's"])
def test_D9_a_key_that_others_could_know_is_refused(tmp_path: Path, what: str) -> None:
    own_key(tmp_path)
    path = tmp_path / "plan.key"
    if what == "open":
        path.chmod(0o640)
    elif what == "link":
        path.rename(tmp_path / "elsewhere")
        path.symlink_to("elsewhere")
    elif what == "folder":
        path.unlink()
        path.mkdir()
    elif os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    else:
        os.chown(path, NOBODY, NOBODY)

    with pytest.raises(Denied):
        own_key(tmp_path)


def test_a_key_that_is_cut_off_or_short_is_refused(tmp_path: Path) -> None:
    (tmp_path / "plan.key").write_bytes(b"short")
    (tmp_path / "plan.key").chmod(0o600)

    with pytest.raises(StateError):
        own_key(tmp_path)
    with pytest.raises(UsageError, match="fewer than 16"):
        shared_key("guessable")


def test_a_key_has_no_readable_form() -> None:
    assert "invented" not in repr(KEY) + str(KEY)
