"""The driver for Amazon S3, and for servers that speak its protocol."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Self

from runner.backends.s3.answers import NoBucket
from runner.backends.s3.below import anything, found_below
from runner.backends.s3.config import S3Config
from runner.backends.s3.connect import Connection, connect
from runner.backends.s3.copies import Copies
from runner.backends.s3.listing import LAST, buckets, objects
from runner.backends.s3.nodes import Found
from runner.backends.s3.objects import Objects
from runner.backends.s3.peer import Peering
from runner.backends.s3.probe import Conditions
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
    Identity,
    Quota,
    Setting,
    Trashed,
)
from runner.model.content import CHUNK, Content
from runner.model.errors import Blocked, Exists, NotFound, Stale, Unsupported, UsageError
from runner.model.node import Node
from runner.remote.close import closing
from runner.remote.dated import MOST_BYTES, TRASH, At, below, hidden

list_ = list  # the class has a verb of that name


class S3:
    """Objects by key. A folder is what keys have in common; nothing is made for one.

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

    @property
    def clock_offset_s(self) -> float | None:
        """See `Backend.clock_offset_s`."""
        return self._wire.wire.service_clock.offset_s

    @property
    def at_once(self) -> int:
        """See `Adaptive`."""
        return self._wire.wire.throttle.useful

    @classmethod
    async def open(cls, config: S3Config, setting: Setting) -> Self:
        """See `Backend.open`."""
        return cls(await connect(config, setting, cls.can.concurrency), config, setting.run)

    async def close(self) -> None:
        """See `Backend.close`."""
        await self._connection.close()

    async def list(self, folder: str) -> AsyncGenerator[Sequence[Node], None]:
        """See `Backend.list`; one request for a thousand children."""
        at = self._at(folder)
        if not at.bucket:
            yield [Node(name, "folder") for name in await buckets(self._wire)]
            return
        prefix, some = below(at.key), not folder
        async with closing(objects(self._wire, at.bucket, prefix, delimiter="/")) as pages:
            async for page in pages:
                some = some or bool(page.objects or page.prefixes)
                files = [one for one in page.objects if len(one.key) > len(prefix) or one.size]
                nodes = [
                    one.node()._replace(name=one.key[len(prefix) :])
                    for one in self._digested(at.bucket, files)
                ]
                names = [below[len(prefix) : -1] for below in page.prefixes]
                nodes += [Node(name, "folder") for name in names if name != TRASH]
                yield nodes
        if not some:
            raise NotFound("nothing is there")

    async def list_all(self, folder: str) -> AsyncGenerator[Sequence[tuple[str, Node]], None]:
        """See `Flat.list_all`; one request for a thousand files. The trash is jumped over."""
        at = self._at(folder)
        if not at.bucket:
            for bucket in await buckets(self._wire):
                async with closing(self._all(bucket, "", self._above(bucket))) as pages:
                    async for page in pages:
                        yield [(f"{bucket}/{key}", node) for key, node in page]
            return
        some = not folder
        async with closing(self._all(at.bucket, below(at.key), self._above(at.bucket))) as pages:
            async for page in pages:
                some = some or bool(page)
                yield page
        if not some:
            raise NotFound("nothing is there")

    async def _all(
        self, bucket: str, prefix: str, above: str
    ) -> AsyncGenerator[Sequence[tuple[str, Node]], None]:
        trash, after, cut = f"{above}{TRASH}/", "", len(prefix)
        while True:
            met = False
            async with closing(objects(self._wire, bucket, prefix, after=after, ahead=True)) as pages:
                async for page in pages:
                    found = self._digested(bucket, page.objects)
                    met = not after and any(one.key.startswith(trash) for one in found[-1:])
                    yield [(one.key[cut:], one.node()) for one in found if not hidden(one.key)]
                    if met:
                        break
            if not met:
                return
            after = trash + LAST

    async def timed(self, nodes: Sequence[tuple[str, Node]]) -> Sequence[Node]:
        """See `Timed.timed`; a HEAD for each file that was never asked about."""
        return await self._unlisted.timed([self._at(path) for path, _ in nodes], [node for _, node in nodes])

    async def stat(self, path: str) -> Node:
        """See `Backend.stat`; the file where a file and a folder have one name."""
        at = self._at(path)
        if at.key and path:
            found = await self._objects.find(at)
            if found is not None:
                return self._shown(found.node())
        if not await anything(self._wire, at) and path:
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

    async def mkdir(self, path: str) -> Node:
        """See `Backend.mkdir`; makes the bucket where the path is no more than that, and nothing else."""
        at = self._at(path)
        if at.key and path:
            self._holdable(path)
            if await self._objects.find(at) is not None:
                raise Exists("a file is there already")
        if at.bucket and (not at.key or not path):
            try:
                await anything(self._wire, At(at.bucket, ""))
            except NoBucket:
                await self._wire.make_bucket(at.bucket)
        return Node(paths.name(path), "folder")

    async def move(self, path: str, to: str, *, expect: str | None = None) -> Node:
        """See `Backend.move`: a copy by the service, then a removal; a folder goes key by key."""
        at, goal = self._holdable(path), self._holdable(to)
        if goal != at and paths.within(to, path):
            raise Blocked("a folder cannot be moved into itself")
        await self._ready(at.bucket)
        found = await self._objects.find(at)
        if expect and (found is None or found.etag != expect):
            raise Stale("not the generation that was listed")
        taken = [found] if found is not None else await found_below(self._wire, at)
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
        await self._ready(at.bucket)
        above = self._above(at.bucket)
        found = await self._objects.find(at)
        if found is not None:
            if expect is not None and found.etag != expect:
                raise Stale("not the generation that was listed")
            ref = await self._store.trash(at, above, found)
        else:
            taken = await found_below(self._wire, at)
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
        for bucket in [at.bucket] if at.bucket else await buckets(self._wire):
            above = self._above(bucket)
            sources = [self._trash.found(bucket, above)]
            if await self._versions.on(bucket):
                sources.append(self._versions.found(bucket, above, hidden=f"{above}{TRASH}/"))
            for source in sources:
                async with closing(source) as pages:
                    async for page in pages:
                        shown = [self._entry(bucket, entry) for entry in page]
                        yield [entry for entry in shown if paths.within(entry.path or "", folder)]

    async def kept(self, ref: str) -> Trashed:
        """See `Backend.kept`."""
        bucket, rest = self._referred(ref)
        trash = self._versions if Versions.named(rest) else self._trash
        return self._entry(bucket, await trash.kept(bucket, self._above(bucket), rest))

    async def restore(self, ref: str, to: str | None = None) -> str:
        """See `Backend.restore`: a copy by the service, then the one in the trash is removed."""
        bucket, rest = self._referred(ref)
        path = (await self.kept(ref)).path if to is None else to
        if path is None:
            raise NotFound("nobody knows any more where it was", hint="name another place")
        goal = self._holdable(path)
        await self._ready(bucket)
        if goal.bucket != bucket:
            raise Unsupported("it can come back in its own bucket only")
        await self._absent(path)
        trash = self._versions if Versions.named(rest) else self._trash
        await trash.restore(bucket, self._above(bucket), rest, goal.key[len(self._above(bucket)) :])
        return path

    async def quota(self) -> Quota:
        """A bucket has no end, and counts nothing for us."""
        raise Unsupported("S3 does not say how much room there is")

    async def identity(self, folder: str) -> Identity:
        """See `Backend.identity`: the service, the bucket and the path. A folder is nothing but its name."""
        at = self._at(folder)
        if folder and not await anything(self._wire, at):
            raise NotFound("nothing is there")
        return Identity(f"{self._connection.place}/{at.bucket}/{at.key}".rstrip("/"))

    def _at(self, path: str) -> At:
        bucket, _, key = paths.join(self._root, path).partition("/")
        return At(bucket, key)

    def _above(self, bucket: str) -> str:
        """What of a key in this bucket stands above the remote's root, or above the bucket's where that has none."""
        return below(self._at("").key) if self._root else ""

    def _named(self, bucket: str, ref: str) -> str:
        """What brings it back, where the bucket may be any."""
        return ref if self._root else f"{bucket}/{ref}"

    def _holdable(self, path: str) -> At:
        at = self._at(path)
        if (size := len(at.key.encode())) > MOST_BYTES:
            raise Blocked(f"its key has {size:,} bytes, and {MOST_BYTES:,} are the most")
        if not at.key:
            raise UsageError(
                "files are stored in a bucket, not beside one",
                hint="name the bucket first: REMOTE:BUCKET/PATH",
            )
        return at

    def _digested(self, bucket: str, found: list_[Found]) -> list_[Found]:
        if not self.can.checksums:
            return [one._replace(checksum=None) for one in found]
        return self._unlisted.digested(bucket, found)

    def _shown(self, node: Node) -> Node:
        return node if self.can.checksums else node._replace(checksum=None)

    async def _ready(self, bucket: str) -> None:
        """Before the first write: what does the server make of preconditions?"""
        self._found_out(await self._store.ready(bucket, self._above(bucket)))

    def _found_out(self, known: Conditions) -> None:
        checksums = type(self).can.checksums if known.digests else ()
        if (known.strong, checksums) != (self.can.strong, self.can.checksums):
            self.can = replace(self.can, strong=known.strong, checksums=checksums)

    async def _absent(self, path: str) -> None:
        with suppress(NotFound):
            await self.stat(path)
            raise Exists("something is there already")

    def _referred(self, ref: str) -> tuple[str, str]:
        if self._root:
            return self._at("").bucket, ref
        bucket, _, rest = ref.partition("/")
        if not bucket or not rest:
            raise NotFound(f"{paths.show(ref)!r} is not in the trash")
        return bucket, rest

    def _entry(self, bucket: str, entry: Trashed) -> Trashed:
        if self._root:
            return entry
        return entry._replace(ref=f"{bucket}/{entry.ref}", path=entry.path and f"{bucket}/{entry.path}")
