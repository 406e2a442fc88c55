"""The driver for Google Cloud Storage."""

import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Self

from runner.backends.gcs.answers import NoBucket
from runner.backends.gcs.below import anything, found_below
from runner.backends.gcs.config import GcsConfig
from runner.backends.gcs.connect import Connection, connect
from runner.backends.gcs.listing import LAST, buckets, objects
from runner.backends.gcs.nodes import number
from runner.backends.gcs.objects import Objects
from runner.backends.gcs.past import Past
from runner.backends.gcs.peer import Peering
from runner.backends.gcs.store import Store
from runner.backends.gcs.trash import Shelf, Trash
from runner.backends.gcs.wire import Ask
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

_BROKEN = re.compile(r"[\r\n]")

list_ = list  # the class has a verb of that name


class Gcs:
    """Objects by key. A folder is what keys have in common; nothing is made for one.

    Every write names the generation that it is about, 0 for none, and the service holds it to that. Listings carry
    digests and times, so a plan asks for nothing else.
    """

    can = Capabilities(
        checksums=("md5",),
        mtime_ns=1,
        strong=True,
        concurrency=32,
        throttles=True,
        max_size=5 << 40,
        folders=False,
        max_path=MOST_BYTES,
        flat=True,
    )

    def __init__(self, connection: Connection, config: GcsConfig, run: str) -> None:
        self._connection = connection
        self._config = config
        self._wire = connection.wire
        self._root = paths.join(config.bucket, config.root.strip("/"))
        self._objects = Objects(self._wire, config.storage_class)
        self._trash = Trash(Shelf(self._objects), run)
        self._past = Past(self._objects)
        self._store = Store(
            self._objects, connection.heads, self._trash, self._past, config.trash, connection.place
        )
        self._peering = Peering(self._objects, self._holdable, lambda: self.at_once)
        most = MOST_BYTES - len(below(self._at("").key).encode())
        self.can = replace(self.can, max_path=most, copies=connection.copies)

    @property
    def clock_offset_s(self) -> float | None:
        """See `Backend.clock_offset_s`."""
        return self._wire.wire.service_clock.offset_s

    @property
    def at_once(self) -> int:
        """See `Adaptive`."""
        return self._wire.wire.throttle.useful

    @classmethod
    async def open(cls, config: GcsConfig, setting: Setting) -> Self:
        """See `Backend.open`."""
        return cls(await connect(config, setting, cls.can.concurrency), config, setting.run)

    async def close(self) -> None:
        """See `Backend.close`."""
        await self._connection.close()

    async def list(self, folder: str) -> AsyncGenerator[Sequence[Node], None]:
        """See `Backend.list`; one request for a thousand children."""
        at = self._at(folder)
        if not at.bucket:
            names = await buckets(self._wire, self._config.project_number)
            yield [Node(name, "folder") for name in names]
            return
        prefix, some = below(at.key), not folder
        async with closing(objects(self._wire, at.bucket, prefix, delimiter="/")) as pages:
            async for page in pages:
                some = some or bool(page.objects or page.prefixes)
                nodes = [
                    one.node()._replace(name=one.key[len(prefix) :])
                    for one in page.objects
                    if len(one.key) > len(prefix) or one.size
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
            for bucket in await buckets(self._wire, self._config.project_number):
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
            async with closing(objects(self._wire, bucket, prefix, after=after)) as pages:
                async for page in pages:
                    found = page.objects
                    met = not after and any(one.key.startswith(trash) for one in found[-1:])
                    yield [(one.key[cut:], one.node()) for one in found if not hidden(one.key)]
                    if met:
                        break
            if not met:
                return
            after = trash + LAST

    async def stat(self, path: str) -> Node:
        """See `Backend.stat`; the file where a file and a folder have one name."""
        at = self._at(path)
        if at.key and path:
            found = await self._objects.find(at)
            if found is not None:
                return found.node()
        if not await anything(self._wire, at) and path:
            raise NotFound("nothing is there")
        return Node(paths.name(path), "folder")

    async def read(self, path: str, *, expect: str | None = None) -> AsyncGenerator[bytes, None]:
        """See `Backend.read`."""
        at = self._at(path)
        if not at.key or not path:
            raise NotFound("no file")
        async with closing(self._objects.read(at, None if expect is None else number(expect))) as chunks:
            async for chunk in chunks:
                for start in range(0, len(chunk), CHUNK):
                    yield chunk[start : start + CHUNK] if len(chunk) > CHUNK else chunk

    async def put(self, path: str, content: Content, *, expect: str | None) -> Node:
        """See `Backend.put`."""
        at = self._holdable(path)
        if expect is None:
            return (await self._store.create(at, content)).node()
        found, ref = await self._store.replace(at, self._above(at.bucket), content, number(expect))
        return found.node()._replace(replaced=self._named(at.bucket, ref))

    async def copy_from(
        self, source: Backend, batch: Sequence[Copy], how: Copying
    ) -> Sequence[Copied | None]:
        """See `Peer.copy_from`: the service copies; of what it cannot, nothing is done."""
        if not isinstance(source, Gcs) or source.can.copies != self.can.copies:
            raise Unsupported("what is copied from there passes through this machine")
        return await self._peering.take(source._at, batch, how)

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
                await self._make_bucket(at.bucket)
        return Node(paths.name(path), "folder")

    async def _make_bucket(self, bucket: str) -> None:
        config = self._config
        if not config.project_number:
            raise UsageError(
                f"there is no bucket {bucket!r}, and no project is configured to make it in",
                hint="configure `project_number`",
            )
        about = {"name": bucket} | ({"location": config.location} if config.location else {})
        about |= {"storageClass": config.storage_class} if config.storage_class else {}
        with suppress(Exists):
            await self._wire.call(Ask("POST", ("b",), {"project": config.project_number}, body=about))

    async def move(self, path: str, to: str, *, expect: str | None = None) -> Node:
        """See `Backend.move`: a copy by the service, then a removal; a folder goes key by key."""
        at, goal = self._holdable(path), self._holdable(to)
        if goal != at and paths.within(to, path):
            raise Blocked("a folder cannot be moved into itself")
        found = await self._objects.find(at)
        if expect and (found is None or found.generation != number(expect)):
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
        above = self._above(at.bucket)
        found = await self._objects.find(at)
        if found is not None:
            if expect is not None and found.generation != number(expect):
                raise Stale("not the generation that was listed")
            return self._named(at.bucket, await self._store.trash(at, above, found.generation))
        taken = await found_below(self._wire, at)
        if not taken:
            raise NotFound("nothing is there")
        if expect is not None:
            raise Stale("a folder that is not empty")
        return self._named(at.bucket, await self._store.trash_all(at, above, taken))

    async def trashed(self, folder: str = "") -> AsyncGenerator[Sequence[Trashed], None]:
        """See `Backend.trashed`."""
        at = self._at(folder)
        some = [at.bucket] if at.bucket else await buckets(self._wire, self._config.project_number)
        for bucket in some:
            above, way = self._above(bucket), await self._store.way(bucket)
            sources = [self._trash.found(bucket, above)]
            if way != "copies":
                sources.append(self._past.found(bucket, above, way, hidden=f"{above}{TRASH}/"))
            for source in sources:
                async with closing(source) as pages:
                    async for page in pages:
                        shown = [self._entry(bucket, entry) for entry in page]
                        yield [entry for entry in shown if paths.within(entry.path or "", folder)]

    async def kept(self, ref: str) -> Trashed:
        """See `Backend.kept`."""
        bucket, rest = self._referred(ref)
        trash = self._past if Past.named(rest) else self._trash
        return self._entry(bucket, await trash.kept(bucket, self._above(bucket), rest))

    async def restore(self, ref: str, to: str | None = None) -> str:
        """See `Backend.restore`."""
        bucket, rest = self._referred(ref)
        path = (await self.kept(ref)).path if to is None else to
        if path is None:
            raise NotFound("nobody knows any more where it was", hint="name another place")
        goal = self._holdable(path)
        if goal.bucket != bucket:
            raise Unsupported("it can come back in its own bucket only")
        await self._absent(path)
        trash = self._past if Past.named(rest) else self._trash
        await trash.restore(bucket, self._above(bucket), rest, goal.key[len(self._above(bucket)) :])
        return path

    async def quota(self) -> Quota:
        """A bucket has no end, and counts nothing for us."""
        raise Unsupported("Google Cloud Storage does not say how much room there is")

    async def identity(self, folder: str) -> Identity:
        """See `Backend.identity`: the service, the bucket and the path. A folder is nothing but its name."""
        at = self._at(folder)
        if not await anything(self._wire, at) and folder:
            raise NotFound("nothing is there")
        return Identity(f"{self._connection.place}/{at.bucket}/{at.key}".rstrip("/"))

    def _at(self, path: str) -> At:
        bucket, _, key = paths.join(self._root, path).partition("/")
        return At(bucket, key)

    def _above(self, bucket: str) -> str:
        """What of a key in this bucket stands above the remote's root, or above the bucket's where that has none."""
        return below(self._at("").key) if self._root else ""

    def _holdable(self, path: str) -> At:
        at = self._at(path)
        if (size := len(at.key.encode())) > MOST_BYTES:
            raise Blocked(f"its key has {size:,} bytes, and {MOST_BYTES:,} are the most")
        if _BROKEN.search(at.key) or at.key.startswith(".well-known/acme-challenge/"):
            raise Blocked(
                "the service holds no key with a line break, and none of `.well-known/acme-challenge`"
            )
        if not at.key:
            raise UsageError(
                "files are stored in a bucket, not beside one",
                hint="name the bucket first: REMOTE:BUCKET/PATH",
            )
        return at

    async def _absent(self, path: str) -> None:
        with suppress(NotFound):
            await self.stat(path)
            raise Exists("something is there already")

    def _named(self, bucket: str, ref: str) -> str:
        """A ref of a bucket, as it is given away: with the bucket where the remote has more than one."""
        return ref if self._root else f"{bucket}/{ref}"

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
