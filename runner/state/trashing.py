"""What a pair is about to trash, as its journal has it: a page at a time."""

from collections.abc import Sequence
from typing import NamedTuple

from runner.model.operation import Outcome, State
from runner.state.journal import Journal
from runner.state.queue import Queue

PAGE = 1000

_PAGE = """
SELECT op.id, path.path, op.destination FROM op NOT INDEXED JOIN path ON path.id = op.path
WHERE op.id > ? AND op.stage = ? AND op.state = 'planned' AND op.node = 'file'
ORDER BY op.id LIMIT ?
"""


class Doomed(NamedTuple):
    """A file of the destination that is to be trashed. generation: what was seen when that was planned."""

    op: int
    path: str
    generation: str


class Trashing:
    """The operations of a pair's stage `trash` that are still planned.

    exact: they come from a saved plan, which is to be carried out as it was shown or not at all.
    """

    def __init__(self, journal: Journal, pair: str) -> None:
        self._journal = journal
        self._pair = pair

    @property
    def exact(self) -> bool:
        """Is this the apply of a saved plan?"""
        return self._journal.header.purpose == "apply"

    def left(self, task: str = "trash") -> int:
        """How many operations of the task are still planned, those of folders too."""
        query = (
            "SELECT count(*) FROM op JOIN stage ON stage.id = op.stage"
            " WHERE pair = ? AND task = ? AND op.state = 'planned'"
        )
        return int(str(self._journal.database.rows(query, self._pair, task)[0][0]))

    def given_up(self) -> int:
        """How many files a look has given up already, one that was cut off before it could say so."""
        query = "SELECT count(*) FROM op WHERE stage = ? AND node = 'file' AND state = 'stale'"
        return int(str(self._journal.database.rows(query, self._stage())[0][0]))

    def files(self, after: int) -> list[Doomed]:
        """The next files whose operation comes after that one: folder by folder, in path order."""
        return [Doomed(*row) for row in self._journal.database.rows(_PAGE, after, self._stage(), PAGE)]  # type: ignore[arg-type]

    def give_up(self, ops: Sequence[int], outcome: Outcome) -> None:
        """These stay where they are, and so do the folders that they are in."""
        assert outcome.state is State.STALE
        Queue(self._journal).finish(self._stage(), [(op, outcome) for op in ops])

    def _stage(self) -> int:
        query = "SELECT id FROM stage WHERE pair = ? AND task = 'trash'"
        return int(str(self._journal.database.rows(query, self._pair)[0][0]))
