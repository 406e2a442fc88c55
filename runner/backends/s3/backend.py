"""The driver for Amazon S3, and for servers that speak its protocol."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import replace
from typing import Self

from runner.backends.s3.answers import NoBucket
from runner.backends.s3.below import anything, found_below
from runner.backends.s3.config import S3Config
from runner.backends.s3.connect import Connection, connect
from runner.backends.s3.copies import Copies
from runner.backends.s3.fetching import Fetching
from runner.backends.s3.listing import LAST, Entries, buckets, entries, objects
from runner.backends.s3.nodes import Found
from runner.backends.s3.objects import Objects
from runner.backends.s3.peer import Peering
from runner.backends.s3.probe import Conditions
from runner.backends.s3.several import Several
from runner.backends.s3.store import Store
from runner.backends.s3.trash import Shelf, Trash
from runner.backends.s3.unlisted import Unlisted
from runner.backends.s3.versions import Versions
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
from runner.model.errors import AcdrunError, Unsupported
from runner.model.node import Node
from runner.model.powers import Some
from runner.remote.close import closing
from runner.remote.dated import MOST_BYTES, TRASH, At, below, hidden
from runner.remote.files import Files
from runner.remote.keyed import Keyed, Page
from runner.remote.wire import Wire

_BATCHES = 2
"""Of which the requests may be under way: the last answers of one are waited for while the next is sent."""

list_ = list  # the class has a verb of that name


class S3(Keyed[Found]):
    """Objects by key.

    The generation of a file is its ETag. Preconditions are the service's own where it checks them, which is tried
    once before the first write; elsewhere they are looked up just before. Times are metadata, which no listing
    carries: a listing shows none, `timed` asks, and what was told is remembered by key and ETag.
    """

    can = Capabilities(
        checksums=("md5",),
        mtime_ns=1,
        folds=False,
        concurrency=32,
        throttles=True,
        max_size=5 << 40,
        folders=False,
        max_path=MOST_BYTES,
        flat=True,
        lists_times=False,
    )

    def __init__(self, connection: Connection, config: S3Config, run: str) -> None:
        self._connection = connection
        self._wire = connection.wire
        self._root = paths.join(config.bucket, config.root.strip("/"))
        self._objects = Objects(self._wire, connection.heads, connection.place, config.storage_class)
        self._unlisted = Unlisted(self._objects)
        self._copies = Copies(self._objects)
        self._trash = Trash(Shelf(self._objects, self._copies), run)
        self._versions = Versions(self._objects, self._copies)
        self._store = Store(self._objects, self._copies, self._trash, self._versions, connection.memory)
        self._reads, self._puts = asyncio.Semaphore(_BATCHES), asyncio.Semaphore(_BATCHES)
        self._peering = Peering(
            self._objects, self._copies, self._store, self._holdable, lambda: self.at_once
        )
        top = self._at("")
        self.can = replace(
            self.can,
            max_path=MOST_BYTES - len(below(top.key).encode()),
            copies=f"{connection.place} {connection.owner}",
        )
        if top.bucket and (known := self._store.known(top.bucket)) is not None:
            self._found_out(known)

    @classmethod
    async def open(cls, config: S3Config, setting: Setting) -> Self:
        """See `Backend.open`."""
        return cls(await connect(config, setting, cls.can.concurrency), config, setting.run)

    async def close(self) -> None:
        """See `Backend.close`."""
        await self._connection.close()

    async def timed(self, nodes: Sequence[tuple[str, Node]]) -> Sequence[Node]:
        """See `Timed.timed`; a HEAD for each file that was never asked about."""
        return await self._unlisted.timed([self._at(path) for path, _ in nodes], [node for _, node in nodes])

    async def put(self, path: str, content: Content, *, expect: str | None) -> Node:
        """See `Backend.put`."""
        at = self._holdable(path)
        await self._ready(at.bucket)
        if expect is None:
            return self._shown((await self._store.create(at, content)).node())
        found, ref = await self._store.replace(at, self._above(at.bucket), content, expect)
        return self._shown(found.node())._replace(replaced=self._named(at.bucket, ref))

    async def copy_from(
        self, source: Backend, batch: Sequence[Copy], how: Copying
    ) -> Sequence[Copied | None]:
        """See `Peer.copy_from`: the service copies; what its ETags do not prove is left to be sent."""
        if not isinstance(source, S3) or source.can.copies != self.can.copies:
            raise Unsupported("only what the same service keeps, under the same keys, is copied by it")
        done: list_[Copied | None] = [None] * len(batch)
        if how.algorithm != "md5" or not self.can.checksums or not source.can.checksums:
            return done
        for bucket in {self._at(one.path).bucket for one in batch}:
            numbers = [n for n, one in enumerate(batch) if self._at(one.path).bucket == bucket]
            await self._ready(bucket)
            if not self.can.checksums:
                continue
            guard = await self._store.copies_ready(bucket, self._above(bucket))
            some = await self._peering.take(source._at, [batch[n] for n in numbers], how, guard)
            for number, one in zip(numbers, some, strict=True):
                done[number] = one
        return done

    async def read_some(self, files: Sequence[Copy], how: Copying) -> AsyncGenerator[Some, None]:
        """See `ReadsSome.read_some`."""
        posting = self._requests.posting
        if posting is None:
            return
        ats = [at if (at := self._at(one.origin)).key and one.origin else None for one in files]
        fetching = Fetching(self._objects, files, ats, how)
        async with self._reads, closing(fetching.some(posting)) as pieces:
            async for some in pieces:
                yield some

    async def put_some(
        self, files: Sequence[Copy], loaded: AsyncIterator[Some], how: Copying
    ) -> Sequence[Copied | None]:
        """See `PutsSome.put_some`: where the service checks conditions and digests by itself."""
        ats = [self._takes(one.path) for one in files]
        several = Several(self._objects, self._store, ats, [one.mtime_ns for one in files])
        posting = self._requests.posting
        if posting is not None and how.algorithm == "md5":
            for bucket in {at.bucket for at in ats if at is not None}:
                await self._ready(bucket)
                if not self._store.conditions[bucket].create or not self.can.checksums:
                    return several.done
            async with self._puts:
                await several.put(posting, loaded, how.wanted)
        return several.done

    def _takes(self, path: str) -> At | None:
        try:
            return self._holdable(path)
        except AcdrunError:
            return None

    async def quota(self) -> Quota:
        """A bucket has no end, and counts nothing for us."""
        raise Unsupported("S3 does not say how much room there is")

    def _found_out(self, known: Conditions) -> None:
        checksums = type(self).can.checksums if known.digests else ()
        if (known.strong, checksums) != (self.can.strong, self.can.checksums):
            self.can = replace(self.can, strong=known.strong, checksums=checksums)

    @property
    def _requests(self) -> Wire:
        return self._wire.wire

    async def _service(self) -> str:
        return self._connection.place

    async def _buckets(self) -> Sequence[str]:
        return await buckets(self._wire)

    def _pages(self, bucket: str, prefix: str) -> AsyncGenerator[Page[Found], None]:
        return objects(self._wire, bucket, prefix, delimiter="/")

    async def _all(self, bucket: str, prefix: str) -> AsyncGenerator[Sequence[tuple[str, Node]], None]:
        trash, after = f"{self._above(bucket)}{TRASH}/", ""
        while True:
            met = False
            async with closing(entries(self._wire, bucket, prefix, after=after)) as pages:
                async for page in pages:
                    met = not after and any(key.startswith(trash) for key in page.keys[-1:])
                    yield self._files(bucket, page, len(prefix))
                    if met:
                        break
            if not met:
                return
            after = trash + LAST

    def _files(self, bucket: str, page: Entries, cut: int) -> Files:
        if TRASH in "\n".join(page.keys):
            page = page.only([not hidden(key) for key in page.keys])
        keys, changed, etags, sizes = page
        digests = self._unlisted.digests(bucket, keys, etags) if self.can.checksums else [""] * len(keys)
        return Files([key[cut:] for key in keys] if cut else keys, sizes, etags, digests, changed)

    async def _find(self, at: At) -> Found | None:
        return await self._objects.find(at)

    def _content(self, at: At, expect: str | None) -> AsyncGenerator[bytes, None]:
        return self._objects.read(at, expect)

    async def _all_of(self, at: At, size: int, expect: str | None) -> Fetched:
        return await self._objects.whole(at, size, expect)

    async def _anything(self, at: At) -> bool:
        return await anything(self._wire, at)

    async def _found_below(self, at: At) -> list_[Found]:
        return await found_below(self._wire, at)

    async def _make_bucket(self, bucket: str) -> None:
        try:
            await self._anything(At(bucket, ""))
        except NoBucket:
            await self._wire.make_bucket(bucket)

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
        if not self.can.checksums:
            return [one._replace(checksum=None) for one in files]
        return self._unlisted.digested(bucket, files)

    def _shown(self, node: Node) -> Node:
        return node if self.can.checksums else node._replace(checksum=None)

    async def _ready(self, bucket: str) -> None:
        """Before the first write: what does the server make of preconditions?"""
        known = self._store.conditions.get(bucket)
        self._found_out(known or await self._store.ready(bucket, self._above(bucket)))
