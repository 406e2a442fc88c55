"""A contest: sides that do the same work in turns, and what is asked of ours."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from benches.measure import Cost, median

OURS = "acdrun"


class Goal(NamedTuple):
    """figure: a field of Cost; most: of the ratio to `against`, or of the figure itself where that is ""."""

    figure: str
    most: float
    against: str = ""


@dataclass(frozen=True)
class Contest:
    """title: what is done, with the real numbers; sides: each does it once, checked; rounds: at least so many."""

    title: str
    sides: dict[str, Callable[[], Cost]]
    goals: tuple[Goal, ...]
    rounds: int = 1
    notes: tuple[str, ...] = ()


@dataclass
class Result:
    """What a contest came to. wrong: why it has no figures, or not all."""

    case: str
    title: str = ""
    goals: tuple[Goal, ...] = ()
    notes: list[str] = field(default_factory=list)
    costs: dict[str, list[Cost]] = field(default_factory=dict)
    wrong: str = ""

    def medians(self) -> dict[str, Cost]:
        """The figures of each side that was measured."""
        return {side: median(costs) for side, costs in self.costs.items() if costs}


def held(contest: Contest, result: Result, rounds: int, patience_s: float) -> Iterator[str]:
    """Let the sides play in turns and note what each cost; yields what is being done.

    A side that takes longer than `patience_s` plays once.
    """
    result.title, result.goals, result.notes = contest.title, contest.goals, list(contest.notes)
    for number in range(max(rounds, contest.rounds)):
        for side, play in contest.sides.items():
            costs = result.costs.setdefault(side, [])
            if costs and costs[0].wall_s > patience_s:
                continue
            yield f"{side}, round {number + 1}"
            costs.append(play())
    for side, costs in result.costs.items():
        if len(costs) < max(rounds, contest.rounds):
            result.notes.append(
                f"{side}: {len(costs)} round{'s' * (len(costs) != 1)}, as one takes {costs[0].wall_s:.0f} s"
            )
