"""How the pairs stand, as far as the journals tell."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.app.named import file_of
from runner.app.past import journals
from runner.manifest.manifest import Manifest, from_canonical
from runner.model.errors import PlanStale
from runner.model.exits import Exit
from runner.state.journal import Header, Journal
from runner.state.locks import holders

_WHOLE = ("run", "apply")


@dataclass(slots=True)
class Standing:
    """A pair and its runs. Times are seconds since 1970, None for never.

    last: the last run, ended or not, and its journal; good: when the last one that left nothing undone began.
    going: who runs it now, in words, "" when nobody does. verified: the last verification that ended.
    """

    file: str
    name: str
    pair: str
    last: Header | None = None
    journal: Path | None = None
    good: float | None = None
    going: str = ""
    verified: Header | None = None

    @property
    def interrupted(self) -> bool:
        """Was the last run killed, or stopped before its end?"""
        stopped = (Exit.INTERRUPTED, Exit.TERMINATED)
        return (
            self.last is not None and not self.going and (self.last.exit is None or self.last.exit in stopped)
        )


def standings(state: Path, manifests: Sequence[Manifest] = ()) -> list[Standing]:
    """Every pair of the manifests, or of all that ever ran from a file; those with the latest runs first.

    A pair that a later version of its file does not have any more is shown only when nothing is named.
    """
    named = {(file_of(manifest), pair.name): manifest for manifest in manifests for pair in manifest.pairs}
    found = {key: Standing(key[0], manifest.name, key[1]) for key, manifest in named.items()}
    alive = holders(state)
    pairs: dict[str, tuple[str, ...]] = {}  # by digest: most runs are of one manifest
    for header, path in journals(state):
        if not header.file or (manifests and not any(key[0] == header.file for key in named)):
            continue
        if header.digest not in pairs:
            pairs[header.digest] = _pairs(header, path)
        for pair in pairs[header.digest]:
            key = header.file, pair
            if manifests and key not in named:
                continue
            _add(found.setdefault(key, Standing(header.file, header.name, pair)), header, path, alive)
    return list(found.values())


def _add(standing: Standing, header: Header, path: Path, alive: dict[str, str]) -> None:
    if header.purpose == "verify":
        if standing.verified is None and header.state == "closed":
            standing.verified = header
        return
    if header.purpose not in _WHOLE:
        return
    if standing.last is None:
        standing.last, standing.journal = header, path
        standing.going = alive.get(header.id, "") if header.state != "closed" else ""
    if standing.good is None and header.exit == Exit.CONVERGED:
        standing.good = header.created


def _pairs(header: Header, path: Path) -> tuple[str, ...]:
    try:
        return tuple(pair.name for pair in from_canonical(header.manifest).pairs)
    except PlanStale:  # of another version: its stages tell
        with contextlib.closing(Journal(path)) as journal:
            return tuple(dict.fromkeys(stage.pair for stage in journal.stages() if stage.pair))
