"""A stage: one task of one pair, a vertex of the stage graph and a row of the journal."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from runner.model.task import How


class Stage(NamedTuple):
    """id: its place in topological order; pair: "" for a stage of a whole job or wave.

    side: source or destination for a listing, before or after for a hook, the jobs' names for accept.
    """

    id: int
    pair: str
    job: str
    task: str
    side: str
    effect: Literal["read", "write"]

    @property
    def title(self) -> str:
        """As the graph and messages name it."""
        return " ".join(filter(None, (self.task, self.side)))


class Binding(NamedTuple):
    """An edge between two stages, by their ids."""

    before: int
    after: int
    how: How


class Graph(NamedTuple):
    """stages: in topological order; bindings: the edges between them."""

    stages: Sequence[Stage]
    bindings: Sequence[Binding]
