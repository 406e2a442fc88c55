"""What earlier jobs have still to do where a later one reads: a few statements, set by set."""

import json
from collections.abc import Sequence
from sqlite3 import Connection
from typing import NamedTuple

from runner.model.errors import Blocked
from runner.model.foresight import Coming
from runner.model.path import fold, join, order, parent, within
from runner.state.journal import Journal

_GATHER = """
INSERT OR REPLACE INTO temp.foreseen
SELECT :reader, key, iif(key = '', NULL, foreseen_folder(key)), there, {kind}, id
FROM (SELECT id, node, there, foreseen_key(there, :folds) AS key FROM (
    SELECT op.id, op.node, foreseen_path({path}, :above, :below, :folds) AS there
    FROM stage CROSS JOIN op ON op.stage = stage.id CROSS JOIN path ON path.id = op.path
    WHERE stage.pair = :pair AND stage.task IN ({tasks}) AND op.state IN ('planned', 'taken')
) WHERE there IS NOT NULL)
"""
_THERE = "coalesce(nullif(op.target, ''), path.path)"
_GONE = _GATHER.format(
    kind="'gone'",
    path=f"iif(stage.task = 'trash', {_THERE}, op.origin)",
    tasks="'trash', 'move', 'respell'",
)
_MADE = _GATHER.format(kind="node", path=_THERE, tasks="'mkdir', 'respell', 'move', 'upload'")
_NOT_WHOLE = """
SELECT stage.job, stage.task FROM stage CROSS JOIN op ON op.stage = stage.id
WHERE stage.job IN (SELECT value FROM json_each(?)) AND op.state IN ('failed', 'stale', 'held') LIMIT 1
"""
_COMING = """
SELECT foreseen.folder, foreseen.there, foreseen.kind, coalesce(stage.pair, ''), coalesce(stage.task = 'move', 0),
    coalesce(iif(stage.task = 'move', op.origin, path.path), ''),
    coalesce(iif(stage.task = 'move', op.destination, op.source), ''),
    coalesce(op.size, 0), op.mtime_ns, coalesce(op.ours, '')
FROM temp.foreseen {index} LEFT JOIN op ON op.id = foreseen.op LEFT JOIN path ON path.id = op.path
    LEFT JOIN stage ON stage.id = op.stage
WHERE foreseen.reader = ? AND {which}
"""
_AT = _COMING.format(index="", which="foreseen.path = ?")
_BELOW = _COMING.format(
    index="INDEXED BY foreseen_folder", which="foreseen.folder IN (SELECT value FROM json_each(?))"
)
_FILES = _COMING.format(
    index="", which="foreseen.path > ? AND foreseen.kind = 'file' ORDER BY foreseen.path LIMIT 1000"
)
_AMONG = "SELECT path FROM temp.foreseen WHERE reader = ? AND path IN (SELECT value FROM json_each(?))"
_BIND = """
UPDATE op SET made = (SELECT foreseen.op FROM path
    CROSS JOIN temp.foreseen ON foreseen.reader = :reader AND foreseen.path = foreseen_key(path.path, :folds)
    WHERE path.id = op.path)
WHERE op.stage IN (SELECT id FROM stage WHERE pair = :pair AND task <> 'barrier')
"""


class Feeder(NamedTuple):
    """A pair of an earlier job that writes where a later one reads.

    above: where its destination is, below that source, "" when it is or holds it; below: likewise, where the source
    is below that destination.
    """

    pair: str
    above: str
    below: str


class Plans:
    """What the plans of earlier jobs come to below the source of one pair; see `Foresight`.

    needed: all jobs that come before; feeders: those pairs of theirs that write there, in the order in which they
    run. folds: names that `path.fold` makes equal are one there; timed: it keeps times.
    """

    def __init__(
        self,
        journal: Journal,
        pair: str,
        needed: Sequence[str],
        feeders: Sequence[Feeder],
        *,
        folds: bool,
        timed: bool,
    ) -> None:
        self._database = journal.database
        self._pair, self._needed, self._feeders, self._folds = pair, needed, feeders, folds
        self._timed = timed
        (self._reader,) = [s.id for s in journal.stages() if (s.pair, s.task) == (pair, "match")] or [0]
        self.number = self.untimed = 0

    def begin(self) -> int:
        """See `Foresight`. What will hold a later job in a run holds its plan too: it knows only of whole jobs."""
        for job, task in self._database.rows(_NOT_WHOLE, json.dumps(self._needed)):
            raise Blocked(f"held back: job {job!r} will not be done whole, its {task} is held")
        self._database.prepare("foreseen")
        for function in (foreseen_path, foreseen_key, foreseen_folder):
            self._database.define(function)
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM temp.foreseen WHERE reader = ?", (self._reader,))
            for feeder in self._feeders:
                self._gather(connection, feeder)
            query = (
                "SELECT count(op.id), count(*) FILTER"
                " (WHERE foreseen.kind = 'file' AND op.origin = '' AND op.mtime_ns IS NULL)"
                " FROM temp.foreseen JOIN op ON op.id = foreseen.op WHERE reader = ?"
            )
            self.number, untimed = connection.execute(query, (self._reader,)).fetchone()
            self.untimed = untimed if self._timed else 0
        return self.number

    def _gather(self, connection: Connection, feeder: Feeder) -> None:
        values = {"reader": self._reader, "folds": self._folds, **feeder._asdict()}
        connection.execute(_GONE, values)
        made = connection.execute(_MADE, values).rowcount
        parts = order(feeder.above)
        for depth in range(len(parts) + 1) if made else ():
            path = "/".join(parts[:depth])
            connection.execute(
                "INSERT OR IGNORE INTO temp.foreseen VALUES (?, ?, ?, ?, 'folder', NULL)",
                (self._reader, self.key(path), self.key(parent(path)) if path else None, path),
            )

    def at(self, path: str) -> Coming | None:
        """See `Foresight`."""
        rows = self._database.rows(_AT, self._reader, self.key(path))
        return Coming(*rows[0][1:]) if rows else None  # type: ignore[arg-type]

    def below(self, folders: Sequence[str]) -> dict[str, list[Coming]]:
        """See `Foresight`."""
        asked = {self.key(folder): folder for folder in folders}
        found: dict[str, list[Coming]] = {}
        for folder, *coming in self._database.rows(_BELOW, self._reader, json.dumps(list(asked))):
            found.setdefault(asked[str(folder)], []).append(Coming(*coming))  # type: ignore[arg-type]
        return found

    def among(self, paths: Sequence[str]) -> set[str]:
        """See `Foresight`."""
        asked = {self.key(path): path for path in paths}
        rows = self._database.rows(_AMONG, self._reader, json.dumps(list(asked)))
        return {asked[str(path)] for (path,) in rows}

    def files(self, after: str) -> Sequence[Coming]:
        """See `Foresight`."""
        rows = self._database.rows(_FILES, self._reader, self.key(after))
        return [Coming(*row[1:]) for row in rows]  # type: ignore[arg-type]

    def key(self, path: str) -> str:
        """See `Foresight`."""
        return foreseen_key(path, self._folds)

    def bind(self) -> None:
        """See `Foresight`."""
        if self.number:
            values = {"reader": self._reader, "pair": self._pair, "folds": self._folds}
            with self._database.transaction() as connection:
                connection.execute(_BIND, values)


def foreseen_path(path: str, above: str, below: str, folds: int) -> str | None:
    """A path below a feeder's destination as its reader sees it; NULL for one that is not below its source."""
    if not below:
        return join(above, path)
    if not within(foreseen_key(path, folds), foreseen_key(below, folds)):
        return None
    return "/".join(order(path)[len(order(below)) :])


def foreseen_key(path: str, folds: int) -> str:
    """A path in the form in which the place compares it."""
    return fold(path) if folds else path


def foreseen_folder(path: str) -> str:
    """The folder above a path."""
    return parent(path)
