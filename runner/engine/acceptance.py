"""The door between reading and writing: whether the plan of a wave of jobs may be carried out."""

from collections.abc import Collection

from runner.model.errors import Refused
from runner.model.stage import Stage
from runner.model.tally import Check
from runner.state.account import Account
from runner.state.fingerprint import fingerprint
from runner.state.journal import Journal


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
            raise Refused(f"the guard of {refused!r} refused")
        objections = [f"the guard of {pair!r} refused: {text}" for pair, text in account.objections(jobs)]
        if not objections and not self._accepted:
            return
        mark, operations = fingerprint(self._journal, jobs)
        accepted = mark in self._accepted
        self._used = self._used or accepted
        self._journal.check(stage.id, [Check("plan", "ok" if accepted else "refused", mark)])
        if accepted:
            self._journal.accept(jobs)
            return
        if self._accepted and (objections or (operations and self._last(stage) and not self._used)):
            objections.append("the plan is not the one that was accepted: it has changed")
        if objections:
            raise Refused("; ".join(objections))

    def _last(self, stage: Stage) -> bool:
        doors = [other.id for other in self._journal.stages() if other.task == "accept"]
        return stage.id == max(doors)
