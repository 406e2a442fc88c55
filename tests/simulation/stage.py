"""Puts an act on: the program's doors to the outside lead into the simulation."""

import contextlib
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from sqlite3 import Connection
from typing import TYPE_CHECKING, Any
from unittest import mock

from runner.backends import registry
from runner.backends.memory import Memory
from runner.engine import early, reading
from runner.state.database import Database
from tests.simulation.loop import simulated
from tests.simulation.service import Service

if TYPE_CHECKING:
    from tests.simulation.life import Act, Life

_MEMORY = Path("/dev/shm")


@contextlib.contextmanager
def acting(life: "Life", acts: "Sequence[Act]") -> Iterator[None]:
    """Backends are services of the acts, one after the other; commits are counted, and may be the last."""
    whole = Database.transaction

    @contextlib.contextmanager
    def transaction(database: Database) -> Iterator[Connection]:
        act = acts[0]
        with whole(database) as connection:
            yield connection
            act.mark("commit", after=False)
        act.mark("commit", after=True)

    with (
        mock.patch.object(registry, "backend", lambda kind: _Door(life, acts)),
        mock.patch.object(Database, "transaction", transaction),
        mock.patch.object(early, "WORTH_S", 0.0),
        mock.patch.object(reading, "BATCH_ROWS", 1),
    ):
        yield


class _Door:
    """Opens the store behind a service of its act, which is known by its state directory."""

    def __init__(self, life: "Life", acts: "Sequence[Act]") -> None:
        self._life, self._acts = life, acts

    async def open(self, config: Any, setting: Any) -> Service:
        """See `Backend.open`."""
        life, act = self._life, self._acts[setting.state != self._life.here.state]
        weak = life.policy.weak and setting.remote == "dst"
        return Service(Memory(config, life.tree(setting.remote)), act, setting.remote, weak=weak)


@contextlib.contextmanager
def unsynced() -> Iterator[None]:
    """Databases do not wait for the disk: what a power cut takes is decided by the seed."""
    whole = Database.__init__

    def quick(self: Database, path: Path, schema: str, version: int, **_: object) -> None:
        whole(self, path, schema, version, synchronous="OFF")

    with mock.patch.object(Database, "__init__", quick):
        yield


def simulate(seed: int) -> "Counter[str]":
    """Live one seed's life; return what came to pass. Raises Broken, Stuck, and whatever escapes the program."""
    return trace(seed).hits


def trace(seed: int) -> "Life":
    """The same, with all that happened."""
    from tests.simulation.life import Life

    top = _MEMORY if _MEMORY.is_dir() else None
    folder = Path(tempfile.mkdtemp(prefix="acdrun-sim-", dir=top))
    try:
        with simulated(seed) as loop, unsynced():
            life = Life(seed, loop, folder)
            try:
                life.live()
            except BaseException as error:
                error.add_note("\n".join(life.trace[-40:]))
                raise
            finally:
                life.here.forget()
            return life
    finally:
        shutil.rmtree(folder, ignore_errors=True)
