"""The door between reading and writing: whether the plan of a wave of jobs may be carried out."""

from collections.abc import Collection
from itertools import groupby

from runner.model.errors import Refused
from runner.model.stage import Stage
from runner.model.tally import Check
from runner.state.account import Account
from runner.state.fingerprint import fingerprint
from runner.state.journal import Journal

_CHANGED = "this is not the plan that was accepted: it has changed"


class Door:
    """Opens for a wave that no guard refuses, and for one whose refused plan is just the one accepted.

    accepted: fingerprints of plans that a person has looked at. Where there are some, the plan of one wave
    must be among them: who accepts a plan asks for that plan and for no other.
    """

    def __init__(self, journal: Journal, accepted: Collection[str]) -> None:
        self._journal, self._accepted = journal, accepted
        self._used = False

    def open(self, stage: Stage) -> None:
        """Let the wave of this stage through. Raises Refused with what speaks against it."""
        jobs, account = stage.side.split("+"), Account(self._journal)
        if refused := account.refused(jobs):
            raise Refused(f"the plan of {refused!r} was refused")
        objections = account.objections(jobs)
        if not objections and not self._accepted:
            return
        mark, operations = fingerprint(self._journal, jobs)
        if mark in self._accepted:
            self._used = True
            self._journal.check(stage.id, [Check("plan", "ok", mark)])
            self._journal.accept(jobs)
            return
        missed = bool(self._accepted) and not self._used and self._last(stage) and operations > 0
        if not objections and not missed:
            return
        changed = [Check("changed", "warn", _CHANGED)] if self._accepted else []
        self._journal.check(stage.id, [Check("plan", "refused", mark), *changed])
        said = [
            f"the guard of {pair!r} refused: {'; '.join(text for _, text in texts)}"
            for pair, texts in groupby(objections, key=lambda objection: objection[0])
        ]
        raise Refused("; ".join([*(check.text for check in changed), *said]))

    def ajar(self, stage: Stage) -> bool:
        """Would it open, if all guards that have not spoken yet refused nothing?

        Who accepts one plan asks for it to be held against what is accepted first, and so as a whole.
        """
        jobs, account = stage.side.split("+"), Account(self._journal)
        return not self._accepted and not account.refused(jobs) and not account.objections(jobs)

    def _last(self, stage: Stage) -> bool:
        doors = [other.id for other in self._journal.stages() if other.task == "accept"]
        return stage.id == max(doors)
