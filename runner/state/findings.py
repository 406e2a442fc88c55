"""What a verification found, and choosing paths by it."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from runner.model.path import name, parent
from runner.state.account import Account
from runner.state.journal import Journal

_ALL = (
    "SELECT pair, path, kind, message, problem.exit FROM problem JOIN stage ON stage.id = problem.stage UNION ALL"
    " SELECT pair, path.path, kind, note, op.exit FROM op JOIN stage ON stage.id = op.stage"
    " JOIN path ON path.id = op.path WHERE op.state = 'failed'"
)


class Found(NamedTuple):
    """One path that is not proven. kind: a finding's word, or that of the error that kept it from being read."""

    pair: str
    path: str
    kind: str
    why: str
    exit: int


def found(journal: Journal, pair: str, kind: str = "", most: int = -1) -> Iterator[Found]:
    """What was found in a pair, of one kind where one is named."""
    query = f"SELECT * FROM ({_ALL}) WHERE pair = ? AND kind = coalesce(nullif(?, ''), kind) LIMIT ?"  # noqa: S608
    for row in journal.database.stream(query, pair, kind, most):
        yield Found(*row)  # type: ignore[arg-type]


def counted(journal: Journal) -> dict[tuple[str, str], int]:
    """How often each kind was found, by pair and kind."""
    query = f"SELECT pair, kind, count(*) FROM ({_ALL}) GROUP BY 1, 2"  # noqa: S608
    return {(str(pair), str(kind)): int(str(number)) for pair, kind, number in journal.database.rows(query)}


def exits_but(journal: Journal, kinds: Sequence[str]) -> set[int]:
    """Every exit code that something calls for which is not of these kinds."""
    marks = ",".join("?" * len(kinds))
    query = f"SELECT exit FROM stage UNION SELECT exit FROM ({_ALL}) WHERE kind NOT IN ({marks})"  # noqa: S608
    return {int(str(code)) for (code,) in journal.database.rows(query, *kinds)} - {0}


def last_part(journal: Journal, pair: str, parts: int) -> int | None:
    """Which of so many parts a verification of the pair has read; None when it was not cut into as many."""
    for stage in Account(journal).stages():
        if (stage.pair, stage.task) == (pair, "match"):
            for what in Account(journal).counts(stage.id):
                word, _, share = what.partition(" ")
                part, _, of = share.partition("/")
                if word == "part" and of == str(parts):
                    return int(part)
    return None


class Chosen:
    """The paths of some findings of a pair, and the folders that lead to them; kept in the journal's own file.

    Asked folder by folder, so that memory is bounded by the names of one.
    """

    def __init__(self, journal: Journal, pair: str, kinds: Sequence[str]) -> None:
        self._database, self._pair = journal.database, pair
        with self._database.transaction() as connection:
            connection.execute(
                "CREATE TEMP TABLE IF NOT EXISTS chosen (pair TEXT, folder TEXT, name TEXT, itself INTEGER,"
                " PRIMARY KEY (pair, folder, name)) WITHOUT ROWID"
            )
        rows: list[tuple[str, str, str, int]] = []
        self.number = 0
        for kind in kinds:
            for one in found(journal, pair, kind):
                self.number += 1
                rows.append((pair, parent(one.path), name(one.path), 1))
                above = parent(one.path)
                while above:
                    rows.append((pair, parent(above), name(above), 0))
                    above = parent(above)
                if len(rows) >= 1000:
                    self._keep(rows)
                    rows = []
        self._keep(rows)

    def _keep(self, rows: list[tuple[str, str, str, int]]) -> None:
        with self._database.transaction() as connection:
            connection.executemany(
                "INSERT INTO temp.chosen VALUES (?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET itself = max(itself, excluded.itself)",
                rows,
            )

    def names(self, folder: str) -> dict[str, bool]:
        """What is chosen directly in the folder: name to whether it is meant itself, or only leads there."""
        query = "SELECT name, itself FROM temp.chosen WHERE pair = ? AND folder = ?"
        return {str(one): bool(itself) for one, itself in self._database.rows(query, self._pair, folder)}
