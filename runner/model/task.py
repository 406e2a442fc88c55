"""A task: a kind of work, and what it waits for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, get_args

from runner.model.errors import Unsupported
from runner.model.events import Listener
from runner.model.operation import Operation, Outcome
from runner.model.pair import Mode, Pair
from runner.model.proving import Proving
from runner.model.tally import Check, Claims, Room, Seen, Tally

if TYPE_CHECKING:
    from runner.remote.remote import Remote
    from runner.state.hashes import Hashes
    from runner.state.identities import Identities
    from runner.state.locks import Scope
    from runner.state.renames import Renames
    from runner.state.trashing import Trashing

How = Literal["each", "parent", "children", "all", "ended", "feed"]


class Edge(NamedTuple):
    """`task` comes first; `how` says for which of its operations one of ours waits."""

    task: str
    how: How


def Each(task: str) -> Edge:
    """After `task` at the same path."""
    return Edge(task, "each")


def Parent(task: str) -> Edge:
    """After `task` at the folder above."""
    return Edge(task, "parent")


def Children(task: str) -> Edge:
    """After `task` at everything directly below."""
    return Edge(task, "children")


def All(task: str) -> Edge:
    """After every `task` of the pair succeeded; when one did not, the whole stage is held."""
    return Edge(task, "all")


def Ended(task: str) -> Edge:
    """After every `task` has ended, well or not."""
    return Edge(task, "ended")


def Feed(task: str) -> Edge:
    """Works on what `task` yields while it is yielded; they start together."""
    return Edge(task, "feed")


@dataclass(frozen=True, slots=True)
class Context:
    """What a task may use while it works on a pair.

    source, destination: the two places, as views whose root is the pair's.
    algorithm: of the digests this pair is compared and proven by.
    tally: counts the plan as it stands in the journal.
    checked: writes down what the guard found.
    identities: which places the two sides were, and are; trashing: what the pair is about to trash.
    renames: finds those that the plan holds.
    last: what the last good run of the pair left, None when none is known.
    alone: the destination alone is worked on, and the source may be lost.
    by_time: what of the pair is decided by times, in words; "" when nothing is.
    filled_by: the hook that may fill the source before this pair runs, in a plan, where that has not happened.
    proving: how the pair is verified, in a verification.
    expansion: what turns pairings into operations, where it is not the usual one of a run.
    room: what an early beginning found and needs. claims: what all pairs behind the same door want.
    scopes: what the source and the destination are, under whatever name; () where nobody asks.
    """

    pair: Pair
    source: "Remote"
    destination: "Remote"
    algorithm: str
    hashes: "Hashes"
    tally: Callable[[], Tally]
    tell: Listener
    checked: Callable[[Sequence[Check]], None]
    identities: "Identities"
    trashing: "Trashing"
    renames: "Renames"
    last: Seen | None = None
    by_time: str = ""
    filled_by: str = ""
    alone: bool = False
    proving: Proving | None = None
    expansion: Callable[..., Any] | None = None
    room: Room = field(default_factory=Room)
    claims: Claims = field(default_factory=Claims)
    scopes: "Sequence[Scope]" = ()

    @property
    def clocks(self) -> dict[str, float]:
        """By remote, seconds that its service's clock is ahead of ours; those alone that have told the time."""
        told = {remote.name: remote.clock_offset_s for remote in (self.source, self.destination)}
        return {name: offset_s for name, offset_s in told.items() if offset_s is not None}


class Task:
    """All that a kind of work is, in one file.

    effect: "read" stages fill a plan; a plan is a run that is stopped before its first "write".
    after: what its operations wait for.
    modes: of the pairs that have such a stage.
    busy: which side's advice says how many of them go on at once; of both, the one that takes more.
    """

    name: ClassVar[str]
    effect: ClassVar[Literal["read", "write"]]
    after: ClassVar[tuple[Edge, ...]] = ()
    modes: ClassVar[tuple[Mode, ...]] = get_args(Mode)
    busy: ClassVar[Literal["source", "destination", "both"]] = "destination"

    async def together(
        self, ops: Sequence[Operation], ctx: Context, wanted: Callable[[], bool]
    ) -> Sequence[Outcome | None] | None:
        """Do in one go what can be done so; None for what is to be run alone, in place of the list for all.

        wanted: whether the run still goes on; what has had to wait asks it. An error is about all of them.
        """
        return None

    async def run(self, op: Operation, ctx: Context) -> Outcome:
        """Do it. Raises AcdrunError; the engine decides about another try."""
        raise Unsupported(f"{self.name} is no work at a single path")
