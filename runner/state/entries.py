"""The index of a remote: what its change feed has told, so that listing it costs no requests."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import Connection
from typing import Any, get_args

from runner.model.backend import ChangePage
from runner.model.checksum import Checksum
from runner.model.node import Kind, Node
from runner.model.nodes import Nodes, Stamp
from runner.state.database import Database, insert_all, open_cache, renew_cache

_KINDS: tuple[Kind, ...] = get_args(Kind)
_NUMBERS = {kind: number for number, kind in enumerate(_KINDS)}
_COLUMNS = "name, kind, size, mtime_ns, algorithm, digest, id, generation, changed_ns"
_CHILDREN = f"SELECT {_COLUMNS} FROM entry WHERE parent = ?"  # noqa: S608


class Snapshot:
    """The index as it was at one moment, whatever is written to it meanwhile."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def top(self) -> str | None:
        """Id of the folder that all paths begin at; None in an index that is empty."""
        rows = self._database.rows("SELECT top FROM feed")
        return str(rows[0][0]) if rows else None

    def compared(self, path: str) -> int | None:
        """When a listing below this path, from the top, last agreed, in s since 1970; None for never."""
        rows = self._database.rows("SELECT at_s FROM compared WHERE path = ?", _bytes(path))
        return int(str(rows[0][0])) if rows else None

    def children(self, folder: str) -> Sequence[Node]:
        """What stands in the folder of this id, in any order."""
        rows: list[Any] = self._database.rows(_CHILDREN, folder)
        stamps: dict[str, Stamp] = {
            name: (_KINDS[kind], size, mtime_ns, None if algorithm is None else Checksum(algorithm, digest))
            for name, kind, size, mtime_ns, algorithm, digest, *_ in rows
        }
        if len(stamps) == len(rows) and all(type(row[0]) is str for row in rows):
            return Nodes(stamps, _Rows(rows))
        return [_node(row) for row in rows]


class _Rows:
    """What stands behind the columns of one folder."""

    def __init__(self, rows: list[Any]) -> None:
        self._rows = rows
        self._named: dict[str, Any] = {}

    def node(self, name: str) -> Node:
        """The node of that name."""
        if not self._named:
            self._named = {row[0]: row for row in self._rows}
        return _node(self._named[name])

    def state(self, files: Collection[str]) -> None:
        """None: each has a generation of its own at hand."""


def _node(row: Any) -> Node:
    name, kind, size, mtime_ns, algorithm, digest, id_, generation, changed_ns = row
    checksum = None if algorithm is None else Checksum(algorithm, digest)
    text = name if isinstance(name, str) else name.decode("utf-8", "surrogatepass")
    return Node(text, _KINDS[kind], size, mtime_ns, checksum, id_, generation, changed_ns)


class Entries:
    """The index of one remote, in a file that may be lost: without it the remote is listed.

    Of those that read one feed, only one gets ahead: see `keep`. A file that is damaged is set aside and begun
    anew. Raises StateError where a newer version wrote it.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        self._path = path
        self._database = open_cache(path, "entries", 1)

    @property
    def cursor(self) -> str | None:
        """Where the feed is to be read on; None from its beginning."""
        rows = self._database.rows("SELECT cursor FROM feed")
        return str(rows[0][0]) if rows else None

    def __len__(self) -> int:
        ((number,),) = self._database.rows("SELECT count(*) FROM entry")
        return int(str(number))

    def keep(self, page: ChangePage, after: str | None) -> bool:
        """Write a page of the feed down together with its cursor.

        after: the cursor that the page follows; False when the index stands elsewhere, because somebody else has
        read on meanwhile. Older pages after newer ones would bring back what was.
        """
        with self._database.transaction() as connection:
            row = connection.execute("SELECT cursor FROM feed").fetchone()
            if (row[0] if row else None) != after:
                return False
            if page.reset or after is None:
                _forget(connection)
            connection.executemany(
                "DELETE FROM entry WHERE id = ?", [(change.id,) for change in page.changes]
            )
            insert_all(
                connection,
                "INSERT INTO entry",
                "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    _row(parent, change.id, change.node)
                    for change in page.changes
                    if change.node is not None
                    for parent in change.parents
                ],
            )
            connection.execute("INSERT OR REPLACE INTO feed VALUES (1, ?, ?)", (page.top, page.cursor))
        return True

    def forget(self) -> None:
        """Begin anew the next time."""
        with self._database.transaction() as connection:
            _forget(connection)

    def renew(self) -> None:
        """What was read made no sense: set the file aside."""
        self._database.close(one_file=False)
        self._database = renew_cache(self._path, "entries", 1)

    def agreed(self, path: str, at_s: int) -> None:
        """A listing below this path did agree."""
        with self._database.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO compared VALUES (?, ?)", (_bytes(path), at_s))

    def distrust(self) -> None:
        """No listing has agreed yet."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM compared")

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """The index as it is now, for as long as it is looked at."""
        database = Database(self._path, "entries", 1, synchronous="NORMAL")
        try:
            with database.reading():
                yield Snapshot(database)
        finally:
            database.close(one_file=False)

    def close(self) -> None:
        """Let go."""
        self._database.close()


def _forget(connection: Connection) -> None:
    for table in ("entry", "feed", "compared"):
        connection.execute(f"DELETE FROM {table}")  # noqa: S608


def _row(parent: str, id_: str, node: Node) -> Sequence[object]:
    checksum = node.checksum
    return (
        parent, id_, _stored(node.name), _NUMBERS[node.kind], node.size, node.mtime_ns,
        checksum.algorithm if checksum else None, checksum.digest if checksum else None,
        node.generation, node.changed_ns,
    )  # fmt: skip


def _stored(name: str) -> str | bytes:
    return name if name.isascii() or not any("\ud800" <= c <= "\udfff" for c in name) else _bytes(name)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
