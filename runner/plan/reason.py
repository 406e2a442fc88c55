"""The rules of a run, asked about one path."""

from typing import NamedTuple

from runner.model.path import fold, join
from runner.model.task import Context
from runner.plan.decide import Compare, Verdict
from runner.plan.expand import Expansion
from runner.plan.match import Pairing
from runner.state.journal import Journal
from runner.tasks import NAMES


class Reason(NamedTuple):
    """verdict: what the first rule that fits says; problem: why the path cannot be kept in step, "" when it can.

    compare: what makes a file of the pair changed; pairing: the two nodes with all that is known of them.
    """

    verdict: Verdict | None
    pairing: Pairing | None
    compare: Compare
    problem: str = ""


class Reasoning(Expansion):
    """Folders are fed from the root down to the one that holds the path; what is decided of each name is kept."""

    each = True

    def __init__(self, ctx: Context, journal: Journal) -> None:
        super().__init__(ctx, dict.fromkeys((*NAMES, "list source", "list destination"), 0), journal)
        self._said: dict[str, tuple[Pairing, Verdict]] = {}

    def _act(self, path: str, folder: int | None, pairing: Pairing, verdict: Verdict) -> None:
        self._said[join(path, pairing.name)] = pairing, verdict
        super()._act(path, folder, pairing, verdict)

    def of(self, path: str) -> Reason:
        """What was decided of the path, or of the one there that differs from it only in case."""
        folds = self._ctx.destination.can.folds
        alike = path if path in self._said or not folds else _alike(path, list(self._said))
        problems = [problem.message for problem in self.draft.problems if problem.path == alike]
        pairing, verdict = self._said.get(alike, (None, None))
        return Reason(verdict, pairing, self._compare, problems[0] if problems else "")


def _alike(path: str, known: list[str]) -> str:
    return next((one for one in known if fold(one) == fold(path)), path)
