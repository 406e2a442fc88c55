"""Opening the places a manifest names, and knowing which of them may be written to at the same time."""

import contextlib
import hashlib
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import NamedTuple

from runner.app.leases import leased
from runner.backends import registry
from runner.backends.local.config import LocalConfig
from runner.manifest.manifest import Manifest
from runner.model.backend import Setting
from runner.model.config import IndexedConfig, RemoteConfig
from runner.model.events import Listener
from runner.model.pair import Location
from runner.model.path import join
from runner.remote.index import Index
from runner.remote.paced import pace
from runner.remote.remote import Remote
from runner.state.entries import Entries
from runner.state.journal import new_run
from runner.state.locks import Scope, locked


class Indexing(NamedTuple):
    """tell: hears what is wrong with an index; fresh: list all the same, and compare."""

    tell: Listener
    fresh: bool = False


class Remotes:
    """Opens the remotes of a manifest, each once, and closes them with the stack.

    indexing: how walks go by the index of a remote that has one; None to list each time.
    """

    def __init__(
        self,
        manifest: Manifest,
        state: Path,
        run: str,
        stack: contextlib.AsyncExitStack,
        indexing: Indexing | None = None,
    ) -> None:
        self._manifest, self._state, self._run, self._stack = manifest, state, run, stack
        self._indexing = indexing
        self._open: dict[str, Remote] = {}

    async def at(self, location: Location) -> Remote:
        """The remote seen from that location. A local path is a remote of its own, so that its trash is below it."""
        if location.remote:
            return (await self._remote(location.remote, self._manifest.remotes[location.remote])).at(
                location.path
            )
        return await self._remote(location.path, LocalConfig(type="local", path=location.path), name="")

    async def _remote(self, key: str, config: RemoteConfig, name: str | None = None) -> Remote:
        if key not in self._open:
            kind = registry.full_name(getattr(config, "type"))  # noqa: B009  (each kind's own model declares it)
            assert kind is not None
            base = Path(self._manifest.file or "-").absolute().parent
            label = key if name is None else name
            setting = Setting(remote=label, base=base, state=self._state, run=self._run)
            driver, most = await registry.backend(kind).open(config, setting), config.limits.concurrency
            throttle = None if driver.can.throttles else pace(config.limits)
            remote = Remote(
                label,
                driver,
                throttle=throttle,
                most=None if most == "auto" else most,
                index=self._index(key, config),
            )
            self._stack.push_async_callback(remote.close)
            self._open[key] = remote
        return self._open[key]

    def _index(self, name: str, config: RemoteConfig) -> Index | None:
        if self._indexing is None or not isinstance(config, IndexedConfig) or config.index is False:
            return None
        store = self._stack.enter_context(
            contextlib.closing(Entries(index_file(self._manifest, name, self._state)))
        )
        age_s = config.index.max_age.total_seconds()
        return Index(name, store, config.root.strip("/"), age_s, self._indexing.tell, self._indexing.fresh)


@contextlib.asynccontextmanager
async def place(
    manifest: Manifest, location: Location, state: Path, *, writes: bool = False
) -> AsyncIterator[Remote]:
    """One place on its own, without a run; it is closed at the end.

    manifest: whose remotes are meant. writes: nobody else may write there meanwhile. Raises Locked.
    """
    async with contextlib.AsyncExitStack() as stack:
        label = new_run()
        if writes:
            stack.enter_context(locked(state, [scope(manifest, location)], label))
        remote = await Remotes(manifest, state, label, stack).at(location)
        if writes:
            await stack.enter_async_context(leased(manifest, [(location, remote)], state, label))
        yield remote


def scopes(manifest: Manifest) -> Iterator[Scope]:
    """Everything that a run of the manifest may write to."""
    for pair in manifest.pairs:
        yield scope(manifest, pair.destination)
        if pair.mode == "move":
            yield scope(manifest, pair.source)


def scope(manifest: Manifest, location: Location) -> Scope:
    """A location as locks know it: the same for every name and path that leads there."""
    remote, path = location
    if not remote:
        return Scope("local", str(Path(path).resolve()).lstrip("/"))
    config = manifest.remotes[remote]
    place = config.model_dump(mode="json", exclude={"root", "limits", "lock", "auth", "index"})
    if place["type"] == "local":
        top = Path(manifest.file or "-").absolute().parent / Path(str(place["path"])).expanduser()
        return Scope("local", join(join(str(top.resolve()).lstrip("/"), config.root), path))
    return Scope(json.dumps(place, sort_keys=True), join(config.root, path))


def index_file(manifest: Manifest, remote: str, state: Path) -> Path:
    """Where the index of a remote is kept: one for each name and service, whatever folder of it is the root."""
    service = scope(manifest, Location(remote, "")).place
    return state / "index" / f"{remote}-{hashlib.sha256(service.encode()).hexdigest()[:12]}.db"
