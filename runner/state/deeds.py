"""What a run did, read from its journal by the run that takes it back."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from runner.model.tally import Amount
from runner.state.journal import Journal

TOOK = ("trash", "discard", "clear")
"""Tasks that leave nothing where something was; `retire` does so at the source."""

MADE = ("upload", "restore", "mkdir")
"""Tasks that leave something, be it in the place of something else."""

MOVED = ("respell", "move", "unmove")


class Deed(NamedTuple):
    """One operation that had its effect, or may have had it; see the table `op`."""

    task: str
    path: str
    node: str
    size: int
    state: str
    again: int
    source: str | None
    destination: str | None
    ours: str
    digest: str
    origin: str
    ref: str
    stored: str


_DEED = (
    "SELECT task, CASE target WHEN '' THEN path.path ELSE target END, node, size, op.state, op.again, source,"
    " destination, ours, digest, origin, ref, stored"
    " FROM op JOIN stage ON stage.id = op.stage JOIN path ON path.id = op.path WHERE pair = ?"
    " AND (op.state IN ('done', 'taken', 'failed') OR op.again)"
)


def deeds(journal: Journal, pair: str, tasks: Sequence[str]) -> Iterator[Deed]:
    """What these tasks of the pair did, in the order in which it was planned."""
    query = f"{_DEED} AND task IN ({_marks(tasks)}) ORDER BY op.stage, op.id"
    for row in journal.database.stream(query, pair, *tasks):
        yield Deed(*row)  # type: ignore[arg-type]


def folders_taken(journal: Journal, pair: str, tasks: Sequence[str], paths: Sequence[str]) -> list[Deed]:
    """What was done to these folders by tasks that took them away."""
    query = f"{_DEED} AND node = 'folder' AND task IN ({_marks(tasks)}) AND path.path IN ({_marks(paths)})"
    return [Deed(*row) for row in journal.database.rows(query, pair, *tasks, *paths)]  # type: ignore[arg-type]


def stood_before(journal: Journal, pair: str) -> Amount:
    """The files of the destination before the run, as it listed them."""
    query = (
        "SELECT files, bytes FROM tally JOIN stage ON stage.id = tally.stage"
        " WHERE pair = ? AND what = 'listed' AND (task = 'recall' OR (task = 'list' AND side = 'destination'))"
    )
    rows = journal.database.rows(query, pair)
    return Amount(*rows[0]) if rows else Amount()  # type: ignore[arg-type]


def _marks(values: Sequence[object]) -> str:
    return ",".join("?" * len(values))
