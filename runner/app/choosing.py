"""A part of a manifest: the pairs that were named."""

from dataclasses import replace

from runner.manifest.manifest import Job, Manifest
from runner.model.errors import UsageError
from runner.model.path import show


def only_pairs(manifest: Manifest, names: tuple[str, ...]) -> Manifest:
    """The manifest with these pairs alone, without hooks and without what they wait for. () is all of them.

    Each becomes a job of its own, so that it keeps its name where it is not the first of its job any more.
    Raises UsageError, which names the pairs there are.
    """
    known = [pair.name for pair in manifest.pairs]
    for name in names:
        if name not in known:
            raise UsageError(
                f"there is no pair {name!r} in {show(manifest.file)}", hint=f"its pairs: {', '.join(known)}"
            )
    jobs = tuple(
        Job(pair.name, (), (), (), (replace(pair, job=pair.name),), pair.place)
        for pair in manifest.pairs
        if not names or pair.name in names
    )
    return replace(manifest, jobs=jobs, warnings=())
