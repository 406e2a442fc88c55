"""What is remembered of a good run, so that the guards of the next one can compare."""

import contextlib
import hashlib
import json
from pathlib import Path

from runner.app.past import file_of
from runner.app.places import scope
from runner.manifest.manifest import Manifest
from runner.model.exits import Exit
from runner.model.pair import Pair
from runner.model.tally import Seen
from runner.state.account import Account
from runner.state.history import History
from runner.state.journal import Journal

_GOOD = (Exit.CONVERGED, Exit.INCOMPLETE)


def pair_key(manifest: Manifest, pair: Pair) -> str:
    """What tells a pair from all others: the manifest's file and name, and both places. "" for a one-off copy."""
    if not manifest.file:
        return ""
    ends = [scope(manifest, pair.source), scope(manifest, pair.destination)]
    text = json.dumps([file_of(manifest), manifest.name, *ends])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def learn(journal: Journal, manifest: Manifest, state: Path) -> None:
    """Remember what a closed run left of each pair, if it was good and has seen all of both sides.

    A run that was cut off, refused or failed teaches nothing: the next one is compared with the last good one.
    """
    header, account = journal.header, Account(journal)
    if header.exit not in _GOOD or header.ended is None:
        return
    seen = {}
    for pair in manifest.pairs:
        key, tally = pair_key(manifest, pair), account.tally(pair.name)
        if key and not tally.gaps:
            left = account.left_there(pair.name)
            seen[key] = Seen(header.id, header.ended, pair.filter.digest, tally.source, left)
    if seen:
        with contextlib.closing(History(state / "history.db")) as history:
            history.learn(seen)
