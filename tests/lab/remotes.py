"""`lab(kind)` lends an empty remote that goes away afterwards."""

import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

from runner.backends import registry
from runner.model.backend import Backend, Setting
from runner.remote.remote import Remote
from tests.lab import drive, gcs, openstack, s3

STORES = {"s3": s3, "gcs": gcs, "swift": openstack}
"""Stores of keys by the first word of their kinds: the faults of their servers, and how one is opened."""

_FIELDS: dict[str, dict[str, object]] = {
    "memory": {},
    "memory-folding": {"folds": True},
    "memory keys": {},
    "memory-timeless": {"mtime_ns": None, "algorithms": (), "weak": True},
    "memory-copying": {"copies": True},
    "local": {"path": "root"},
}
"""What each kind is configured with; the backend is the name's first word."""

KINDS = [*_FIELDS, *drive.KINDS, *(kind for store in STORES.values() for kind in store.KINDS)]
"""Every kind of remote that the tests can lend."""


@asynccontextmanager
async def lab(kind: str) -> AsyncIterator[Remote]:
    """Lend an empty remote of this kind; what the backend keeps on disk is in a folder that is removed."""
    with tempfile.TemporaryDirectory(prefix="acdrun-lab-") as folder:
        remote = Remote(kind, await _open(kind, Path(folder)))
        try:
            await remote.mkdirs("")
            yield remote
        finally:
            await remote.close()


async def _open(kind: str, folder: Path) -> Backend:
    setting = Setting(remote=kind, base=folder, state=folder / "state", run="lab-run")
    if (store := STORES.get(kind.split()[0])) is not None:
        opened: Backend = await store.open_backend(kind, setting)
        return opened
    if kind in drive.KINDS:
        return await drive.open_backend(setting)
    word = kind.partition("-")[0]
    fields = dict(_FIELDS[kind])
    if word.startswith("memory"):
        fields["store"] = f"{os.getpid()}-{uuid4()}"
    config = registry.config(word).model_validate({"type": word, **fields})
    return await registry.backend(word).open(config, setting)
