"""Opening a place that the command line names: `remote:path`, or a path of this machine."""

import contextlib
import os
from collections.abc import AsyncIterator

from runner.app import Remotes
from runner.cli.named import remote_of
from runner.manifest.location import BadLocation, parse_location
from runner.manifest.manifest import Manifest
from runner.model.errors import UsageError
from runner.remote.remote import Remote
from runner.state.home import state_dir
from runner.state.journal import new_run


@contextlib.asynccontextmanager
async def opened(text: str, file: str | None) -> AsyncIterator[Remote]:
    """The remote seen from that place; it is closed at the end.

    file: a manifest whose remotes are meant, by default the user's own. Raises UsageError, ManifestError.
    """
    try:
        location = parse_location(text, os.getcwd())
    except BadLocation as error:
        raise UsageError(str(error), hint=error.hint) from error
    remotes = {location.remote: remote_of(location.remote, file)} if location.remote else {}
    async with contextlib.AsyncExitStack() as stack:
        yield await Remotes(Manifest("ls", file or "", (), remotes), state_dir(), new_run(), stack).at(
            location
        )
