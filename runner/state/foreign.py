"""Opening a SQLite file that somebody else may have written: nothing in it is run, and nothing of it is believed."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path

from runner.model.errors import PlanStale
from runner.state.database import APPLICATION, sql

MOST_BYTES = 1 << 40
"""Some 4,000,000,000 operations; whatever is larger is no plan."""

_MAGIC = b"SQLite format 3\0"
_LONGEST_VALUE = 64 << 20
_HINT = "make a new one: acdrun --plan --out PLAN FILE"


def look(path: Path, name: str) -> None:
    """Is it a database of ours, as long as it says? Reads 100 bytes. Raises PlanStale; name: for the message.

    Source: sqlite.org/fileformat2.html, section 1.3.
    """
    with path.open("rb") as file:
        head = file.read(100)
    size = path.stat().st_size
    if len(head) < 100 or not head.startswith(_MAGIC) or _number(head, 68) != APPLICATION:
        raise PlanStale(f"{name!r} is no plan", hint=_HINT)
    if size > MOST_BYTES:
        raise PlanStale(f"{name!r} is no plan: it has {size:,} bytes", hint=_HINT)
    page = int.from_bytes(head[16:18])
    whole = (65536 if page == 1 else page) * _number(head, 28)
    if size < whole:
        raise PlanStale(
            f"{name!r} is cut off: it has {size:,} bytes and should have {whole:,}",
            hint="copy it again from where it was made",
        )
    if size > whole:
        raise PlanStale(f"{name!r} is damaged: {size - whole:,} bytes follow its end", hint=_HINT)


@contextmanager
def foreign(path: Path, schema: str, version: int, name: str) -> Iterator[sqlite3.Connection]:
    """A private copy of such a file, to read from: exactly our tables, of this version, and whole.

    path: a file that nobody else writes to. schema: name of the .sql file; name: what messages call it.
    Raises PlanStale for what is not, and when reading on shows damage. Reads the whole file once.
    """
    look(path, name)
    try:
        with closing(
            sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, isolation_level=None)
        ) as connection:
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE)
            for pragma in ("trusted_schema=OFF", "cell_size_check=ON", "mmap_size=0", "query_only=ON",
                           "cache_size=-8000"):  # fmt: skip
                connection.execute(f"PRAGMA {pragma}")
            _check(connection, schema, version, name)
            yield connection
    except (sqlite3.Error, UnicodeDecodeError, OverflowError) as error:
        raise PlanStale(f"{name!r} is damaged: {error}", hint=_HINT) from error


def _check(connection: sqlite3.Connection, schema: str, version: int, name: str) -> None:
    objects = _objects(connection)
    if not any(kind == "table" and table == "run" for kind, table, *_ in objects):
        raise PlanStale(f"{name!r} is no plan", hint=_HINT)
    (has,) = connection.execute("PRAGMA user_version").fetchone()
    if has != version:
        made_by = "a newer" if has > version else "an older"
        raise PlanStale(
            f"{name!r} was made by {made_by} acdrun (its format is {has}, ours {version})",
            hint="apply it with that acdrun, or make a new one with this",
        )
    if objects != _expected(schema):
        raise PlanStale(f"{name!r} holds tables or programs that no plan of this version holds", hint=_HINT)
    (said,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if said != "ok":
        raise PlanStale(f"{name!r} is damaged: {' '.join(str(said).split())}", hint=_HINT)


@cache
def _expected(schema: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(sql(schema))
        return _objects(connection)


def _objects(connection: sqlite3.Connection) -> list[tuple[object, ...]]:
    """Everything that a schema can hold: tables, indexes, triggers, views."""
    return connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY 1, 2").fetchall()


def _number(head: bytes, at: int) -> int:
    return int.from_bytes(head[at : at + 4])
