"""Renames: a planned upload and a planned trashing of the same content become a move."""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, islice
from operator import itemgetter
from sqlite3 import Connection
from typing import Literal, NamedTuple

from runner.model.checksum import Checksum
from runner.model.path import name
from runner.model.tally import Amount
from runner.state.journal import Journal

BATCH = 500
MOST_READ = 16
"""Files of one size that are read at most for each file of that size that would be trashed: of a thousand new
files of one size and one lost one, most would be read for nothing."""

_FILES = {
    "lost": "op.stage = :op_stage AND op.node = 'file' AND op.size > 0 AND op.state = 'planned'",
    "fresh": "op.stage = :op_stage AND op.node = 'file' AND op.size > 0 AND op.state = 'planned'"
    " AND op.destination IS NULL",
}
_SIZED = f"""
WITH lost AS MATERIALIZED (
    SELECT size, count(*) AS number FROM op WHERE {_FILES["lost"].replace(":op_stage", ":trash")} GROUP BY size
)
INSERT INTO temp.sized (stage, size, lost, fresh)
SELECT :stage, op.size, max(lost.number), count(*) FROM op CROSS JOIN lost ON lost.size = op.size
WHERE {_FILES["fresh"].replace(":op_stage", ":upload")} GROUP BY op.size
"""  # noqa: S608
_SEEN = {"lost": ("destination", "digest"), "fresh": ("source", "ours")}
_POSSIBLE = {
    "lost": "EXISTS (SELECT 1 FROM temp.sized WHERE sized.stage = :stage AND sized.size = op.size)",
    "fresh": "EXISTS (SELECT 1 FROM temp.lost WHERE lost.stage = :stage AND lost.size = op.size)",
    "timed": "EXISTS (SELECT 1 FROM temp.lost WHERE lost.stage = :stage AND lost.size = op.size"
    " AND lost.mtime_ns BETWEEN op.mtime_ns - :within AND op.mtime_ns + :within)",
}
_PAIRED = """
SELECT this.size, this.digest, this.op, path.path, op.mtime_ns, {columns}
FROM temp.{side} AS this CROSS JOIN op ON op.id = this.op CROSS JOIN path ON path.id = op.path
WHERE this.stage = ? AND EXISTS (
    SELECT 1 FROM temp.{other} AS other
    WHERE other.stage = this.stage AND other.size = this.size AND other.digest = this.digest
)
ORDER BY this.size, this.digest, this.op
"""
_MOVE = """
UPDATE op SET stage = :move, source = iif(:proven, op.source, ''), destination = old.destination, ours = old.digest,
    digest = old.digest, origin = was.path, reason = :reason
FROM op AS old CROSS JOIN path AS was ON was.id = old.path
WHERE op.id = :fresh AND old.id = :lost
"""
_UNPROVE = "DELETE FROM op WHERE stage = :verify AND path = (SELECT path FROM op WHERE id = :fresh)"
_FOLDER = """
UPDATE op SET waits = waits - 1
WHERE stage = :trash AND path = (SELECT path.parent FROM op JOIN path ON path.id = op.path WHERE op.id = :lost)
"""
_ANY = f"SELECT 1 FROM op WHERE {_FILES['lost'].replace(':op_stage', '?')} LIMIT 1"  # noqa: S608
_KEEP = "DELETE FROM op WHERE id = :lost"

Side = Literal["lost", "fresh"]


class Candidate(NamedTuple):
    """A planned operation that may be half of a rename; place: its row in `path`; digest: "" while unknown."""

    op: int
    place: int
    path: str
    size: int
    generation: str
    mtime_ns: int | None
    digest: str


class Found(NamedTuple):
    """The digest of a candidate. proven: of the very generation that was listed."""

    candidate: Candidate
    checksum: Checksum
    proven: bool = True


class _Half(NamedTuple):
    size: int
    key: int
    op: int
    path: str
    mtime_ns: int | None
    digest: str
    proven: int


class Renames:
    """Finds the renames in the plan of one pair of a mirror.

    "lost" are files that would be trashed, "fresh" those that would be sent to where nothing is.
    step_ns: where time is what makes a file changed, the coarser of the two sides' steps: only files whose
        times are the same then make a rename, for a move keeps the old one. None where time does not matter.
    """

    def __init__(self, journal: Journal, pair: str, *, step_ns: int | None = None) -> None:
        self._journal, self._database = journal, journal.database
        self._pair = pair
        self._within = None if step_ns is None else max(0, step_ns - 1)
        self._ids: dict[str, int] = {}

    def begin(self) -> Amount:
        """Look for sizes that stand on both sides; return how many files that leaves, and their bytes."""
        rows = self._database.rows("SELECT task, id FROM stage WHERE pair = ?", self._pair)
        self._ids = {str(task): int(str(id_)) for task, id_ in rows}
        values = {"stage": self._stage, "trash": self._ids["trash"], "upload": self._ids["upload"]}
        self._database.prepare("renames")
        with self._database.transaction() as connection:
            self._clear(connection)
            if not connection.execute(_ANY, (self._ids["trash"],)).fetchone():
                return Amount()
            connection.execute(_SIZED, values)
            query = "SELECT coalesce(sum(lost + fresh), 0), coalesce(sum(size * (lost + fresh)), 0) FROM temp.sized"
            return Amount(*connection.execute(f"{query} WHERE stage = ?", (self._stage,)).fetchone())

    def candidates(self, side: Side, after: Candidate | None = None) -> Sequence[Candidate]:
        """The next files of that side, in path order, of which some on the other side may be the same."""
        timed = side == "fresh" and self._within is not None
        generation, digest = _SEEN[side]
        query = (
            f"SELECT op.id, op.path, path.path, op.size, op.{generation}, op.mtime_ns, op.{digest}"  # noqa: S608
            " FROM op INDEXED BY op_place CROSS JOIN path ON path.id = op.path"
            f" WHERE op.path > :after AND {_FILES[side]} AND {_POSSIBLE['timed' if timed else side]}"
            " ORDER BY op.path LIMIT :most"
        )
        values = {
            "stage": self._stage,
            "op_stage": self._ids["trash" if side == "lost" else "upload"],
            "after": after.place if after else 0,
            "within": self._within,
            "most": BATCH,
        }
        with self._database.transaction() as connection:
            return [Candidate(*row) for row in connection.execute(query, values)]

    def readable(self, candidates: Iterable[Candidate]) -> Sequence[Candidate]:
        """Those of the fresh ones that are worth reading: see MOST_READ."""
        query = (
            "UPDATE temp.sized SET tried = tried + 1"
            " WHERE stage = ? AND size = ? AND tried < lost * ? RETURNING 1"
        )
        with self._database.transaction() as connection:
            return [
                candidate
                for candidate in candidates
                if connection.execute(query, (self._stage, candidate.size, MOST_READ)).fetchall()
            ]

    def learn(self, side: Side, found: Iterable[Found]) -> None:
        """Write digests down."""
        with self._database.transaction() as connection:
            for candidate, checksum, proven in found:
                digest = int(checksum.digest[:15], 16)
                if proven and not candidate.digest:
                    query = f"UPDATE op SET {_SEEN[side][1]} = ? WHERE id = ?"  # noqa: S608
                    connection.execute(query, (str(checksum), candidate.op))
                last = candidate.mtime_ns if side == "lost" else int(proven)
                connection.execute(
                    f"INSERT OR REPLACE INTO temp.{side} VALUES (?, ?, ?, ?, ?)",  # noqa: S608
                    (self._stage, candidate.size, digest, candidate.op, last),
                )

    def pair(self, reason: str) -> Amount:
        """Turn each two that belong together into one move; return how many, and the bytes that need not be sent.

        Each file is used once. Of several equal ones, those of the same name belong together, then the
        first to the first, in path order. Of the trashing and whatever would prove the upload nothing
        is left; the row of the upload becomes the move, with what it waits for.
        """
        whole, pairs = Amount(), self._pairs()
        more = True
        while more:
            with self._database.transaction() as connection:
                some = list(islice(pairs, BATCH))
                self._rewrite(connection, some, reason)
            whole = whole.plus(len(some), sum(fresh.size for fresh, _ in some))
            more = bool(some)
        self._journal.count(self._stage, [("renamed", *whole)])
        with self._database.transaction() as connection:
            self._clear(connection)
        return whole

    @property
    def _stage(self) -> int:
        return self._ids["rename"]

    def _clear(self, connection: Connection) -> None:
        for table in ("sized", "lost", "fresh"):
            connection.execute(f"DELETE FROM temp.{table} WHERE stage = ?", (self._stage,))  # noqa: S608

    def _rewrite(self, connection: Connection, some: Sequence[tuple[_Half, _Half]], reason: str) -> None:
        rows = [
            {**self._ids, "fresh": fresh.op, "lost": lost.op, "proven": fresh.proven, "reason": reason}
            for fresh, lost in some
        ]
        for statement in (_UNPROVE, _FOLDER, _MOVE, _KEEP):
            connection.executemany(statement, rows)

    def _pairs(self) -> Iterator[tuple[_Half, _Half]]:
        """Two walks in step over the digests that both sides have, a digest at a time."""
        fresh = self._halves("fresh", "lost", "op.ours, this.proven")
        lost = self._halves("lost", "fresh", "op.digest, 1")
        content = itemgetter(0, 1)
        for (_, ours), (_, theirs) in zip(groupby(fresh, content), groupby(lost, content), strict=True):
            yield from self._couples(list(ours), list(theirs))

    def _halves(self, side: Side, other: Side, columns: str) -> Iterator[_Half]:
        query = _PAIRED.format(side=side, other=other, columns=columns)
        for row in self._database.stream(query, self._stage):
            yield _Half(*row)  # type: ignore[arg-type]

    def _couples(self, fresh: list[_Half], lost: list[_Half]) -> Iterator[tuple[_Half, _Half]]:
        whole = lost[0].digest  # the key is a part of it; who shares only that part waits for another run
        lost = [half for half in lost if half.digest == whole]
        fresh = [half for half in fresh if half.digest == whole or not half.proven]
        left, taken = [], set[int]()
        named: dict[str, deque[_Half]] = defaultdict(deque)
        for half in lost:
            named[name(half.path)].append(half)
        for half in fresh:
            same = named.get(name(half.path))
            if same and self._fits(half, same[0]):
                taken.add(same[0].op)
                yield half, same.popleft()
            else:
                left.append(half)
        lost = [half for half in lost if half.op not in taken]
        if self._within is not None:
            left.sort(key=_by_time)
            lost.sort(key=_by_time)
        yield from self._in_step(deque(left), deque(lost))

    def _in_step(self, fresh: deque[_Half], lost: deque[_Half]) -> Iterator[tuple[_Half, _Half]]:
        while fresh and lost:
            if self._fits(fresh[0], lost[0]):
                yield fresh.popleft(), lost.popleft()
            elif _by_time(fresh[0]) < _by_time(lost[0]):
                fresh.popleft()
            else:
                lost.popleft()

    def _fits(self, one: _Half, other: _Half) -> bool:
        if self._within is None:
            return True
        known = one.mtime_ns is not None and other.mtime_ns is not None
        return known and abs(_by_time(one) - _by_time(other)) <= self._within


def _by_time(half: _Half) -> int:
    return half.mtime_ns or 0
