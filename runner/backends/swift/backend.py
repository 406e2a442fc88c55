"""The driver for OpenStack Swift, and for servers that speak its protocol."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from typing import Self

from runner.backends.swift.answers import NoContainer
from runner.backends.swift.config import SwiftConfig
from runner.backends.swift.connect import Connection, connect
from runner.backends.swift.listing import BESIDE, containers, objects
from runner.backends.swift.nodes import Found
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
    Quota,
    Setting,
    Trashed,
)
from runner.model.content import Content, Fetched
from runner.model.errors import Unsupported
from runner.model.node import Node
from runner.remote.close import closing
from runner.remote.dated import MOST_BYTES, TRASH, At, below
from runner.remote.keyed import Keyed, Page
from runner.remote.room import Room
from runner.remote.wire import Wire

list_ = list  # the class has a verb of that name


class Swift(Keyed[Found]):
    """Objects by key.

    The generation of a file is its ETag, of a large object that of its segments. Times are metadata, which no listing
    carries: a listing shows none, `timed` asks, and what was told is remembered by key, ETag and the time of the
    last change, for metadata can change without the content.
    """

    bucket = "container"
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

    @classmethod
    async def open(cls, config: SwiftConfig, setting: Setting) -> Self:
        """See `Backend.open`."""
        return cls(await connect(config, setting, cls.can.concurrency), config, setting.run)

    async def close(self) -> None:
        """See `Backend.close`."""
        await self._connection.close()

    async def timed(self, nodes: Sequence[tuple[str, Node]]) -> Sequence[Node]:
        """See `Timed.timed`; a HEAD for each file that was never asked about."""
        return await timed(self._objects, [(self._at(path), node) for path, node in nodes])

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

    async def quota(self) -> Quota:
        """See `Backend.quota`: what the account's and the container's headers tell, which lag behind."""
        asked = [Ask("HEAD")]
        if container := self._at("").bucket:
            asked.append(Ask("HEAD", container))
        return room([(await self._wire.call(ask)).headers for ask in asked])

    @property
    def _requests(self) -> Wire:
        return self._wire.wire

    async def _service(self) -> str:
        return await self._wire.storage_url()

    async def _buckets(self) -> Sequence[str]:
        return await containers(self._wire)

    def _pages(self, bucket: str, prefix: str) -> AsyncGenerator[Page[Found], None]:
        return objects(self._wire, bucket, prefix, delimiter="/")

    async def _all(self, bucket: str, prefix: str) -> AsyncGenerator[Sequence[tuple[str, Node]], None]:
        trash, cut = f"{self._above(bucket)}{TRASH}/", len(prefix)
        async with closing(objects(self._wire, bucket, prefix, jump=trash)) as pages:
            async for page in pages:
                files = [one for one in page.objects if not unseen(one.key)]
                yield [(one.key[cut:], one.node()) for one in await self._settled(bucket, files)]

    async def _find(self, at: At) -> Found | None:
        return await self._objects.find(at)

    def _content(self, at: At, expect: str | None) -> AsyncGenerator[bytes, None]:
        return self._objects.read(at, expect)

    async def _all_of(self, at: At, size: int, expect: str | None) -> Fetched:
        return await self._objects.whole(at, size, expect)

    async def _anything(self, at: At) -> bool:
        return await self._shelf.anything(at)

    async def _found_below(self, at: At) -> list_[Found]:
        return await self._shelf.found_below(at)

    async def _make_bucket(self, bucket: str) -> None:
        try:
            await self._anything(At(bucket, ""))
        except NoContainer:
            await self._store.parts.make(bucket)

    async def _rename(self, at: At, to: At, found: Found) -> None:
        await self._store.move(at, to, found)

    async def _trash_one(self, at: At, above: str, found: Found) -> str:
        return await self._store.trash(at, above, found)

    async def _trash_all(self, at: At, above: str, taken: list_[Found]) -> str:
        ref = await self._trash.keep_all(at.bucket, above, at.key[len(above) :], taken)
        for one in taken:
            await self._store.drop(At(at.bucket, one.key))
        return ref

    async def _removed(self, bucket: str, above: str) -> Sequence[AsyncGenerator[Sequence[Trashed], None]]:
        copies = self._trash.found(bucket, above)
        if not await self._versions.on(bucket):
            return [copies]
        return [copies, self._versions.found(bucket, above, hidden=f"{above}{TRASH}/")]

    def _shelf_of(self, ref: str) -> Trash | Versions:
        return self._versions if Versions.named(ref) else self._trash

    def _still(self, found: Found, expect: str) -> bool:
        return found.etag == expect

    async def _settled(self, bucket: str, files: list_[Found]) -> list_[Found]:
        return [one for one in await self._objects.settled(bucket, files) if self._is_file(one)]

    def _is_file(self, found: Found) -> bool:
        return found.other != "mark"

    def _hides(self, prefix: str, name: str) -> bool:
        return name == f"{BESIDE}/"
