"""Jobs that read what others write: what each of them is planned on."""

from collections.abc import Callable, Iterator, Sequence

from runner.app.places import scope
from runner.manifest.manifest import Manifest
from runner.model.pair import Pair
from runner.model.path import order
from runner.model.task import Context
from runner.remote.foreseen import Foreseen, Known
from runner.remote.remote import Remote
from runner.state.foreseen import Feeder, Plans
from runner.state.journal import Journal


def chained(
    pair: Pair,
    source: Remote,
    manifest: Manifest,
    journal: Journal,
    context: Callable[[str], Context],
    known: Known,
) -> Remote:
    """The source of a pair as earlier jobs will leave it; as it is, where none of them writes there.

    context: of a pair, by name; known: the hash cache.
    """
    if not (feeders := fed(pair, manifest)):
        return source
    can, needed = source.can, _needed(pair.job, manifest)
    coming = Plans(journal, pair.name, needed, feeders, folds=can.folds, timed=can.mtime_ns is not None)
    return Foreseen(source, coming, context, known)


def fed(pair: Pair, manifest: Manifest) -> Sequence[Feeder]:
    """The pairs of earlier jobs that write where this one reads, in the order in which they run."""
    needed = _needed(pair.job, manifest)
    return list(_feeders(pair, manifest, needed)) if needed else []


def _feeders(pair: Pair, manifest: Manifest, needed: Sequence[str]) -> Iterator[Feeder]:
    here = scope(manifest, pair.source)
    for other in manifest.pairs:
        if other.job in needed and (there := scope(manifest, other.destination)).overlaps(here):
            ours, theirs = order(here.folder), order(there.folder)
            yield Feeder(other.name, "/".join(theirs[len(ours) :]), "/".join(ours[len(theirs) :]))


def _needed(job: str, manifest: Manifest) -> Sequence[str]:
    """All jobs that come before this one, in the order in which they run."""
    needed = list(manifest.job(job).needs)
    for name in needed:  # grows
        needed += [more for more in manifest.job(name).needs if more not in needed]
    return [one.name for one in manifest.jobs if one.name in needed]
