"""Expand a pair into what puts its damage right."""

from runner.model.proving import Selection
from runner.model.task import Context
from runner.plan.decide import Verdict
from runner.plan.expand import Expansion
from runner.plan.fits import unfit
from runner.plan.match import Pairing
from runner.state.journal import Journal

_AGAIN = Verdict("~", "damaged, so it is sent again", ("upload",))


class Repair(Expansion):
    """The same plan as of a run, of the chosen paths alone; guards see the numbers of the whole pair.

    A chosen file that stands on both sides is sent whatever the listings say of it: they said nothing of its
    damage before. One that the source has lost since is left as it is.
    """

    each = True

    def __init__(self, wanted: Selection, ctx: Context, stages: dict[str, int], journal: Journal) -> None:
        super().__init__(ctx, stages, journal)
        self._wanted = wanted
        self._folder = ""
        self._names: dict[str, bool] = {}

    def _act(self, path: str, folder: int | None, pairing: Pairing, verdict: Verdict) -> None:
        source, destination, alias = pairing
        if path != self._folder or not self._names:
            self._folder, self._names = path, self._wanted.names(path)
        if source is None or source.name not in self._names:
            return
        if destination is None or (source.kind, destination.kind) == ("folder", "folder"):
            super()._act(path, folder, pairing, verdict)
        elif self._names[source.name] and (source.kind, destination.kind) == ("file", "file"):
            named = source._replace(name=alias) if alias else source
            super()._act(path, folder, pairing, unfit(named, self._at, self._can) or _AGAIN)
