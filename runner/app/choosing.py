"""A part of a manifest: the pairs that were named."""

from dataclasses import replace

from runner.manifest.manifest import Manifest
from runner.model.errors import UsageError
from runner.model.path import show


def only_pairs(manifest: Manifest, names: tuple[str, ...]) -> Manifest:
    """The manifest with these pairs alone, without hooks and without what they wait for. () is all of them.

    Raises UsageError, which names the pairs there are.
    """
    known = [pair.name for pair in manifest.pairs]
    for name in names:
        if name not in known:
            raise UsageError(
                f"there is no pair {name!r} in {show(manifest.file)}", hint=f"its pairs: {', '.join(known)}"
            )
    jobs = []
    for job in manifest.jobs:
        pairs = tuple(pair for pair in job.pairs if not names or pair.name in names)
        if pairs:
            jobs.append(replace(job, pairs=pairs, needs=(), before=(), after=()))
    return replace(manifest, jobs=tuple(jobs), warnings=())
