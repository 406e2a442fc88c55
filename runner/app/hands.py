"""Processes that list disks, called while the rest of a run is still being imported, on a core that would be idle."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from runner.app.named import file_of
from runner.backends.local.crew import CREW
from runner.backends.local.hands import LONG
from runner.backends.registry import kind_of
from runner.manifest.manifest import Manifest
from runner.model.errors import AcdrunError
from runner.model.pair import Location
from runner.state.history import History


@contextlib.contextmanager
def hands(manifest: Manifest, state: Path) -> Iterator[None]:
    """Call them for a run of the manifest whose last good one found so much on disks that they were of use."""
    with CREW.called() if _long(manifest, state) else contextlib.nullcontext():
        yield


def _long(manifest: Manifest, state: Path) -> bool:
    with (
        contextlib.suppress(AcdrunError),
        contextlib.closing(History(state)) as history,
    ):  # the run says what is wrong
        found = history.files(file_of(manifest))
        for pair in manifest.pairs:
            sides = zip((pair.source, pair.destination), found.get(pair.name, ()), strict=False)
            if any(number >= LONG and _on_a_disk(manifest, location) for location, number in sides):
                return True
    return False


def _on_a_disk(manifest: Manifest, location: Location) -> bool:
    return not location.remote or kind_of(manifest.remotes[location.remote]) == "local"
