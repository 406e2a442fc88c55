"""A world for one test: trees in memory under short names, runs between them, and what came of them."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock
from uuid import uuid4

from runner import app
from runner.backends import registry
from runner.backends.memory import _TREES, Memory, MemoryConfig, Tree
from runner.manifest.load import loads
from runner.manifest.manifest import Manifest
from runner.model.backend import Backend, Setting
from runner.model.content import Content
from runner.model.events import Event
from runner.model.exits import Exit
from runner.model.node import Node
from runner.model.path import join, order, parent
from runner.model.tally import Check
from runner.state.account import Change, StageFigures, Trouble
from runner.state.journal import Header
from tests.lab.faulty import Fault, Faulty

T = TypeVar("T")

QUICK = {"attempts": 3, "backoff": "1ms..1ms", "budget": "10s"}
"""A retry policy that waits no longer than a test can."""

Files = Mapping[str, str | bytes | None]
"""Content by path; a path with None is an empty folder."""


@dataclass(frozen=True)
class Ended:
    """How a plan or run ended: its exit code and what its journal says."""

    code: Exit
    path: Path
    header: Header
    stages: list[StageFigures]
    changes: list[Change]
    troubles: list[Trouble]
    told: list[Event]
    found: dict[int, list[Check]] = field(default_factory=dict)

    def checks(self, pair: str) -> list[Check]:
        """What the guard of a pair found."""
        return self.found.get(self.stage("guard", pair).id, [])

    @property
    def refused(self) -> list[str]:
        """Fingerprints of the plans that a person may accept."""
        doors = [
            check for stage in self.stages if stage.task == "accept" for check in self.found.get(stage.id, ())
        ]
        return [check.text for check in doors if check.level == "refused"]

    def ops(self, task: str, state: str | None = None) -> list[str]:
        """Paths of the operations of a task, as planned; only those in a state, if one is given."""
        return [c.path for c in self.changes if c.task == task and state in (None, c.state)]

    def op(self, task: str, path: str) -> Change:
        """The one operation of that task at that path."""
        (found,) = [change for change in self.changes if (change.task, change.path) == (task, path)]
        return found

    def stage(self, task: str, pair: str = "job", side: str = "") -> StageFigures:
        """The one stage of that task."""
        (found,) = [s for s in self.stages if (s.task, s.pair, s.side) == (task, pair, side)]
        return found


@dataclass
class World:
    """Everything below one folder and one set of names, so that tests never meet.

    fields: of the remotes, by name, beside their type and store. wrap: what is put around each backend that
    a run opens, by the remote's name.
    """

    folder: Path
    fields: dict[str, dict[str, object]] = field(default_factory=dict)
    faults: dict[str, tuple[Fault, ...]] = field(default_factory=dict)
    opened: dict[str, Faulty] = field(default_factory=dict)
    wrap: Callable[[str, Backend], Backend] = lambda name, backend: backend
    tag: str = field(default_factory=lambda: uuid4().hex)

    @property
    def state(self) -> Path:
        """The state directory."""
        state = self.folder / "state"
        state.mkdir(exist_ok=True, mode=0o700, parents=True)
        return state

    def tree(self, name: str) -> Tree:
        """What the store of that remote holds."""
        return _TREES.setdefault(f"{self.tag}-{name}", Tree())

    def forget(self) -> None:
        """Let go of the trees."""
        for name in [name for name in _TREES if name.startswith(self.tag)]:
            del _TREES[name]

    def memory(self, name: str) -> Memory:
        """A backend on the store, which nothing spoils."""
        return Memory(MemoryConfig.model_validate(self._remote(name)), self.tree(name))

    def _remote(self, name: str) -> dict[str, object]:
        return {"type": "memory", "store": f"{self.tag}-{name}", **self.fields.get(name, {})}

    def write(self, name: str, files: Files, *, mtime_ns: int = 10**18) -> None:
        """Store these files, whatever is there; folders above them are made. None makes an empty folder."""
        asyncio.run(write(self.memory(name), files, mtime_ns))

    def remove(self, name: str, *paths: str) -> None:
        """Take nodes away as their owner would, leaving no trace in the trash."""

        async def each() -> None:
            backend = self.memory(name)
            for path in paths:
                del backend.tree.trashed[await backend.trash(path)]

        asyncio.run(each())

    def files(self, name: str, folder: str = "") -> dict[str, bytes]:
        """Every live file below the folder, by path from there."""
        contents = self.tree(name).contents
        return {
            path: contents[node.generation] for path, node in self.nodes(name, folder) if node.kind == "file"
        }

    def folders(self, name: str) -> set[str]:
        """Every live folder but the root."""
        return {path for path, node in self.nodes(name) if node.kind == "folder"}

    def nodes(self, name: str, folder: str = "") -> list[tuple[str, Node]]:
        """Every live node, its path first."""
        tree, found = self.tree(name), []
        memory = self.memory(name)
        stack = [("", memory._children(folder))]
        while stack:
            above, children = stack.pop()
            for node in children.values():
                found.append((join(above, node.name), node))
                if node.kind == "folder":
                    stack.append((join(above, node.name), tree.children[node.id]))
        return sorted(found, key=lambda one: order(one[0]))

    def trash(self, name: str) -> dict[str, list[bytes | None]]:
        """What was removed or replaced, by the path where it was; None for a folder."""
        tree, found = self.tree(name), dict[str, list[bytes | None]]()
        for path, node in tree.trashed.values():
            found.setdefault(path, []).append(
                tree.contents.get(node.generation) if node.kind == "file" else None
            )
        return found

    def spoil(self, name: str, *faults: Fault) -> None:
        """What goes wrong at that remote from the next run on; nothing when nothing is given."""
        self.faults[name] = faults

    def manifest(self, jobs: Mapping[str, Any], **more: Any) -> Manifest:
        """A manifest with these jobs; `src:` and `dst:` and whatever else has fields are remotes."""
        names = {"src", "dst", *self.fields}
        remotes = {name: self._remote(name) for name in sorted(names)}
        text = {"version": 1, "name": "world", "remotes": remotes, "jobs": jobs, **more}
        text["defaults"] = {"retry": QUICK, **more.get("defaults", {})}
        return loads(json.dumps(text), str(self.folder / "world.yaml"))

    def pair(self, mode: str = "mirror", /, **more: Any) -> Manifest:
        """A manifest with one job, `job`, with one pair from `src:` to `dst:`."""
        return self.manifest({"job": {"pairs": [self.ends(mode, **more)]}})

    @staticmethod
    def ends(
        mode: str = "mirror", /, source: str = "src:", destination: str = "dst:", **more: Any
    ) -> dict[str, Any]:
        """One pair, as a manifest writes it."""
        return {"source": source, "destination": destination, "mode": mode, **more}

    def run(self, manifest: Manifest | None = None, **options: Any) -> Ended:
        """Run it, by default a mirror of `src:` at `dst:`."""
        return self._told(lambda o: app.run(manifest or self.pair(), o), options)

    def plan(self, manifest: Manifest | None = None, out: Path | None = None, **options: Any) -> Ended:
        """Plan it."""
        return self._told(lambda o: app.plan(manifest or self.pair(), o, out), options)

    def apply(self, path: Path, **options: Any) -> Ended:
        """Apply a saved plan."""
        return self._told(lambda o: app.apply(path, o), options)

    def undo(self, ended: Ended, /, *, planning: bool = False, **more: Any) -> Ended:
        """Take back what a run did. more: of the `Undo`."""
        return self.undo_run(ended.header.id, planning=planning, **more)

    def undo_run(self, label: str, /, *, planning: bool = False, **more: Any) -> Ended:
        """Likewise, by its label."""
        wanted = app.Undo(label, **more)
        return self._told(lambda o: app.undo(wanted, o, planning=planning), {})

    def _told(self, case: Callable[[app.Options], Awaitable[app.Result]], more: dict[str, Any]) -> Ended:
        told: list[Event] = []
        options = replace(app.Options(self.state, tell=told.append), **more)

        async def whole() -> app.Result:
            return await case(options)

        with mock.patch.object(registry, "backend", self._door):
            result = asyncio.run(whole())
        with result:
            account = result.account
            return Ended(
                result.code,
                result.saved or result.path,
                result.journal.header,
                account.stages(),
                list(account.changes()),
                list(account.troubles()),
                told,
                account.checks(),
            )

    def _door(self, kind: str) -> "_Door":
        return _Door(self, _backend(kind))


_backend = registry.backend


class _Door:
    """Stands where a backend's class would, and hands out one that fails as it was told."""

    def __init__(self, world: World, kind: type[Backend]) -> None:
        self._world = world
        self._kind = kind

    async def open(self, config: object, setting: Setting) -> Backend:
        """Open the real one and wrap it."""
        inner = await self._kind.open(config, setting)
        faulty = Faulty(self._world.wrap(setting.remote, inner), *self._world.faults.get(setting.remote, ()))
        self._world.opened[setting.remote] = faulty
        return faulty


async def write(backend: Memory, files: Files, mtime_ns: int = 10**18) -> None:
    """Store these files in a backend; see `World.write`."""
    for path, data in files.items():
        await _folders(backend, path if data is None else parent(path))
        if data is not None:
            old = backend._children(parent(path)).get(backend._key(path))
            content = Content.of(data.encode() if isinstance(data, str) else data, mtime_ns=mtime_ns)
            await backend.put(path, content, expect=old.generation if old else None)
            if old:
                backend.tree.trashed.popitem()


async def _folders(backend: Memory, path: str) -> None:
    parts = order(path)
    for depth in range(len(parts)):
        await backend.mkdir("/".join(parts[: depth + 1]))


def contents(files: Files) -> dict[str, bytes]:
    """The files among them, as a tree shows them."""
    encoded = {path: data.encode() if isinstance(data, str) else data for path, data in files.items()}
    return {path: data for path, data in encoded.items() if data is not None}


def steps(
    ended: Ended, tasks: Sequence[str] = ("mkdir", "move", "upload", "trash")
) -> list[tuple[str, str, str]]:
    """What was done: task, path and state of every operation that writes."""
    return sorted((c.task, c.path, c.state) for c in ended.changes if c.task in tasks)
