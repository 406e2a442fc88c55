"""The one way a SQLite file is opened here."""

import contextlib
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from itertools import chain
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from runner.model.errors import NoSpace, Spoilt, StateError

_ROOM = 256 << 10  # bytes; less than this is no disk to keep a journal on
_AT_ONCE = 50  # rows in one INSERT
LATER = "LATER"
APPLICATION = 0x61636472  # "acdr": `file` and a careless reader can tell whose file it is


class Database:
    """A SQLite file with our pragmas, used by one thread at a time.

    schema: name of the .sql file beside this module; version: of that schema. A newer one is refused; in a cache of
    an older one the schema is run again, and makes what is not there yet.
    synchronous: FULL where a lost commit costs work or safety, NORMAL for caches, LATER for what is FULL from
    `firmly` on. reading: nothing will be written, so the file stays in the mode that it is in: to change that
    takes eight flushes.
    Raises StateError when the file is damaged, foreign, newer, or cannot be written.
    """

    def __init__(
        self, path: Path, schema: str, version: int, *, synchronous: str = "FULL", reading: bool = False
    ) -> None:
        self.path = path
        self._reading = reading
        self._later = synchronous == LATER
        self._lock = threading.RLock()
        with self._translated():
            fresh = not path.exists()
            self._connection = sqlite3.connect(
                path, isolation_level=None, check_same_thread=False, cached_statements=256
            )
            try:
                if fresh:
                    path.chmod(0o600)
                self._prepare(schema, version, synchronous)
            except BaseException:
                self._connection.close()
                raise

    def _prepare(self, schema: str, version: int, synchronous: str) -> None:
        found = self._connection.execute("PRAGMA application_id").fetchone()[0]
        (has,) = self._connection.execute("PRAGMA user_version").fetchone()
        empty = not self._connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone()
        if not empty and found != APPLICATION:
            raise Spoilt(f"{str(self.path)!r} was not written by acdrun")
        if has > version:
            raise StateError(
                f"{str(self.path)!r} was written by a newer acdrun (its format is {has}, ours {version})",
                hint="use that acdrun, or another state directory",
            )
        # What is sorted and does not fit in the cache goes to an unlinked file: a million rows may be sorted.
        level = "NORMAL" if synchronous == LATER else synchronous
        pragmas = [f"synchronous={level}", "busy_timeout=10000", "temp_store=FILE", "cache_size=-8000"]
        if not self._reading:
            pragmas.append("journal_mode=WAL")
        for pragma in pragmas:
            self._connection.execute(f"PRAGMA {pragma}")
        if empty or (has < version and synchronous == "NORMAL"):
            with self.transaction() as connection:  # one commit: nobody ever finds half a schema
                if connection.execute("PRAGMA user_version").fetchone()[0] >= version:
                    return  # another process was faster
                for statement in _statements(sql(schema)):
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id={APPLICATION}")
                connection.execute(f"PRAGMA user_version={version}")

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One commit; nothing of it stays when the body raises."""
        with self._lock, self._translated():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # SQLite itself has rolled back after some errors
                    self._connection.execute("ROLLBACK")
                raise

    def firmly(self) -> None:
        """From the next commit on each outlasts a power cut, and all before it does with it. Not within a commit."""
        if self._later:
            with self._lock, self._translated():
                self._connection.execute("PRAGMA synchronous=FULL")
            self._later = False

    @contextmanager
    def reading(self) -> Iterator[None]:
        """What is read inside is all of one moment, whatever others write meanwhile."""
        with self._lock, self._translated():
            self._connection.execute("BEGIN")
            self._connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone()  # the moment is now
        try:
            yield
        finally:
            with self._lock, self._translated():
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    def prepare(self, script: str) -> None:
        """Run the statements of one of our .sql files in one commit."""
        with self.transaction() as connection:
            for statement in _statements(sql(script)):
                connection.execute(statement)

    def rows(self, query: str, *values: object) -> list[tuple[object, ...]]:
        """The rows of a small query. values: for its question marks, or one mapping for its names."""
        with self._lock, self._translated():
            return self._connection.execute(query, _bound(values)).fetchall()

    def stream(self, query: str, *values: object, batch: int = 1000) -> Iterator[tuple[object, ...]]:
        """The rows of a large query, a batch at a time."""
        with self._lock, self._translated():
            cursor = self._connection.execute(query, _bound(values))
        while True:
            with self._lock, self._translated():
                some = cursor.fetchmany(batch)
            if not some:
                return
            yield from some

    def define(self, function: Callable[..., str | None]) -> None:
        """Let queries call it by its name; its result depends on its arguments alone."""
        arguments = function.__code__.co_argcount
        with self._lock, self._translated():
            self._connection.create_function(function.__name__, arguments, function, deterministic=True)

    def close(self, *, one_file: bool = True) -> None:
        """Let go. one_file: fold the write-ahead log into the file, which says so: see `unfolded`."""
        with self._lock:
            try:
                if self._reading or not one_file:
                    return
                self._connection.execute("PRAGMA busy_timeout=0")  # who else has it open will do this in turn
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                self._connection.execute("PRAGMA journal_mode=DELETE")
            except sqlite3.Error:
                pass  # the log stays beside the file and is read with it the next time
            finally:
                self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _disk_is_full(self) -> bool:
        """SQLite calls it an I/O error when the log beside the file finds no room."""
        try:
            return shutil.disk_usage(self.path.parent).free < _ROOM
        except OSError:
            return False

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname == "SQLITE_FULL" or self._disk_is_full():
                raise NoSpace(
                    f"no room to write {str(self.path)!r}", hint="free some space and run again"
                ) from error
            raise StateError(f"{str(self.path)!r} cannot be used: {error}") from error
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorname", "").startswith("SQLITE_CONSTRAINT"):
                raise
            raise Spoilt(
                f"{str(self.path)!r} is damaged: {error}", hint="move it away; no stored file depends on it"
            ) from error


def open_cache(path: Path, schema: str, version: int) -> Database:
    """A file that may be lost: one that is damaged is set aside and begun anew. Raises StateError for a newer one."""
    try:
        return Database(path, schema, version, synchronous="NORMAL")
    except Spoilt:
        return renew_cache(path, schema, version)


def renew_cache(path: Path, schema: str, version: int) -> Database:
    """Set a damaged file aside, which nobody holds open here any more, and begin anew."""
    for end in ("", "-wal", "-shm"):
        file = path.with_name(path.name + end)
        with contextlib.suppress(FileNotFoundError):
            file.replace(file.with_name(f"{path.name}.damaged{end}"))
    return Database(path, schema, version, synchronous="NORMAL")


def glance(path: Path, version: int, query: str) -> list[tuple[object, ...]]:
    """The rows of a query on a file that may be in use, or left by a killed process: nothing of it is changed.

    Raises StateError when it is damaged, foreign or newer.
    """
    try:
        address = f"file:{quote(str(path))}?mode=ro"
        with contextlib.closing(sqlite3.connect(address, uri=True, timeout=10)) as connection:
            (found,), (has,) = (
                connection.execute(f"PRAGMA {pragma}").fetchone()
                for pragma in ("application_id", "user_version")
            )
            if found != APPLICATION or has > version:
                raise StateError(f"{str(path)!r} was not written by this acdrun")
            return connection.execute(query).fetchall()
    except sqlite3.Error as error:
        raise StateError(f"{str(path)!r} cannot be read: {error}") from error


def unfolded(path: Path) -> bool:
    """Was the file left by somebody who did not close it as one file? Costs a look at its first bytes.

    Source: SQLite, Database File Format, section 1.3: bytes 18 and 19 are 2 in a file that is written with a log.
    """
    try:
        with path.open("rb") as file:
            return file.read(20)[18:] == b"\x02\x02"
    except OSError:
        return False


def insert_all(
    connection: sqlite3.Connection, statement: str, row: str, rows: Sequence[Sequence[object]]
) -> None:
    """Insert many rows, inside of a commit.

    statement: an INSERT as far as its VALUES; row: what follows there for each, such as "(?, ?)".
    Going through a statement costs more than a row of it: fifty at a time, a row costs half.
    """
    whole = len(rows) - len(rows) % _AT_ONCE
    many = f"{statement} VALUES {','.join([row] * _AT_ONCE)}"
    for start in range(0, whole, _AT_ONCE):
        connection.execute(many, tuple(chain.from_iterable(rows[start : start + _AT_ONCE])))
    connection.executemany(f"{statement} VALUES {row}", rows[whole:])


def _bound(values: tuple[object, ...]) -> Any:
    return values[0] if len(values) == 1 and isinstance(values[0], dict) else values


def _statements(script: str) -> Iterator[str]:
    """The statements of a script one by one: `executescript` would commit before each of them."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def sql(name: str) -> str:
    """The text of a .sql file of this room."""
    return resources.files("runner.state").joinpath(f"sql/{name}.sql").read_text()
