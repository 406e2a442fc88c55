"""A state file is ours, whole, private and never half made, or it is refused."""

import contextlib
import shutil
import sqlite3
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.model.errors import NoSpace, StateError
from runner.state import database
from runner.state.database import Database
from runner.state.hashes import Hashes
from runner.state.history import History
from runner.state.journal import VERSION, Journal

from .small import HEADER, journal, row, states


def hashes(state: Path) -> Hashes:
    """The cache of a state directory."""
    return Hashes(state / "hashes.db")


def newer(path: Path) -> None:
    """A journal of a format to come."""
    Journal(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version=99")
    connection.close()


def foreign(path: Path) -> None:
    """Somebody else's database."""
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (a)")
    connection.close()


def damaged(path: Path) -> None:
    """A journal with its first page overwritten."""
    Journal(path).close()
    data = path.read_bytes()
    path.write_bytes(data[:100] + b"\xff" * 4000 + data[4100:])


def text(path: Path) -> None:
    """No database at all."""
    path.write_text("hello, this is some text that is long enough to be looked at" * 20)


@pytest.mark.torture
@pytest.mark.parametrize("make", [newer, foreign, damaged, text])
def test_D5_D7_what_is_not_our_file_in_our_format_is_refused(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    path = tmp_path / "x.journal"
    make(path)
    before = path.read_bytes()

    with pytest.raises(StateError) as caught:
        Journal(path)

    assert str(path) in str(caught.value)
    assert caught.value.exit == 2
    assert path.read_bytes() == before


def test_a_newer_format_is_named_with_both_numbers(tmp_path: Path) -> None:
    newer(tmp_path / "x.journal")

    with pytest.raises(StateError, match=rf"newer acdrun \(its format is 99, ours {VERSION}\)"):
        Journal(tmp_path / "x.journal")


@pytest.mark.torture
def test_D11_journals_can_be_read_by_their_owner_alone(tmp_path: Path) -> None:
    made = Journal.create(tmp_path / "deep" / "x.journal", HEADER)

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in made.database.path.parent.iterdir()}
    made.close()

    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE((tmp_path / "deep").stat().st_mode) == 0o700


def test_a_journal_is_never_made_over_another(tmp_path: Path) -> None:
    Journal.create(tmp_path / "x.journal", HEADER).close()

    with pytest.raises(FileExistsError):
        Journal.create(tmp_path / "x.journal", HEADER)


def test_a_closed_journal_is_one_file(tmp_path: Path) -> None:
    journal(tmp_path, row(1, 1)).close()

    assert [path.name for path in tmp_path.iterdir()] == ["small.journal"]


def test_looking_at_a_journal_that_has_ended_changes_no_byte_of_it(tmp_path: Path) -> None:
    made = journal(tmp_path, row(1, 1))
    made.end(0)
    made.close()
    file = tmp_path / "small.journal"
    before = file.read_bytes(), file.stat().st_mtime_ns

    with contextlib.closing(Journal(file, reading=True)) as looked_at:
        assert states(looked_at) == ["planned"]
        assert [path.name for path in tmp_path.iterdir()] == ["small.journal"]

    assert (file.read_bytes(), file.stat().st_mtime_ns) == before


@pytest.mark.parametrize(("make", "name"), [(History, "pairs.db"), (hashes, "hashes.db")])
def test_what_is_kept_between_runs_is_one_file_and_asking_it_changes_no_byte(
    tmp_path: Path, make: Callable[[Path], History | Hashes], name: str
) -> None:
    for _ in range(2):
        make(tmp_path).close()
    before = (tmp_path / name).read_bytes()

    make(tmp_path).close()

    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes() == before


def test_closing_does_not_wait_for_another_process_that_writes(tmp_path: Path) -> None:
    made = journal(tmp_path, row(1, 1))
    with contextlib.closing(sqlite3.connect(made.database.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        start = time.monotonic()
        made.close()
        took_s = time.monotonic() - start
        other.execute("UPDATE op SET state = 'done'")
        other.execute("COMMIT")

    with contextlib.closing(Journal(tmp_path / "small.journal")) as reopened:
        assert states(reopened) == ["done"]
    assert took_s < 5


def test_a_process_that_dies_while_it_makes_the_schema_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(database, "_statements", lambda script: iter(["CREATE TABLE half (a)", "nonsense"]))
        with pytest.raises(StateError):
            Hashes(tmp_path / "hashes.db")

    with Database(tmp_path / "hashes.db", "hashes", 2) as whole:
        tables = whole.rows("SELECT name FROM sqlite_schema WHERE type = 'table'")
        assert tables == [("hash",), ("folder",), ("upkeep",)]


def test_a_body_that_raises_leaves_nothing_and_the_database_goes_on(tmp_path: Path) -> None:
    made = journal(tmp_path, row(1, 1))

    with pytest.raises(ZeroDivisionError), made.database.transaction() as connection:
        connection.execute("UPDATE op SET state = 'done'")
        raise ZeroDivisionError
    made.mark("applying")

    assert states(made) == ["planned"]
    assert made.header.state == "applying"
    made.close()


def test_a_transaction_that_sqlite_rolled_back_itself_keeps_its_own_error(tmp_path: Path) -> None:
    made = journal(tmp_path, row(1, 1))

    with pytest.raises(ZeroDivisionError), made.database.transaction() as connection:
        connection.execute("ROLLBACK")  # as SQLite does after some I/O errors
        raise ZeroDivisionError
    made.mark("applying")

    assert made.header.state == "applying"
    made.close()


def test_a_commit_that_fails_is_no_commit_and_the_database_goes_on(tmp_path: Path) -> None:
    made = journal(tmp_path, row(1, 1))
    made.database.rows("PRAGMA foreign_keys=ON")

    with pytest.raises(sqlite3.IntegrityError), made.database.transaction() as connection:
        connection.execute("PRAGMA defer_foreign_keys=ON")
        connection.execute("UPDATE op SET stage = 99")
    made.mark("applying")

    assert made.database.rows("SELECT stage FROM op") == [(1,)]
    made.close()


def test_a_file_that_cannot_be_written_on_a_full_disk_is_told_as_no_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal"
    path.mkdir()  # whatever SQLite says of it, it is not "full"
    usage = shutil.disk_usage(tmp_path)

    with pytest.raises(StateError):
        Database(path, "journal", VERSION)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=4096))
    with pytest.raises(NoSpace):
        Database(path, "journal", VERSION)


@pytest.mark.parametrize("number", [0, 1, 49, 50, 51, 149, 150])
def test_however_many_rows_are_inserted_each_is_there_once_and_in_order(tmp_path: Path, number: int) -> None:
    rows = [(id_, f"text {id_}") for id_ in range(number)]

    with Database(tmp_path / "x.db", "lineage", 1) as made, made.transaction() as connection:
        connection.execute("CREATE TABLE kept (id, text)")
        database.insert_all(connection, "INSERT INTO kept", "(?, ?)", rows)
        found = connection.execute("SELECT * FROM kept ORDER BY rowid").fetchall()

    assert found == rows
