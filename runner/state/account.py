"""What a journal says when it is asked: the numbers behind guards, progress and reports."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from runner.model.path import moved_from
from runner.model.tally import Amount, Check, Tally
from runner.state.database import Database
from runner.state.journal import Journal


class StageFigures(NamedTuple):
    """One stage, and how its operations stand: count and bytes by state."""

    id: int
    pair: str
    job: str
    task: str
    side: str
    state: str
    why: str
    exit: int
    amounts: dict[str, Amount]


class Change(NamedTuple):
    """One operation, as a plan or a log shows it. predicted: it rests on what an earlier job is to do."""

    pair: str
    task: str
    path: str
    node: str
    size: int
    state: str
    replaces: bool
    origin: str
    reason: str
    proof: str
    note: str
    kind: str
    tries: int
    ref: str
    target: str
    predicted: bool


class Trouble(NamedTuple):
    """An entry that cannot be kept in step, or an operation that failed."""

    pair: str
    task: str
    path: str
    kind: str
    message: str
    exit: int


_TROUBLES = (
    "SELECT pair, CASE WHEN side = '' THEN task ELSE task || ' ' || side END, path, kind, message, problem.exit"
    " FROM problem JOIN stage ON stage.id = problem.stage WHERE pair = coalesce(:pair, pair) AND task <> :but"
    " UNION ALL SELECT pair, task, path.path, kind, note, op.exit FROM op JOIN stage ON stage.id = op.stage"
    " JOIN path ON path.id = op.path"
    " WHERE op.state IN ('failed', 'stale') AND pair = coalesce(:pair, pair) AND task <> :but"
)


class Troubles:
    """What went wrong: entries that are blocked first, then operations that failed. May be a million.

    Nothing of it is held: it is counted, and read a batch at a time, whenever it is asked for.
    pair: only of this one; but: no task of this name.
    """

    def __init__(self, database: Database, pair: str | None = None, but: str = "") -> None:
        self._database = database
        self._only = {"pair": pair, "but": but}
        self._number: int | None = None

    def of(self, pair: str, *, but: str = "") -> "Troubles":
        """Those of one pair."""
        return Troubles(self._database, pair, but)

    def first(self, most: int) -> Iterator[Trouble]:
        """So many of them."""
        for row in self._database.stream(f"{_TROUBLES} LIMIT :most", {**self._only, "most": most}):
            yield Trouble(*row)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Trouble]:
        return self.first(-1)

    def __len__(self) -> int:
        if self._number is None:
            ((number,),) = self._database.rows(f"SELECT count(*) FROM ({_TROUBLES})", self._only)  # noqa: S608
            self._number = int(str(number))
        return self._number


class Group(NamedTuple):
    """Operations that are alike, how many they are and how many bytes they move."""

    pair: str
    task: str
    node: str
    replaces: bool
    state: str
    proof: str
    kind: str
    number: int
    size: int


class Folded(NamedTuple):
    """All changes of one kind below a folder, whose path ends with "/", or a single one."""

    path: str
    number: int
    size: int


class FoldedMove(NamedTuple):
    """All moves that bring what is below one folder below another one; of a single one, its paths."""

    old: str
    new: str
    number: int
    size: int


class Account:
    """Reads a journal and writes nothing."""

    def __init__(self, journal: Journal) -> None:
        self._database = journal.database

    def planned(self, stage: int) -> Amount:
        """What a stage still has before it."""
        query = "SELECT count(*), coalesce(sum(size), 0) FROM op WHERE stage = ? AND state IN ('planned', 'taken')"
        return Amount(*self._database.rows(query, stage)[0])  # type: ignore[arg-type]

    def tally(self, pair: str) -> Tally:
        """The numbers of a pair as planned now."""
        query = (
            "SELECT CASE WHEN task IN ('trash', 'discard') THEN 'trash'"
            " WHEN destination IS NULL THEN 'create' ELSE 'replace' END,"
            " count(*), sum(size) FROM op JOIN stage ON stage.id = op.stage"
            " WHERE pair = ? AND task IN ('upload', 'trash', 'restore', 'discard') AND node = 'file'"
            " AND op.state IN ('planned', 'taken')"
            " GROUP BY 1"
        )
        amounts = {str(what): Amount(count, size) for what, count, size in self._database.rows(query, pair)}  # type: ignore[arg-type]
        listed = {str(side): counts for side, counts in self._listed(pair)}
        return Tally(
            source=listed.get("source", {}).get("listed", Amount()),
            destination=listed.get("destination", {}).get("listed", Amount()),
            create=amounts.get("create", Amount()),
            replace=amounts.get("replace", Amount()),
            trash=amounts.get("trash", Amount()),
            renamed=self._renamed(pair),
            gaps=sum(counts.get("gaps", Amount()).number for counts in listed.values()),
        )

    def _renamed(self, pair: str) -> Amount:
        rows = self._database.rows("SELECT id FROM stage WHERE pair = ? AND task = 'rename'", pair)
        counts = [self.counts(int(str(id_))) for (id_,) in rows]
        return counts[0].get("renamed", Amount()) if counts else Amount()

    def _listed(self, pair: str) -> list[tuple[str, dict[str, Amount]]]:
        query = (
            "SELECT id, iif(task = 'recall', 'destination', side) FROM stage"
            " WHERE pair = ? AND task IN ('list', 'recall')"
        )
        stages = self._database.rows(query, pair)
        return [(str(side), self.counts(int(str(id_)))) for id_, side in stages]

    def counts(self, stage: int) -> dict[str, Amount]:
        """What was counted without an operation."""
        rows = self._database.rows("SELECT what, files, bytes FROM tally WHERE stage = ?", stage)
        return {str(what): Amount(files, size) for what, files, size in rows}  # type: ignore[arg-type]

    def refused(self, jobs: Sequence[str]) -> str:
        """The first pair of these jobs that was refused, "" when none was."""
        marks = ",".join("?" * len(jobs))
        query = f"SELECT pair FROM stage WHERE exit = 4 AND job IN ({marks}) ORDER BY id LIMIT 1"  # noqa: S608
        rows = self._database.rows(query, *jobs)
        return str(rows[0][0]) if rows else ""

    def checks(self) -> dict[int, list[Check]]:
        """What guards and doors found, by stage."""
        found: dict[int, list[Check]] = {}
        for stage, *check in self._database.rows("SELECT stage, what, level, text FROM finding ORDER BY id"):
            found.setdefault(int(str(stage)), []).append(Check(*map(str, check)))
        return found

    def objections(self, jobs: Sequence[str]) -> list[tuple[str, str]]:
        """What the guards of these jobs refuse: pair and text."""
        marks = ",".join("?" * len(jobs))
        query = (
            "SELECT pair, text FROM finding JOIN stage ON stage.id = finding.stage"  # noqa: S608
            f" WHERE level = 'refused' AND task = 'guard' AND job IN ({marks}) ORDER BY finding.id"
        )
        return self._database.rows(query, *jobs)  # type: ignore[return-value]

    def left_there(self, pair: str) -> Amount:
        """Files at the destination after this run: those listed, those it made, without those it trashed.

        Bytes are near: what an overwritten file took before is not known.
        """
        query = (
            "SELECT coalesce(sum(CASE task WHEN 'upload' THEN 1 ELSE -1 END), 0),"
            " coalesce(sum(CASE task WHEN 'upload' THEN size ELSE -size END), 0)"
            " FROM op JOIN stage ON stage.id = op.stage WHERE pair = ? AND node = 'file' AND op.state = 'done'"
            " AND (task = 'trash' OR task = 'upload' AND destination IS NULL)"
        )
        ((number, size),) = self._database.rows(query, pair)
        return self.tally(pair).destination.plus(int(str(number)), int(str(size)))

    def stages(self) -> list[StageFigures]:
        """Every stage in order."""
        amounts: dict[int, dict[str, Amount]] = {}
        for stage, state, count, size in self._database.rows(
            "SELECT stage, state, count(*), sum(size) FROM op NOT INDEXED GROUP BY stage, state"
        ):
            amounts.setdefault(int(str(stage)), {})[str(state)] = Amount(count, size)  # type: ignore[arg-type]
        rows = self._database.rows(
            "SELECT id, pair, job, task, side, state, why, exit FROM stage ORDER BY id"
        )
        return [StageFigures(*row, amounts.get(int(str(row[0])), {})) for row in rows]  # type: ignore[call-arg, arg-type]

    def changes(self, *, most: int | None = None) -> Iterator[Change]:
        """Every operation, by stage and in the order it was planned."""
        query = (
            "SELECT pair, task, path.path, node, size, op.state, destination IS NOT NULL, origin, reason, proof, note,"
            " kind, tries, ref, target, made IS NOT NULL FROM op JOIN stage ON stage.id = op.stage"
            " JOIN path ON path.id = op.path"
            " ORDER BY op.stage, op.id LIMIT ?"
        )
        for row in self._database.stream(query, -1 if most is None else most):
            yield Change(*row[:-1], bool(row[-1]))  # type: ignore[arg-type, call-arg]

    def troubles(self) -> Troubles:
        """What went wrong, path by path."""
        return Troubles(self._database)

    def exits(self) -> set[int]:
        """Every exit code that some part of the run calls for."""
        query = (
            "SELECT exit FROM stage UNION SELECT exit FROM problem"
            " UNION SELECT exit FROM op WHERE state IN ('failed', 'stale')"
        )
        return {int(str(code)) for (code,) in self._database.rows(query)} - {0}

    def groups(self) -> list[Group]:
        """The operations, counted by everything that a report tells apart."""
        query = (  # joined after they are counted: a row of the stage for each operation costs three times as much
            "SELECT pair, task, node, replaces, op.state, proof, kind, sum(number), sum(size)"
            " FROM (SELECT stage, node, destination IS NOT NULL AS replaces, state, proof, kind,"
            " count(*) AS number, sum(size) AS size FROM op NOT INDEXED GROUP BY 1, 2, 3, 4, 5, 6) AS op"
            " JOIN stage ON stage.id = op.stage GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY 1, 2, 3, 4, 5, 6, 7"
        )
        return [Group(*row[:3], bool(row[3]), *row[4:]) for row in self._database.rows(query)]  # type: ignore[arg-type, call-arg]

    def problem_kinds(self) -> list[tuple[str, str, str, int]]:
        """Entries that cannot be kept in step: pair, the task that met them, kind, how many."""
        query = (
            "SELECT pair, task, kind, count(*) FROM problem JOIN stage ON stage.id = problem.stage"
            " GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
        )
        return self._database.rows(query)  # type: ignore[return-value]

    def changes_of(self, pair: str, most: int = -1) -> Iterator[Change]:
        """Changes of one pair that a plan shows: those that were found unneeded are left out."""
        query = (
            "SELECT pair, task, path.path, node, size, op.state, destination IS NOT NULL, origin, reason,"
            " proof, note, kind, tries, ref, target, made IS NOT NULL FROM op JOIN stage ON stage.id = op.stage"
            " JOIN path ON path.id = op.path"
            " WHERE pair = ? AND task IN ('respell', 'mkdir', 'move', 'upload', 'trash', 'retire',"
            " 'restore', 'unmove', 'discard', 'clear') AND op.state <> 'same' ORDER BY op.stage, op.id LIMIT ?"
        )
        for row in self._database.stream(query, pair, most):
            yield Change(*row[:-1], bool(row[-1]))  # type: ignore[arg-type, call-arg]

    def folders(self, pair: str, task: str, replaces: bool | None, below: str) -> list[Folded]:
        """Changes below a folder ("" or with "/" at its end), counted by its children, the most first."""
        query = (
            "WITH change AS (SELECT substr(path.path, ?) AS rest, size"
            " FROM op JOIN stage ON stage.id = op.stage JOIN path ON path.id = op.path"
            " WHERE pair = ? AND task = ? AND node = 'file' AND op.state <> 'same'"
            " AND (op.state <> 'held' OR task NOT IN ('restore', 'unmove', 'discard'))"
            " AND (destination IS NOT NULL) = coalesce(?, destination IS NOT NULL)"
            " AND substr(path.path, 1, ?) = ?)"
            " SELECT CASE instr(rest, '/') WHEN 0 THEN rest ELSE substr(rest, 1, instr(rest, '/')) END,"
            " count(*), sum(size) FROM change GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 200"
        )
        values = (len(below) + 1, pair, task, replaces, len(below), below)
        rows = self._database.rows(query, *values)
        return [Folded(below + str(name), *rest) for name, *rest in rows]  # type: ignore[arg-type]

    def moved_folders(self, pair: str, most: int) -> list[FoldedMove]:
        """The moves of a pair, counted by the folders that they come from and go to, the most first."""
        self._database.define(moved_from)
        query = (
            "SELECT CASE count(*) WHEN 1 THEN min(origin) ELSE moved_from(origin, path.path) END,"
            " CASE count(*) WHEN 1 THEN min(path.path) ELSE moved_from(path.path, origin) END, count(*), sum(size)"
            " FROM op JOIN stage ON stage.id = op.stage JOIN path ON path.id = op.path"
            " WHERE pair = ? AND task = 'move' AND op.state <> 'same'"
            " GROUP BY moved_from(origin, path.path), moved_from(path.path, origin) ORDER BY 3 DESC, 1 LIMIT ?"
        )
        return [FoldedMove(*row) for row in self._database.rows(query, pair, most)]  # type: ignore[arg-type]
