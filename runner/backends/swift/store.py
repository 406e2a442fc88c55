"""Writing so that nothing is lost on the way: create, replace, move, trash.

The service checks one precondition, that nothing is there (`If-None-Match: *`), which is tried once, and ignores all
others in silence; so what is to be replaced or removed is looked up just before. The copy for the trash is bound to its
state all the same.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from runner.backends.swift import probe
from runner.backends.swift.answers import Failed, no_container
from runner.backends.swift.nodes import Found
from runner.backends.swift.objects import Misstored, Objects
from runner.backends.swift.parts import Parts
from runner.backends.swift.shelf import Trash
from runner.backends.swift.versions import Versions
from runner.model.content import Content
from runner.model.errors import AcdrunError, Damaged, Exists, NotFound, Stale, Unavailable
from runner.remote.dated import TRASH, At
from runner.remote.room import Room

WHOLE = 16 << 20
"""Content up to this many bytes is stored by one request; what is larger, in segments of this size."""
HELD = 96 << 20
"""Bytes that wait in memory at once."""


class Store:
    """parts: for what is large; memory: the file that keeps what a container's server makes of preconditions."""

    def __init__(
        self,
        objects: Objects,
        trash: Trash,
        versions: Versions,
        parts: Parts,
        room: Room,
        memory: Callable[[str], Path],
    ) -> None:
        self._objects = objects
        self._trash = trash
        self._versions = versions
        self.parts = parts
        self._room = room
        self._memory = memory
        self._whole = WHOLE
        self._refuses: dict[str, bool] = {}
        self._probing: dict[str, asyncio.Lock] = {}
        self._writing: dict[At, asyncio.Lock] = {}

    async def create(self, at: At, above: str, content: Content) -> Found:
        """Store content where nothing is. Raises Exists, Damaged."""
        sure = await self._sure(at.bucket, above)
        async with self._alone(at):
            if not sure and await self._objects.find(at) is not None:
                raise Exists("something is there already")
            try:
                return await self._put(at, content, new=True)
            except Failed as error:
                raise Exists("something is there already") from error
            except Misstored as error:
                await asyncio.shield(self._taken_away(at, error))
                raise Damaged(error.message) from error

    async def _sure(self, container: str, above: str) -> bool:
        """Is a create refused where something is, without a trace? Tried once, and anew after a month.

        Where versions are kept, the content of a create that is refused is left behind as one.
        """
        if await self._versions.on(container):
            return False
        async with self._probing.setdefault(container, asyncio.Lock()):
            if container not in self._refuses:
                file = self._memory(container)
                known = probe.kept(file)
                if known is None:
                    known = await probe.refuses(self._objects.wire, container, f"{above}{TRASH}/")
                    probe.keep(file, known)
                self._refuses[container] = known
            return self._refuses[container]

    async def replace(self, at: At, above: str, content: Content, expect: str) -> tuple[Found, str]:
        """Store content in place of the generation `expect`, of which a copy is in the trash before.

        Returns the new object, and what brings the old one back. Raises Stale, Damaged.
        """
        async with self._alone(at):
            old = await self._expected(at, expect)
            ref = await self._kept(at, above, old)
            try:
                await self._expected(at, expect)
                new = await self._put(at, content, new=False)
            except Misstored as error:
                await asyncio.shield(self._taken_back(at, above, ref, error))
                raise Damaged(error.message) from error
            except AcdrunError as error:
                await self._forgotten(at, above, ref, old, error)
                raise
        return new, ref

    async def copied(self, at: At, make: Callable[[], Awaitable[Found | None]]) -> Found | None:
        """Have a copy made where nothing is: no copy can be told to replace nothing, so it is looked before."""
        async with self._alone(at):
            if await self._objects.find(at) is not None:
                return None
            return await make()

    async def trash(self, at: At, above: str, found: Found) -> str:
        """Remove the state `found`, of which a copy is in the trash before; return what brings it back."""
        async with self._alone(at):
            ref = await self._kept(at, above, found)
            try:
                await self._remove(at, found.etag)
            except AcdrunError as error:
                await self._forgotten(at, above, ref, found, error)
                raise
        return ref

    async def drop(self, at: At) -> None:
        """Remove an object of which a copy is in the trash; where versions are kept, this one for good."""
        version = ""
        if await self._versions.on(at.bucket):
            version = (await self._objects.head(at)).version
        with suppress(NotFound):
            await self._objects.remove(at, version=version)

    async def move(self, at: At, to: At, found: Found) -> None:
        """Copy the state `found` to where nothing is, and remove it. Raises Stale."""
        await self._objects.copy(at, to, found)
        await self._remove(at, found.etag)

    async def _put(self, at: At, content: Content, *, new: bool) -> Found:
        try:
            if content.size > self._whole:
                return await self.parts.put(at, content, new=new)
            room = await self._room.take(content.size)
            try:
                data = await content.whole()
                return await self._objects.put(at, data, content.mtime_ns, new=new)
            finally:
                self._room.give(room)
        except NotFound as error:
            if error.path is None:
                raise no_container(at.bucket, error) from error
            raise

    async def _kept(self, at: At, above: str, found: Found) -> str:
        """Have the state outlast what is about to be done to it; return what brings it back."""
        if found.version not in ("", "null") and await self._versions.on(at.bucket):
            return self._versions.ref(found, above)
        try:
            return await self._trash.keep(at, above, found)
        except NotFound as error:
            raise Stale("not the generation that was listed") from error

    async def _remove(self, at: At, etag: str) -> None:
        await self._expected(at, etag)
        with suppress(
            NotFound
        ):  # the answer to an earlier try may have been lost: what is gone now was to go
            await self._objects.remove(at)

    async def _forgotten(self, at: At, above: str, ref: str, old: Found, error: AcdrunError) -> None:
        """Take the copy out of the trash again, but only where the old content is sure to stand at its key still.

        What was asked for may have had its effect, whatever came back: then the copy is all there is of it.
        """
        if Versions.named(ref) or isinstance(error, Unavailable):
            return
        with suppress(AcdrunError):
            now = await self._objects.find(at)
            if now is not None and now.etag == old.etag:
                await self._trash.forget(at.bucket, above, ref)

    async def _taken_away(self, at: At, error: Misstored) -> None:
        """Remove what was stored wrongly, that state and no other."""
        now = await self._objects.find(at)
        if now is not None and now.etag == error.etag:
            version = now.version if await self._versions.on(at.bucket) else ""
            await self._objects.remove(at, version=version)

    async def _taken_back(self, at: At, above: str, ref: str, error: Misstored) -> None:
        now = await self._objects.find(at)
        if now is None or now.etag != error.etag:
            return
        if not Versions.named(ref):
            await self._trash.put_back(at, above, ref)
        else:
            await self._versions.restore_over(at.bucket, above, ref)

    async def _expected(self, at: At, expect: str) -> Found:
        found = await self._objects.find(at)
        if found is None or found.etag != expect:
            raise Stale("not the generation that was listed")
        return found

    @asynccontextmanager
    async def _alone(self, at: At) -> AsyncIterator[None]:
        """One write to a key at a time: the service compares and writes in two steps."""
        lock = self._writing.setdefault(at, asyncio.Lock())
        async with lock:
            yield
        if not lock.locked() and self._writing.get(at) is lock:
            del self._writing[at]
