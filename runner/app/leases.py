"""Leases on what a run writes to, at remotes that hosts share."""

import contextlib
import functools
import os
import time
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path

from runner.manifest.manifest import Manifest
from runner.model.pair import Location
from runner.model.path import within
from runner.remote.lease import Holder, Lease, held, ticking
from runner.remote.remote import Remote
from runner.state.witness import Witness


@contextlib.asynccontextmanager
async def leased(
    manifest: Manifest,
    written: Iterable[tuple[Location, Remote]],
    state: Path,
    run: str,
    *,
    wait_s: float = 0.0,
    waiting: Callable[[str], None] = lambda holder: None,
) -> AsyncIterator[None]:
    """Hold a lease on each place of a remote that asks for it (`lock: remote`); others have the local lock alone.

    written: the places that are written to, with a view of each. They are taken in one order by all hosts, so
    that two that wait never wait for each other. Raises Locked.
    """
    shared = [
        (location.remote, remote.prefix, remote)
        for location, remote in written
        if location.remote and manifest.remotes[location.remote].lock == "remote"
    ]
    async with contextlib.AsyncExitStack() as stack:
        witness = Witness(state, ticking)
        for name, folder, remote in _outermost(shared):
            since = time.strftime("%Y-%m-%d %H:%M:%S %Z")
            holder = Holder(folder, run, os.uname().nodename, witness.id, since)
            lease = Lease(remote, holder, witness)
            await stack.enter_async_context(
                held(lease, remote, wait_s, functools.partial(_named, waiting, name))
            )
        yield


def _named(waiting: Callable[[str], None], name: str, holder: str) -> None:
    waiting(f"{name}: {holder}")


def _outermost(places: Iterable[tuple[str, str, Remote]]) -> list[tuple[str, str, Remote]]:
    """Without those inside others: a lease covers all that is below its folder."""
    chosen: list[tuple[str, str, Remote]] = []
    for name, folder, remote in sorted(places, key=lambda place: place[:2]):
        if not any(name == other and within(folder, above) for other, above, _ in chosen):
            chosen.append((name, folder, remote))
    return chosen
