"""Writing so that nothing is lost on the way: create, replace, move, trash."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from runner.backends.s3 import probe
from runner.backends.s3.alone import Alone, Turns
from runner.backends.s3.answers import Failed
from runner.backends.s3.copies import Copies
from runner.backends.s3.nodes import Found
from runner.backends.s3.objects import Misstored, Objects
from runner.backends.s3.parts import Parts
from runner.backends.s3.probe import Conditions, CopyConditions
from runner.backends.s3.trash import Trash
from runner.backends.s3.versions import Versions
from runner.model.checksum import Checksum
from runner.model.content import Content
from runner.model.errors import AcdrunError, Damaged, Exists, NotFound, Stale, Unavailable
from runner.remote.dated import TRASH, At
from runner.remote.room import Room

WHOLE = 16 << 20
"""Content up to this many bytes is stored by one request."""
PART = 8 << 20
_HELD = 96 << 20

NEW = ("if-none-match", "*")
"""What keeps a PUT from replacing anything."""


class Store:
    """memory: the file in which it is kept what a bucket's server makes of preconditions.

    conditions: what is known of that in this run, by bucket.
    """

    def __init__(
        self,
        objects: Objects,
        copies: Copies,
        trash: Trash,
        versions: Versions,
        memory: Callable[[str], Path],
    ) -> None:
        self._objects = objects
        self._copies = copies
        self._trash = trash
        self._versions = versions
        self._memory = memory
        self._room = Room(_HELD)
        self._parts = Parts(objects, self._room, PART)
        self.conditions: dict[str, Conditions] = {}
        self._copying: dict[str, CopyConditions] = {}
        self._probing: dict[str, asyncio.Lock] = {}
        self._writing: dict[At, Turns] = {}

    def known(self, bucket: str) -> Conditions | None:
        """What is known already of the bucket's server."""
        if (
            bucket not in self.conditions
            and (kept := probe.kept(self._memory(bucket), Conditions)) is not None
        ):
            self.conditions[bucket] = kept
        return self.conditions.get(bucket)

    async def ready(self, bucket: str, above: str) -> Conditions:
        """What the bucket's server makes of preconditions; tried once."""
        async with self._probing.setdefault(bucket, asyncio.Lock()):
            known = self.known(bucket)
            if known is None:
                known = await probe.probe(self._objects.wire, bucket, f"{above}{TRASH}/")
                probe.keep(self._memory(bucket), known)
                self.conditions[bucket] = known
        return known

    async def copies_ready(self, bucket: str, above: str) -> CopyConditions:
        """What the bucket's server makes of preconditions of copies; tried once."""
        async with self._probing.setdefault(bucket, asyncio.Lock()):
            if bucket not in self._copying:
                memory = self._memory(f"{bucket} copies")
                known = probe.kept(memory, CopyConditions)
                if known is None:
                    known = await probe.probe_copies(self._objects.wire, bucket, f"{above}{TRASH}/")
                    probe.keep(memory, known)
                self._copying[bucket] = known
        return self._copying[bucket]

    def removes(self, bucket: str) -> bool:
        """Does the bucket's server mind what a removal expects?"""
        return self.conditions[bucket].remove

    async def create(self, at: At, content: Content) -> Found:
        """Store content where nothing is. Raises Exists, Damaged."""
        strong = self.conditions[at.bucket].create
        async with self.alone(at):
            if not strong and await self._objects.find(at) is not None:
                raise Exists("something is there already")
            try:
                return await self._put(at, content, NEW if strong else None)
            except Failed as error:
                raise Exists("something is there already") from error
            except Misstored as error:
                await asyncio.shield(self._objects.remove(at, expect=error.etag if strong else None))
                raise Damaged(error.message) from error

    async def replace(self, at: At, above: str, content: Content, expect: str) -> tuple[Found, str]:
        """Store content in place of the generation `expect`, of which a copy is in the trash before.

        Returns the new object, and what brings the old one back. Raises Stale, Damaged.
        """
        strong = self.conditions[at.bucket].replace
        async with self.alone(at):
            old = await self._expected(at, expect)
            ref = await self._kept(at, above, old)
            try:
                if not strong:
                    await self._expected(at, expect)
                new = await self._put(at, content, ("if-match", f'"{expect}"') if strong else None)
            except Misstored as error:
                await asyncio.shield(self._taken_back(at, above, ref, error))
                raise Damaged(error.message) from error
            except AcdrunError as error:
                await self._forgotten(at, above, ref, old, error)
                if isinstance(error, Failed):
                    raise Stale("not the generation that was to be replaced") from error
                raise
        return new, ref

    async def trash(self, at: At, above: str, found: Found) -> str:
        """Remove the state `found`, of which a copy is in the trash before; return what brings it back."""
        async with self.alone(at):
            ref = await self._kept(at, above, found)
            try:
                await self._remove(at, found.etag)
            except AcdrunError as error:
                await self._forgotten(at, above, ref, found, error)
                raise
        return ref

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

    async def _taken_back(self, at: At, above: str, ref: str, error: Misstored) -> None:
        if not Versions.named(ref):
            await self._trash.put_back(at, above, ref)
        elif (now := await self._objects.find(at)) is not None and now.etag == error.etag:
            await self._objects.remove(at, expect=None, version=now.version)

    async def drop(self, at: At) -> None:
        """Remove an object of which a copy is in the trash; where versions are kept, this one for good."""
        version = ""
        if await self._versions.on(at.bucket):
            version = (await self._objects.head(at)).version
        await self._objects.remove(at, expect=None, version=version)

    async def move(self, at: At, to: At, found: Found) -> None:
        """Copy the state `found` to where nothing is, and remove it. Raises Stale."""
        try:
            await self._copies.copy(at, to, found)
        except Failed as error:
            raise Stale("not the generation that was listed") from error
        await self._remove(at, found.etag)

    async def _put(self, at: At, content: Content, condition: tuple[str, str] | None) -> Found:
        if content.size > WHOLE:
            return await self._parts.put(at, content, condition)
        room = await self._room.take(content.size)
        try:
            data = await content.whole()
            md5 = content.checksum if content.checksum.algorithm == "md5" else Checksum.of("md5", data)
            return await self._objects.put(at, data, md5, content.mtime_ns, condition)
        finally:
            self._room.give(room)

    async def _kept(self, at: At, above: str, found: Found) -> str:
        """Have the state outlast what is about to be done to it; return what brings it back."""
        if found.version and await self._versions.on(at.bucket):
            return self._versions.ref(found, above)
        try:
            return await self._trash.keep(at, above, found)
        except (Failed, NotFound) as error:
            raise Stale("not the generation that was listed") from error

    async def _remove(self, at: At, etag: str) -> None:
        strong = self.conditions[at.bucket].remove
        if not strong:
            await self._expected(at, etag)
        try:
            await self._objects.remove(at, expect=etag if strong else None)
        except (Failed, NotFound) as error:
            # The answer to an earlier try may have been lost: what is gone now is what was to go.
            if await self._objects.find(at) is not None:
                raise Stale("not the generation that was listed") from error

    async def _expected(self, at: At, expect: str) -> Found:
        found = await self._objects.find(at)
        if found is None or found.etag != expect:
            raise Stale("not the generation that was listed")
        return found

    def writes(self, at: At) -> bool:
        """Does somebody write to that key now?"""
        return at in self._writing

    def alone(self, at: At) -> "Alone":
        """One write to a key at a time: not every server that compares does so in the same step (Swift does not)."""
        return Alone(self._writing, at)
