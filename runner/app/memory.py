"""What is remembered of a good run, so that the guards of the next one can compare."""

import contextlib
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from runner.app.named import file_of
from runner.app.places import scope
from runner.manifest.manifest import Manifest
from runner.model.errors import NotFound
from runner.model.pair import Location, Pair
from runner.model.tally import Seen
from runner.model.task import Context
from runner.remote.remote import Remote
from runner.state.account import Account
from runner.state.history import End, Good, History
from runner.state.journal import Journal

Ends = Mapping[str, tuple[End, End]]
"""By the name of a pair: its source and its destination."""


def pair_key(manifest: Manifest, pair: Pair) -> str:
    """What tells a pair from all others: the manifest's file and name, and both places. "" for a one-off copy."""
    if not manifest.file:
        return ""
    ends = [scope(manifest, pair.source), scope(manifest, pair.destination)]
    text = json.dumps([file_of(manifest), manifest.name, *ends])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def last_places(history: History, manifest: Manifest) -> dict[str, dict[str, str]]:
    """Identity by side, by pair, in the last good run of the manifest's file.

    A location that was written otherwise then is meant to be another place. A one-off has no last run.
    """
    known = history.places(file_of(manifest)) if manifest.file else {}
    return {
        pair.name: {
            side: end.identity
            for side, end in known.get(pair.name, {}).items()
            if end.location == str(getattr(pair, side)) and end.identity
        }
        for pair in manifest.pairs
    }


async def ends_of(journal: Journal, contexts: Mapping[str, Context]) -> Ends:
    """Which places the pairs of a run have led to; a destination that was made by it, too."""
    found = {}
    for name, ctx in contexts.items():
        seen = journal.places(name)
        found[name] = (
            await _end(ctx.pair.source, ctx.source, seen.get("source")),
            await _end(ctx.pair.destination, ctx.destination, seen.get("destination")),
        )
    return found


async def _end(location: Location, remote: Remote, seen: str | None) -> End:
    if seen == "":
        with contextlib.suppress(NotFound):
            seen = (await remote.identity()).id
    return End(str(location), seen or "")


def learn(journal: Journal, manifest: Manifest, ends: Ends, state: Path) -> None:
    """Remember what a closed run that was good has seen of each pair, and, where that was all, what it left.

    A run that was cut off, refused or failed teaches nothing: the next one is compared with the last good one.
    """
    header, account, good = journal.header, Account(journal), list[Good]()
    read = {stage.pair for stage in account.stages() if (stage.task, stage.state) == ("match", "done")}
    for pair in manifest.pairs if manifest.file else ():
        tally, seen = account.tally(pair.name), None
        if pair.name in read and not tally.gaps and header.ended is not None:
            left = account.left_there(pair.name)
            seen = Seen(header.id, header.ended, pair.filter.digest, tally.source, left)
        key = pair_key(manifest, pair)
        good.append(Good(key, header.file, pair.name, header.id, *ends[pair.name], seen))
    if good:
        with contextlib.closing(History(state)) as history:
            history.learn(good)
