"""Opening a place that the command line names: `remote:path`, or a path of this machine."""

import contextlib
import os
from collections.abc import AsyncIterator
from typing import NamedTuple

from runner import app
from runner.cli.named import remote_of
from runner.manifest.location import BadLocation, parse_location
from runner.manifest.manifest import Manifest
from runner.model.errors import Blocked, UsageError
from runner.model.node import Node
from runner.model.pair import Location
from runner.model.path import name, parent
from runner.remote.remote import Remote
from runner.remote.walk import Admits, everything
from runner.state.home import state_dir


class Spot(NamedTuple):
    """What a word of the command line leads to.

    remote: the folder; file: "" when that folder is meant, else the name of the one file in it.
    """

    remote: Remote
    file: str = ""

    @property
    def admits(self) -> Admits:
        """The filter that leaves only what is meant."""
        return (lambda path, node: path == self.file) if self.file else everything


def means(text: str, file: str | None) -> tuple[Location, Manifest]:
    """The place, and a manifest that holds its remote. Raises UsageError, ManifestError.

    file: a manifest whose remotes are meant, by default the user's own.
    """
    try:
        location = parse_location(text, os.getcwd())
    except BadLocation as error:
        raise UsageError(str(error), hint=error.hint) from error
    remotes = {location.remote: remote_of(location.remote, file)} if location.remote else {}
    return location, Manifest("looking", file or "", (), remotes)


@contextlib.asynccontextmanager
async def opened(text: str, file: str | None, *, writes: bool = False) -> AsyncIterator[Remote]:
    """The remote seen from that place; it is closed at the end.

    writes: nobody else may write there meanwhile. Raises UsageError, ManifestError, Locked.
    """
    location, manifest = means(text, file)
    async with app.place(manifest, location, state_dir(), writes=writes) as remote:
        yield remote


@contextlib.asynccontextmanager
async def above(text: str, file: str | None) -> AsyncIterator[tuple[Remote, str]]:
    """The folder that the place lies in, for writing, and the place's name in it. Raises Blocked for a root."""
    location, manifest = means(text, file)
    path = location.path
    if path in ("", "/"):
        raise Blocked("the root of a remote stays", remote=location.remote, path="")
    folder = Location(location.remote, parent(path) or ("" if location.remote else "/"))
    async with app.place(manifest, folder, state_dir(), writes=True) as remote:
        yield remote, name(path)


@contextlib.asynccontextmanager
async def spot(text: str, file: str | None) -> AsyncIterator[Spot]:
    """The folder or file at that place, for looking. Raises NotFound where nothing is on a remote."""
    location, manifest = means(text, file)
    here = located(location)
    if here is not None:
        async with app.place(manifest, here[0], state_dir()) as remote:
            yield Spot(remote, here[1])
        return
    folder = Location(location.remote, parent(location.path))
    async with app.place(manifest, folder, state_dir()) as remote:
        node: Node = await remote.stat(name(location.path))
        yield Spot(remote, node.name) if node.kind == "file" else Spot(remote.at(node.name))


def located(location: Location) -> tuple[Location, str] | None:
    """The folder, and the name of the file in it or "", as far as that is known without asking a service."""
    path = location.path
    if location.remote:
        return None if path else (location, "")
    if os.path.isfile(path) and not os.path.islink(path):
        return Location("", os.path.dirname(path)), os.path.basename(path)
    return location, ""


def named(text: str, file: str | None) -> str:
    """The text with a ":" at its end, where it is the bare name of a remote and of nothing here."""
    if ":" in text or "/" in text or text in ("", ".", "..", "~") or os.path.exists(text):
        return text
    try:
        remote_of(text, file)
    except UsageError:
        return text
    return text + ":"
