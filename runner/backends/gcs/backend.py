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
from runner.backends.gcs.nodes import Found, number
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
    Quota,
    Setting,
    Trashed,
)
from runner.model.content import Content, Fetched
from runner.model.errors import Blocked, Exists, Unsupported, UsageError
from runner.model.node import Node
from runner.remote.close import closing
from runner.remote.dated import MOST_BYTES, TRASH, At, below, hidden
from runner.remote.keyed import Keyed, Page
from runner.remote.wire import Wire

_BROKEN = re.compile(r"[\r\n]")

list_ = list  # the class has a verb of that name


class Gcs(Keyed[Found]):
    """Objects by key.

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

    @classmethod
    async def open(cls, config: GcsConfig, setting: Setting) -> Self:
        """See `Backend.open`."""
        return cls(await connect(config, setting, cls.can.concurrency), config, setting.run)

    async def close(self) -> None:
        """See `Backend.close`."""
        await self._connection.close()

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

    async def quota(self) -> Quota:
        """A bucket has no end, and counts nothing for us."""
        raise Unsupported("Google Cloud Storage does not say how much room there is")

    @property
    def _requests(self) -> Wire:
        return self._wire.wire

    async def _service(self) -> str:
        return self._connection.place

    async def _buckets(self) -> Sequence[str]:
        return await buckets(self._wire, self._config.project_number)

    def _pages(self, bucket: str, prefix: str) -> AsyncGenerator[Page[Found], None]:
        return objects(self._wire, bucket, prefix, delimiter="/")

    async def _all(self, bucket: str, prefix: str) -> AsyncGenerator[Sequence[tuple[str, Node]], None]:
        trash, after, cut = f"{self._above(bucket)}{TRASH}/", "", len(prefix)
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

    async def _find(self, at: At) -> Found | None:
        return await self._objects.find(at)

    def _content(self, at: At, expect: str | None) -> AsyncGenerator[bytes, None]:
        return self._objects.read(at, None if expect is None else number(expect))

    async def _all_of(self, at: At, size: int, expect: str | None) -> Fetched:
        return await self._objects.whole(at, size, None if expect is None else number(expect))

    async def _anything(self, at: At) -> bool:
        return await anything(self._wire, at)

    async def _found_below(self, at: At) -> list_[Found]:
        return await found_below(self._wire, at)

    async def _make_bucket(self, bucket: str) -> None:
        try:
            await self._anything(At(bucket, ""))
        except NoBucket:
            await self._new_bucket(bucket)

    async def _new_bucket(self, bucket: str) -> None:
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

    async def _rename(self, at: At, to: At, found: Found) -> None:
        await self._store.move(at, to, found)

    async def _trash_one(self, at: At, above: str, found: Found) -> str:
        return await self._store.trash(at, above, found.generation)

    async def _trash_all(self, at: At, above: str, taken: list_[Found]) -> str:
        return await self._store.trash_all(at, above, taken)

    async def _removed(self, bucket: str, above: str) -> Sequence[AsyncGenerator[Sequence[Trashed], None]]:
        copies, way = self._trash.found(bucket, above), await self._store.way(bucket)
        if way == "copies":
            return [copies]
        return [copies, self._past.found(bucket, above, way, hidden=f"{above}{TRASH}/")]

    def _shelf_of(self, ref: str) -> Trash | Past:
        return self._past if Past.named(ref) else self._trash

    def _still(self, found: Found, expect: str) -> bool:
        return found.generation == number(expect)

    def _holdable(self, path: str) -> At:
        at = super()._holdable(path)
        if _BROKEN.search(at.key) or at.key.startswith(".well-known/acme-challenge/"):
            raise Blocked(
                "the service holds no key with a line break, and none of `.well-known/acme-challenge`"
            )
        return at
