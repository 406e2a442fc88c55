"""Looking at the places of a run: before a saved plan has any effect, and what to remember when all went well."""

import contextlib
from collections.abc import Collection, Mapping
from pathlib import Path

from runner.app.past import file_of
from runner.manifest.manifest import Manifest
from runner.model.errors import NotFound
from runner.model.operation import OPEN
from runner.model.task import Context
from runner.state.account import Account
from runner.state.journal import Journal
from runner.state.known import Known, Places
from runner.tasks.standing import standing, together


def last_places(state: Path, manifest: Manifest) -> dict[str, dict[str, str]]:
    """Identity by side, by pair, in the last good run of the manifest's file.

    A location that was written otherwise then is meant to be another place. A one-off has no last run.
    """
    places: dict[str, dict[str, str]] = {pair.name: {} for pair in manifest.pairs}
    if not manifest.file:
        return places
    named = {
        (p.name, side): str(getattr(p, side)) for p in manifest.pairs for side in ("source", "destination")
    }
    with contextlib.closing(Places(state / "known.db")) as known:
        for one in known.last(file_of(manifest)):
            if named.get((one.pair, one.side)) == one.location:
                places[one.pair][one.side] = one.identity
    return places


async def look_again(journal: Journal, contexts: Mapping[str, Context], filled: Collection[str]) -> None:
    """Look at the places of a saved plan as they are today.

    filled: pairs whose source is made by what runs before them, so that it cannot be judged yet.
    Raises Refused, NoSpace, PlanStale for the first pair that has work left and does not stand.
    """
    left: set[str] = set()
    for stage in Account(journal).stages():
        if stage.task not in ("list", "match") and any(stage.amounts.get(state) for state in OPEN):
            left.add(stage.pair)
    for name, ctx in contexts.items():
        if name in left and name not in filled and (objections := await standing(ctx, "apply")):
            raise together(objections, ctx.pair.place)


async def remember(journal: Journal, contexts: Mapping[str, Context], state: Path) -> None:
    """Remember which places the pairs of a good run led to; a destination that was made by it, too."""
    header, known = journal.header, list[Known]()
    if not header.file:
        return
    for name, ctx in contexts.items():
        seen = journal.places(name)
        for side, location, remote in (
            ("source", ctx.pair.source, ctx.source),
            ("destination", ctx.pair.destination, ctx.destination),
        ):
            identity = seen.get(side)
            if identity == "":
                with contextlib.suppress(NotFound):
                    identity = (await remote.identity()).id
            if identity:
                known.append(Known(name, side, str(location), identity))
    if known:
        with contextlib.closing(Places(state / "known.db")) as places:
            places.learn(header.file, header.id, known)
