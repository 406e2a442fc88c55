"""The driver for OpenStack Swift, and for servers that speak its protocol."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Self

from runner.backends.swift.answers import NoContainer
from runner.backends.swift.config import SwiftConfig
from runner.backends.swift.connect import Connection, connect
from runner.backends.swift.listing import BESIDE, containers, objects
from runner.backends.swift.objects import Objects
from runner.backends.swift.parts import Parts
from runner.backends.swift.peer import Copier
from runner.backends.swift.room import room
from runner.backends.swift.shelf import Shelf, Trash, unseen
from runner.backends.swift.store import HELD, WHOLE, Store
from runner.backends.swift.times import timed
from runner.backends.swift.versions import Versions
from runner.backends.swift.wire import Ask
from runner.model import path as paths
from runner.model.backend import (
    Backend,
    Capabilities,
    Copied,
    Copy,
    Copying,
    Identity,
    Quota,
    Setting,
    Trashed,
)
from runner.model.content import CHUNK, Content
from runner.model.errors import Blocked, Exists, NotFound, Stale, Unsupported, UsageError
from runner.model.node import Node
from runner.remote.close import closing
from runner.remote.dated import MOST_BYTES, TRASH, At, below
from runner.remote.room import Room


class Swift:
    """Objects by key. A folder is what keys have in common; nothing is made for one.

    The generation of a file is its ETag, of a large object that of its segments. Times are metadata, which no listing
    carries: a listing shows none, `timed` asks, and what was told is remembered by key, ETag and the time of the
    last change, for metadata can change without the content.
    """

    can = Capabilities(
        checksums=("md5",),
        mtime_ns=1,
        folds=False,
        strong=False,
        concurrency=32,
        throttles=True,
        folders=False,
        max_path=MOST_BYTES,
        flat=True,
        lists_times=False,
    )

    def __init__(self, connection: Connection, config: SwiftConfig, run: str) -> None:
        self._connection = connection
        self._wire = connection.wire
        self._root = paths.join(config.container, config.root.strip("/"))
        self._objects = Objects(self._wire, connection.heads, connection.place)
        self._shelf = Shelf(self._objects)
        self._trash = Trash(self._shelf, run)
        self._versions = Versions(self._objects)
        held = Room(HELD)
        parts = Parts(self._objects, held, WHOLE, config.segments, config.storage_policy)
        self._store = Store(self._objects, self._trash, self._versions, parts, held, connection.memory)
        self._copier = Copier(self._objects, self._store)
        above = len(below(self._at("").key).encode())
        self.can = replace(self.can, max_path=MOST_BYTES - above, copies=f"swift {connection.place}")

    @property
    def clock_offset_s(self) -> float | None:
        """See `Backend.clock_offset_s`."""
        return self._wire.wire.service_clock.offset_s

    @property
    def at_once(self) -> int:
        """See `Adaptive`."""
        return self._wire.wire.throttle.useful

    @classmethod
    async def open(cls, config: SwiftConfig, setting: Setting) -> Self:
        """See `Backend.open`."""
        return cls(await connect(config, setting, cls.can.concurrency), config, setting.run)

    async def close(self) -> None:
        """See `Backend.close`."""
        await self._connection.close()

    async def list(self, folder: str) -> AsyncGenerator[Sequence[Node], None]:
        """See `Backend.list`; one request for ten thousand children, and one that finds no more."""
        at = self._at(folder)
        if not at.bucket:
            yield [Node(name, "folder") for name in await containers(self._wire)]
            return
        prefix, some = below(at.key), not folder
        async with closing(objects(self._wire, at.bucket, prefix, delimiter="/")) as pages:
            async for page in pages:
                some = some or bool(page.objects or page.prefixes)
                files = [one for one in page.objects if len(one.key) > len(prefix) or one.size]
                nodes = [
                    one.node()._replace(name=one.key[len(prefix) :])
                    for one in await self._objects.settled(at.bucket, files)
                    if one.other != "mark"
                ]
                names = [name[len(prefix) : -1] for name in page.prefixes]
                nodes += [
                    Node(name, "folder") for name in names if name != TRASH and (prefix or name != BESIDE)
                ]
                yield nodes
        if not some:
            raise NotFound("nothing is there")

    async def list_all(self, folder: str) -> AsyncGenerator[Sequence[tuple[str, Node]], None]:
        """See `Flat.list_all`; one request for ten thousand files. The trash is jumped over."""
        at = self._at(folder)
        if not at.bucket:
            for container in await containers(self._wire):
                async with closing(self._all(container, "")) as pages:
                    async for page in pages:
                        yield [(f"{container}/{key}", node) for key, node in page]
            return
        some = not folder
        async with closing(self._all(at.bucket, below(at.key))) as pages:
            async for page in pages:
                some = some or bool(page)
                yield page
        if not some:
            raise NotFound("nothing is there")

    async def _all(self, container: str, prefix: str) -> AsyncGenerator[Sequence[tuple[str, Node]], None]:
        trash, cut = f"{self._above(container)}{TRASH}/", len(prefix)
        async with closing(objects(self._wire, container, prefix, jump=trash)) as pages:
            async for page in pages:
                files = [one for one in page.objects if not unseen(one.key)]
                found = await self._objects.settled(container, files)
                yield [(one.key[cut:], one.node()) for one in found if one.other != "mark"]

    async def timed(self, nodes: Sequence[tuple[str, Node]]) -> Sequence[Node]:
        """See `Timed.timed`; a HEAD for each file that was never asked about."""
        return await timed(self._objects, [(self._at(path), node) for path, node in nodes])

    async def stat(self, path: str) -> Node:
        """See `Backend.stat`; the file where a file and a folder have one name."""
        at = self._at(path)
        if at.key and path:
            found = await self._objects.find(at)
            if found is not None and found.other != "mark":
                return found.node()
        if not await self._shelf.anything(at) and path:
            raise NotFound("nothing is there")
        return Node(paths.name(path), "folder")

    async def read(self, path: str, *, expect: str | None = None) -> AsyncGenerator[bytes, None]:
        """See `Backend.read`."""
        at = self._at(path)
        if not at.key or not path:
            raise NotFound("no file")
        async with closing(self._objects.read(at, expect)) as chunks:
            async for chunk in chunks:
                for start in range(0, len(chunk), CHUNK):
                    yield chunk[start : start + CHUNK] if len(chunk) > CHUNK else chunk

    async def put(self, path: str, content: Content, *, expect: str | None) -> Node:
        """See `Backend.put`."""
        at = self._holdable(path)
        if expect is None:
            return (await self._store.create(at, self._above(at.bucket), content)).node()
        found, ref = await self._store.replace(at, self._above(at.bucket), content, expect)
        return found.node()._replace(replaced=self._named(at.bucket, ref))

    async def copy_from(
        self, source: Backend, batch: Sequence[Copy], how: Copying
    ) -> Sequence[Copied | None]:
        """See `Peer.copy_from`: the service copies, and no byte comes here."""
        if not isinstance(source, Swift) or source.can.copies != self.can.copies:
            raise Unsupported("only what is in the same account is copied without being sent")
        pairs = [(source._at(copy.origin), self._at(copy.path), copy) for copy in batch]
        return await self._copier.copy(pairs, how)

    async def mkdir(self, path: str) -> Node:
        """See `Backend.mkdir`; makes the container where the path is no more than that, and nothing else."""
        at = self._at(path)
        if at.key and path:
            self._holdable(path)
            found = await self._objects.find(at)
            if found is not None and found.other != "mark":
                raise Exists("a file is there already")
        if at.bucket and (not at.key or not path):
            try:
                await self._shelf.anything(At(at.bucket, ""))
            except NoContainer:
                await self._store.parts.make(at.bucket)
        return Node(paths.name(path), "folder")

    async def move(self, path: str, to: str, *, expect: str | None = None) -> Node:
        """See `Backend.move`: a copy by the service, then a removal; a folder goes key by key."""
        at, goal = self._holdable(path), self._holdable(to)
        if goal != at and paths.within(to, path):
            raise Blocked("a folder cannot be moved into itself")
        found = await self._objects.find(at)
        if expect and (found is None or found.etag != expect):
            raise Stale("not the generation that was listed")
        taken = [found] if found is not None else await self._shelf.found_below(at)
        if not taken:
            raise NotFound("nothing is there")
        await self._absent(to)
        for one in taken:
            await self._store.move(
                At(at.bucket, one.key), At(goal.bucket, goal.key + one.key[len(at.key) :]), one
            )
        return await self.stat(to)

    async def trash(self, path: str, *, expect: str | None = None) -> str:
        """See `Backend.trash`; returns where in the trash it is."""
        at = self._holdable(path)
        if not path:
            raise Blocked("the root of a remote cannot be trashed")
        above = self._above(at.bucket)
        found = await self._objects.find(at)
        if found is not None:
            if expect is not None and found.etag != expect:
                raise Stale("not the generation that was listed")
            ref = await self._store.trash(at, above, found)
        else:
            taken = await self._shelf.found_below(at)
            if not taken:
                raise NotFound("nothing is there")
            if expect is not None:
                raise Stale("a folder that is not empty")
            ref = await self._trash.keep_all(at.bucket, above, at.key[len(above) :], taken)
            for one in taken:
                await self._store.drop(At(at.bucket, one.key))
        return self._named(at.bucket, ref)

    async def trashed(self, folder: str = "") -> AsyncGenerator[Sequence[Trashed], None]:
        """See `Backend.trashed`."""
        at = self._at(folder)
        for container in [at.bucket] if at.bucket else await containers(self._wire):
            above = self._above(container)
            sources = [self._trash.found(container, above)]
            if await self._versions.on(container):
                sources.append(self._versions.found(container, above, hidden=f"{above}{TRASH}/"))
            for source in sources:
                async with closing(source) as pages:
                    async for page in pages:
                        shown = [self._entry(container, entry) for entry in page]
                        yield [entry for entry in shown if paths.within(entry.path or "", folder)]

    async def kept(self, ref: str) -> Trashed:
        """See `Backend.kept`."""
        container, rest = self._referred(ref)
        trash = self._versions if Versions.named(rest) else self._trash
        return self._entry(container, await trash.kept(container, self._above(container), rest))

    async def restore(self, ref: str, to: str | None = None) -> str:
        """See `Backend.restore`: a copy by the service, then the one in the trash is removed."""
        container, rest = self._referred(ref)
        path = (await self.kept(ref)).path if to is None else to
        if path is None:
            raise NotFound("nobody knows any more where it was", hint="name another place")
        goal = self._holdable(path)
        if goal.bucket != container:
            raise Unsupported("it can come back in its own container only")
        await self._absent(path)
        above = self._above(container)
        trash = self._versions if Versions.named(rest) else self._trash
        await trash.restore(container, above, rest, goal.key[len(above) :])
        return path

    async def quota(self) -> Quota:
        """See `Backend.quota`: what the account's and the container's headers tell, which lag behind."""
        asked = [Ask("HEAD")]
        if container := self._at("").bucket:
            asked.append(Ask("HEAD", container))
        return room([(await self._wire.call(ask)).headers for ask in asked])

    async def identity(self, folder: str) -> Identity:
        """See `Backend.identity`: the storage, the container and the path. A folder is nothing but its name."""
        at = self._at(folder)
        if not await self._shelf.anything(at) and folder:
            raise NotFound("nothing is there")
        return Identity(f"{await self._wire.storage_url()}/{at.bucket}/{at.key}".rstrip("/"))

    def _at(self, path: str) -> At:
        container, _, key = paths.join(self._root, path).partition("/")
        return At(container, key)

    def _above(self, container: str) -> str:
        """What of a key in this container stands above the remote's root, or above the container's where that has
        none."""
        return below(self._at("").key) if self._root else ""

    def _named(self, bucket: str, ref: str) -> str:
        """What brings it back, where the container may be any."""
        return ref if self._root else f"{bucket}/{ref}"

    def _holdable(self, path: str) -> At:
        at = self._at(path)
        if (size := len(at.key.encode())) > MOST_BYTES:
            raise Blocked(f"its key has {size:,} bytes, and {MOST_BYTES:,} are the most")
        if not at.key:
            raise UsageError(
                "files are stored in a container, not beside one",
                hint="name the container first: REMOTE:CONTAINER/PATH",
            )
        return at

    async def _absent(self, path: str) -> None:
        with suppress(NotFound):
            await self.stat(path)
            raise Exists("something is there already")

    def _referred(self, ref: str) -> tuple[str, str]:
        if self._root:
            return self._at("").bucket, ref
        container, _, rest = ref.partition("/")
        if not container or not rest:
            raise NotFound(f"{paths.show(ref)!r} is not in the trash")
        return container, rest

    def _entry(self, container: str, entry: Trashed) -> Trashed:
        if self._root:
            return entry
        return entry._replace(ref=f"{container}/{entry.ref}", path=entry.path and f"{container}/{entry.path}")
