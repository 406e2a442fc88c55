"""A store of keys in the memory of this process: the reference for services that keep objects and no folders."""

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Literal, NamedTuple

from pydantic import Field

from runner.model import path as paths
from runner.model.backend import (
    Capabilities,
    Identity,
    Quota,
    Setting,
    Trashed,
)
from runner.model.checksum import Checksum
from runner.model.config import RemoteConfig
from runner.model.content import CHUNK, Content
from runner.model.errors import Blocked, Changed, Exists, NotFound, Stale
from runner.model.node import Node

_MOST_BYTES = 1024


class KeysConfig(RemoteConfig):
    """A store of keys in memory, for trying things out; its fields let it stand in for other services."""

    type: Literal["memory keys"] = Field(
        description="Keys in the memory of the running process; gone when it ends."
    )
    store: str = Field(default="", description="Name of the store; remotes that give the same name share it.")
    weak: bool = Field(default=False, description="Claim preconditions that are looked up, not enforced.")
    algorithms: tuple[str, ...] = Field(
        default=("md5",), description="Checksums its listings carry, best first."
    )
    mtime_ns: int | None = Field(
        default=1, description="Finest step of the times it keeps, in ns; null keeps none."
    )


class Removed(NamedTuple):
    """What one call of `trash` took: the path it named, and the objects by their keys."""

    path: str
    objects: dict[str, Node]


@dataclass
class Store:
    """objects: by key; contents: by generation; trashed: by trash id."""

    objects: dict[str, Node] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    trashed: dict[str, Removed] = field(default_factory=dict)
    serial: "count[int]" = field(default_factory=lambda: count(1))


_STORES: dict[str, Store] = {}


class Keys:
    """A folder is what keys below it have in common; a file may stand beside a folder of its name."""

    clock_offset_s: float | None = None

    def __init__(self, config: KeysConfig, store: Store) -> None:
        self.can = Capabilities(
            checksums=config.algorithms,
            mtime_ns=config.mtime_ns,
            strong=not config.weak,
            max_path=_MOST_BYTES,
            folders=False,
            flat=True,
        )
        self.store = store
        self._root = config.root.strip("/")
        self._store = config.store

    @classmethod
    async def open(cls, config: KeysConfig, setting: Setting) -> "Keys":
        """Open the store of that name, empty when nobody did so before."""
        return cls(config, _STORES.setdefault(config.store, Store()))

    async def close(self) -> None:
        """The store stays, for the next one to open it."""

    async def list(self, folder: str) -> AsyncIterator[Sequence[Node]]:
        """Yield the children in one page."""
        children: dict[tuple[str, bool], Node] = {}
        for path, node in self._below(folder):
            name, slash, _ = path.partition("/")
            children[name, bool(slash)] = Node(name, "folder") if slash else node
        yield list(children.values())

    async def list_all(self, folder: str) -> AsyncIterator[Sequence[tuple[str, Node]]]:
        """Yield everything in one page."""
        yield sorted(self._below(folder), key=lambda found: found[0].encode())

    async def stat(self, path: str) -> Node:
        """The node as it is now; the file where a file and a folder have one name."""
        node = self.store.objects.get(self._key(path)) if path else None
        if node is None:
            next(self._below(path), None)
        return node or Node(paths.name(path), "folder")

    async def read(self, path: str, *, expect: str | None = None) -> AsyncIterator[bytes]:
        """Yield the content; Changed if it is replaced before the last byte is out."""
        node = await self.stat(path)
        if node.kind != "file" or expect not in (None, node.generation):
            raise Changed("not the file that was listed")
        data = self.store.contents[node.generation]
        for start in range(0, len(data), CHUNK):
            yield data[start : start + CHUNK]
            if expect is not None and (await self.stat(path)).generation != expect:
                raise Changed("replaced while it was read")

    async def put(self, path: str, content: Content, *, expect: str | None) -> Node:
        """Store the content once all of it is there; what it replaces goes to the trash."""
        key = self._holdable(path)
        self._check(key, expect)
        data = b"".join([chunk async for chunk in content.chunks()])
        old = self._check(key, expect)  # again: others may have written meanwhile
        step, sums = self.can.mtime_ns, self.can.checksums
        mtime_ns = content.mtime_ns // step * step if step and content.mtime_ns is not None else None
        node = Node(
            paths.name(path), "file", len(data), mtime_ns, Checksum.of(sums[0], data) if sums else None,
            generation=str(next(self.store.serial)),
        )  # fmt: skip
        replaced = self._keep(key, {key: old}) if old is not None else ""
        self.store.contents[node.generation] = data
        self.store.objects[key] = node
        return node._replace(replaced=replaced)

    async def mkdir(self, path: str) -> Node:
        """Nothing is made; the folder is there once something is in it."""
        if path and self._holdable(path) in self.store.objects:
            raise Exists("a file is there already")
        return Node(paths.name(path), "folder")

    async def move(self, path: str, to: str, *, expect: str | None = None) -> Node:
        """Rename one file, or every key below a folder."""
        old, new = self._key(path), self._holdable(to)
        taken = self._taken(path, expect or None)
        if await self._there(to):
            raise Exists("something is there already")
        if paths.within(to, path):
            raise Blocked("a folder cannot be moved into itself")
        for key in taken:
            goal = new + key[len(old) :]
            self.store.objects[goal] = self.store.objects.pop(key)._replace(name=paths.name(goal))
        return await self.stat(to)

    async def trash(self, path: str, *, expect: str | None = None) -> str:
        """Take out the file, or every key below the folder; return its id in `trashed`."""
        if not path:
            raise Blocked("the root of a remote cannot be trashed")
        taken = self._taken(path, expect)
        for key in taken:
            del self.store.objects[key]
        return self._keep(self._key(path), taken)

    async def trashed(self, folder: str = "") -> AsyncIterator[Sequence[Trashed]]:
        """Yield what is in the trash in one page."""
        above = self._key(folder)
        found = [ref for ref, removed in self.store.trashed.items() if paths.within(removed.path, above)]
        yield [await self.kept(ref) for ref in found]

    async def kept(self, ref: str) -> Trashed:
        """Look into the trash."""
        removed = self.store.trashed.get(ref)
        if removed is None or not paths.within(removed.path, self._root):
            raise NotFound(f"{ref!r} is not in the trash")
        node = removed.objects.get(removed.path) or Node(paths.name(removed.path), "folder")
        return Trashed(ref, removed.path[len(self._root) :].lstrip("/"), node)

    async def restore(self, ref: str, to: str | None = None) -> str:
        """Give the objects their keys again; they are what they were, their generations included."""
        path = (await self.kept(ref)).path or ""
        path = path if to is None else to
        removed, goal = self.store.trashed[ref], self._holdable(path)
        if await self._there(path):
            raise Exists("something is there already")
        for key, node in removed.objects.items():
            back = goal + key[len(removed.path) :]
            self.store.objects[back] = node._replace(name=paths.name(back))
        del self.store.trashed[ref]
        return path

    async def quota(self) -> Quota:
        """Only what is used is known."""
        return Quota(None, sum(map(len, self.store.contents.values())), None)

    async def identity(self, folder: str) -> Identity:
        """The store and the path: a folder is nothing but its name."""
        if (await self.stat(folder)).kind != "folder":
            raise NotFound("no such folder")
        return Identity(f"{self._store}/{self._key(folder)}")

    def _key(self, path: str) -> str:
        return paths.join(self._root, path)

    def _holdable(self, path: str) -> str:
        key = self._key(path)
        if (size := len(key.encode())) > _MOST_BYTES:
            raise Blocked(f"its key has {size} bytes, and {_MOST_BYTES} are the most")
        return key

    def _below(self, folder: str) -> Iterator[tuple[str, Node]]:
        """Raises NotFound when there is nothing, but for the root."""
        prefix = self._key(folder) + "/" if self._key(folder) else ""
        found = False
        for key, node in list(self.store.objects.items()):
            if key.startswith(prefix):
                found = True
                yield key[len(prefix) :], node
        if not found and folder:
            raise NotFound("nothing is there")

    async def _there(self, path: str) -> bool:
        try:
            await self.stat(path)
        except NotFound:
            return False
        return True

    def _taken(self, path: str, expect: str | None) -> dict[str, Node]:
        """The file, or all that is below the folder. Raises NotFound, Stale."""
        key = self._key(path)
        node = self.store.objects.get(key)
        if node is None:
            below = {paths.join(key, name): one for name, one in self._below(path)}
            if expect is not None:
                raise Stale("the folder is not empty, or no folder was planned for")
            return below
        if expect not in (None, node.generation):
            raise Stale("not the generation that was planned for")
        return {key: node}

    def _check(self, key: str, expect: str | None) -> Node | None:
        node = self.store.objects.get(key)
        if expect is None and node is not None:
            raise Exists("something is there already")
        if expect is not None and (node is None or node.generation != expect):
            raise Stale("not the generation that was to be replaced")
        return node

    def _keep(self, path: str, objects: dict[str, Node]) -> str:
        token = str(next(self.store.serial))
        self.store.trashed[token] = Removed(path, objects)
        return token
