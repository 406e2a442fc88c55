"""A remote in the memory of this process: the reference that other backends are read against."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Literal, NamedTuple

from pydantic import Field

from runner.model import path as paths
from runner.model.backend import (
    Backend,
    Capabilities,
    Change,
    ChangePage,
    Copied,
    Copy,
    Copying,
    Identity,
    Quota,
    Setting,
    Trashed,
)
from runner.model.checksum import Checksum
from runner.model.config import IndexChoice, IndexedConfig
from runner.model.content import CHUNK, Content
from runner.model.errors import AcdrunError, Blocked, Changed, Exists, NotFound, Stale, Unsupported
from runner.model.node import Node


class MemoryConfig(IndexedConfig):
    """A tree in memory, for trying things out; its fields let it stand in for other services."""

    type: Literal["memory"] = Field(description="Memory of the running process; gone when it ends.")
    store: str = Field(default="", description="Name of the tree; remotes that give the same name share it.")
    folds: bool = Field(default=False, description="Take names for equal that differ in case or composition.")
    weak: bool = Field(default=False, description="Claim preconditions that are looked up, not enforced.")
    algorithms: tuple[str, ...] = Field(
        default=("md5",), description="Checksums its listings carry, best first."
    )
    mtime_ns: int | None = Field(
        default=1, description="Finest step of the times it keeps, in ns; null keeps none."
    )
    copies: bool = Field(
        default=False, description="Copy files from other memory that says so too, a batch at a time."
    )
    index: IndexChoice = Field(default=False, description="Keep an index of the tree in the state directory.")


class Removed(NamedTuple):
    """A removal that can be taken back: where the node was in the store, and the node with id and generation."""

    path: str
    node: Node


@dataclass
class Tree:
    """What one store holds. Folders are known by id, contents by generation, so both survive a rename.

    children: id of a folder to its nodes by folded name; contents: generation to bytes; trashed: by trash id.
    feed: what was last told of each node, by id, with its number in the feed; the latest last.
    """

    children: dict[str, dict[str, Node]] = field(default_factory=lambda: {"root": {}})
    contents: dict[str, bytes] = field(default_factory=dict)
    trashed: dict[str, Removed] = field(default_factory=dict)
    feed: dict[str, tuple[int, Change]] = field(default_factory=dict)
    serial: "count[int]" = field(default_factory=lambda: count(1))


_TREES: dict[str, Tree] = {}


class Memory:
    """Every change is one step of the event loop, so its preconditions are strong."""

    clock_offset_s: float | None = None

    def __init__(self, config: MemoryConfig, tree: Tree) -> None:
        self.can = Capabilities(
            checksums=config.algorithms,
            mtime_ns=config.mtime_ns,
            folds=config.folds,
            strong=not config.weak,
            copies="memory" if config.copies else "",
            changes=True,
        )
        self.tree = tree
        self._root = config.root.strip("/")
        self._store = config.store

    @classmethod
    async def open(cls, config: MemoryConfig, setting: Setting) -> "Memory":
        """Open the store of that name, empty when nobody did so before."""
        return cls(config, _TREES.setdefault(config.store, Tree()))

    async def close(self) -> None:
        """The store stays, for the next one to open it."""

    async def list(self, folder: str) -> AsyncIterator[Sequence[Node]]:
        """Yield the children in one page."""
        yield list(self._children(folder).values())

    async def stat(self, path: str) -> Node:
        """The node as it is now."""
        if not path:
            self._children("")
            return Node("", "folder", id="root")
        node = self._children(paths.parent(path)).get(self._key(path))
        if node is None:
            raise NotFound("no such node")
        return node

    async def read(self, path: str, *, expect: str | None = None) -> AsyncIterator[bytes]:
        """Yield the content; Changed if it is replaced before the last byte is out."""
        node = await self.stat(path)
        if node.kind != "file" or expect not in (None, node.generation):
            raise Changed("not the file that was listed")
        data = self.tree.contents[node.generation]
        for start in range(0, len(data), CHUNK):
            yield data[start : start + CHUNK]
            if expect is not None and (await self.stat(path)).generation != expect:
                raise Changed("replaced while it was read")

    async def put(self, path: str, content: Content, *, expect: str | None) -> Node:
        """Store the content once all of it is there; what it replaces goes to the trash."""
        self._check(path, expect)
        data = b"".join([chunk async for chunk in content.chunks()])
        children, old = self._check(path, expect)  # again: others may have written meanwhile
        replaced = "" if old is None else self._keep(path, old)
        step = self.can.mtime_ns
        mtime_ns = content.mtime_ns // step * step if step and content.mtime_ns is not None else None
        checksum = Checksum.of(self.can.checksums[0], data) if self.can.checksums else None
        name, generation = (old.name if old else paths.name(path)), self._next()
        node = Node(name, "file", len(data), mtime_ns, checksum, self._next(), generation)
        self.tree.contents[generation] = data
        children[self._key(path)] = node
        self._tell(node, paths.join(self._root, path))
        return node._replace(replaced=replaced)

    async def copy_from(
        self, source: Backend, batch: Sequence[Copy], how: Copying
    ) -> Sequence[Copied | None]:
        """One after the other, as `put` would."""
        if not self.can.copies or not isinstance(source, Memory):
            raise Unsupported("only what is in memory is copied without being sent")
        done: list[Copied | None] = []
        for copy in batch if how.wanted is None or how.wanted() else ():
            content = Content(
                copy.size,
                partial(source.read, copy.origin, expect=copy.generation),
                mtime_ns=copy.mtime_ns,
                algorithm=how.algorithm,
                progress=how.moved,
                expect=copy.known,
            )
            try:
                done.append(Copied(await self.put(copy.path, content, expect=None), content.checksum))
            except AcdrunError:
                done.append(None)
        return done or [None] * len(batch)

    async def mkdir(self, path: str) -> Node:
        """Make the folder, or return the one that is there; the root is made with all above it."""
        if not path:
            for depth in range(len(paths.order(self._root))):
                self._mkdir("/".join(paths.order(self._root)[: depth + 1]))
            return await self.stat("")
        return self._mkdir(paths.join(self._root, path))

    async def move(self, path: str, to: str, *, expect: str | None = None) -> Node:
        """Rename; the moved node is a new generation."""
        node = await self._expected(path, expect)
        source, target = self._children(paths.parent(path)), self._children(paths.parent(to))
        if ((there := target.get(self._key(to))) is not None and there is not node) or path == to:
            raise Exists("something is there already")
        if paths.within(to, path):
            raise Blocked("a folder cannot be moved into itself")
        del source[self._key(path)]
        moved = node._replace(name=paths.name(to))
        if node.kind == "file":
            moved = moved._replace(generation=self._next())
            self.tree.contents[moved.generation] = self.tree.contents.pop(node.generation)
        target[self._key(to)] = moved
        self._tell(moved, paths.join(self._root, to))
        return moved

    async def trash(self, path: str, *, expect: str | None = None) -> str:
        """Take the node out of its folder; return its id in `trashed`."""
        if not path:
            raise Blocked("the root of a remote cannot be trashed")
        node = await self._expected(path, expect)
        if node.kind == "folder" and expect is not None and self.tree.children[node.id]:
            raise Stale("the folder is not empty any more")
        del self._children(paths.parent(path))[self._key(path)]
        return self._keep(path, node)

    async def trashed(self, folder: str = "") -> AsyncIterator[Sequence[Trashed]]:
        """Yield what is in the trash in one page."""
        above = paths.join(self._root, folder)
        yield [
            Trashed(ref, full[len(self._root) :].lstrip("/"), node)
            for ref, (full, node) in self.tree.trashed.items()
            if paths.within(full, above)
        ]

    async def kept(self, ref: str) -> Trashed:
        """Look into the trash."""
        removed = self.tree.trashed.get(ref)
        if removed is None or not paths.within(removed.path, self._root):
            raise NotFound(f"{ref!r} is not in the trash")
        return Trashed(ref, removed.path[len(self._root) :].lstrip("/"), removed.node)

    async def restore(self, ref: str, to: str | None = None) -> str:
        """Put the node back into its folder; it is what it was, its generation included."""
        removed = await self.kept(ref)
        path = (removed.path or "") if to is None else to
        try:
            children = self._children(paths.parent(path))
        except NotFound as error:
            raise NotFound(f"its folder {paths.parent(path)!r} is not there") from error
        if self._key(path) in children:
            raise Exists("something is there already")
        back = children[self._key(path)] = removed.node._replace(name=paths.name(path))
        del self.tree.trashed[ref]
        self._tell(back, paths.join(self._root, path))
        return path

    async def quota(self) -> Quota:
        """Only what is used is known."""
        return Quota(None, sum(map(len, self.tree.contents.values())), None)

    async def identity(self, folder: str) -> Identity:
        """The store and the folder's id in it."""
        return Identity(f"{self._store}/{self._at(paths.join(self._root, folder)).id}")

    async def changes(self, cursor: str | None) -> AsyncIterator[ChangePage]:
        """Yield two pages, so that every reader meets the border between them."""
        store, _, number = (cursor or "").rpartition("/")
        last = next((number for number, _ in reversed(self.tree.feed.values())), 0)
        known = store == self._store and number.isdecimal() and int(number) <= last
        since = int(number) if known else 0
        told = [(number, change) for number, change in self.tree.feed.values() if number > since]
        for some in (told[: len(told) // 2], told[len(told) // 2 :]):
            since = some[-1][0] if some else since
            yield ChangePage("root", f"{self._store}/{since}", not known, [change for _, change in some])
            known = True

    def learn(self, path: str, node: Node) -> None:
        """Nothing in memory has to be looked for."""

    def _tell(self, node: Node, full: str | None) -> None:
        """full: where the node stands now in the store, None for nowhere."""
        above = None if full is None else self._at(paths.parent(full)).id
        change = Change(node.id, (), None) if above is None else Change(node.id, (above,), node)
        self.tree.feed.pop(node.id, None)
        self.tree.feed[node.id] = int(self._next()), change

    def _children(self, folder: str) -> dict[str, Node]:
        return self._below(paths.join(self._root, folder))

    def _below(self, full: str) -> dict[str, Node]:
        children = self.tree.children["root"]
        for name in paths.order(full):
            node = children.get(self._key(name))
            if node is None or node.kind != "folder":
                raise NotFound("no such folder")
            children = self.tree.children[node.id]
        return children

    def _at(self, full: str) -> Node:
        self._below(full)
        return self._below(paths.parent(full))[self._key(full)] if full else Node("", "folder", id="root")

    def _mkdir(self, full: str) -> Node:
        children, key = self._below(paths.parent(full)), self._key(full)
        if key not in children:
            children[key] = Node(paths.name(full), "folder", id=self._next())
            self.tree.children[children[key].id] = {}
            self._tell(children[key], full)
        if children[key].kind != "folder":
            raise Exists("a file is there already")
        return children[key]

    def _check(self, path: str, expect: str | None) -> tuple[dict[str, Node], Node | None]:
        children = self._children(paths.parent(path))
        node = children.get(self._key(path))
        if expect is None and (node is not None or not path):
            raise Exists("something is there already")
        if expect is not None and (node is None or node.kind != "file" or node.generation != expect):
            raise Stale("not the generation that was to be replaced")
        return children, node

    async def _expected(self, path: str, expect: str | None) -> Node:
        node = await self.stat(path)
        if expect is not None and node.generation != expect:
            raise Stale("not the generation that was planned for")
        return node

    def _keep(self, path: str, node: Node) -> str:
        token = self._next()
        self.tree.trashed[token] = Removed(paths.join(self._root, path), node)
        self._tell(node, None)
        return token

    def _key(self, path: str) -> str:
        name = paths.name(path)
        return paths.fold(name) if self.can.folds else name

    def _next(self) -> str:
        return str(next(self.tree.serial))
