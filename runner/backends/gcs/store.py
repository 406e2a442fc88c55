"""Writing so that nothing is lost on the way: create, replace, move, trash."""

import asyncio
from contextlib import suppress
from typing import Literal

from runner.backends.gcs.answers import Failed
from runner.backends.gcs.nodes import Found
from runner.backends.gcs.objects import Misstored, Objects
from runner.backends.gcs.past import Past, Way, way_of
from runner.backends.gcs.trash import Trash
from runner.backends.gcs.uploads import Uploads
from runner.model.content import Content
from runner.model.errors import AcdrunError, Damaged, Exists, NotFound, Stale, Unavailable
from runner.remote.dated import At
from runner.remote.room import Room
from runner.state.heads import Heads

WHOLE = 8 << 20
"""Content up to this many bytes is stored by one request."""
PART = 8 << 20
_HELD = 96 << 20

_MOVED_ON = "not the generation that was listed"


class Store:
    """trash: what is asked for, see `GcsConfig.trash`; place: the service, as memories name it."""

    def __init__(
        self,
        objects: Objects,
        heads: Heads,
        dated: Trash,
        past: Past,
        trash: Literal["auto", "copies"],
        place: str,
    ) -> None:
        self._objects = objects
        self._dated = dated
        self._past = past
        self._asked = trash
        self._room = Room(_HELD)
        self.uploads = Uploads(objects, heads, self._room, PART, place)
        self._ways: dict[str, Way] = {}
        self._asking: dict[str, asyncio.Lock] = {}

    async def way(self, bucket: str) -> Way:
        """How the bucket keeps what is removed. Asked once a run: what was on yesterday may be off."""
        async with self._asking.setdefault(bucket, asyncio.Lock()):
            if bucket not in self._ways:
                asked = self._asked == "auto"
                self._ways[bucket] = await way_of(self._objects.wire, bucket) if asked else "copies"
        return self._ways[bucket]

    async def create(self, at: At, content: Content) -> Found:
        """Store content where nothing is. Raises Exists, Damaged."""
        try:
            return await self._put(at, content, 0)
        except Failed as error:
            raise Exists("something is there already") from error
        except Misstored as error:
            await asyncio.shield(self._away(at, error.found.generation))
            raise Damaged(error.message) from error

    async def replace(self, at: At, above: str, content: Content, expect: int) -> tuple[Found, str]:
        """Store content in place of the generation `expect`, which stays recoverable.

        Returns the new object, and what brings the old one back. Raises Stale, Damaged.
        """
        ref = await self._kept(at, above, expect)
        try:
            new = await self._put(at, content, expect)
        except Misstored as error:
            await asyncio.shield(self._taken_back(at, above, ref, error))
            raise Damaged(error.message) from error
        except AcdrunError as error:
            await self._forgotten(at, above, ref, expect, error)
            if isinstance(error, Failed):
                raise Stale(_MOVED_ON) from error
            raise
        return new, ref

    async def trash(self, at: At, above: str, generation: int) -> str:
        """Remove this state, which stays recoverable; return what brings it back. Raises Stale."""
        ref = await self._kept(at, above, generation)
        try:
            await self._remove(at, generation)
        except AcdrunError as error:
            await self._forgotten(at, above, ref, generation, error)
            raise
        return ref

    async def trash_all(self, at: At, above: str, taken: list[Found]) -> str:
        """Remove all that is below a folder, as one entry of the trash of copies; return what brings it back."""
        ref = await self._dated.keep_all(at.bucket, above, at.key[len(above) :], taken)
        for one in taken:
            await self._remove(At(at.bucket, one.key), one.generation)
            if (
                await self.way(at.bucket) == "versions"
            ):  # its copy is in the trash: it is not to be there twice
                with suppress(NotFound):
                    await self._objects.remove(At(at.bucket, one.key), generation=one.generation, older=True)
        return ref

    async def move(self, at: At, to: At, found: Found) -> None:
        """Copy the state `found` to where nothing is, and remove it. Raises Stale."""
        try:
            await self._objects.copy(at, to, found.generation)
        except Failed as error:
            raise Stale(_MOVED_ON) from error
        await self._remove(at, found.generation)

    async def _put(self, at: At, content: Content, generation: int) -> Found:
        if content.size > WHOLE:
            return await self.uploads.put(at, content, generation)
        room = await self._room.take(content.size)
        try:
            data = await content.whole()
            return await self._objects.put(at, data, content.mtime_ns, generation)
        finally:
            self._room.give(room)

    async def _kept(self, at: At, above: str, generation: int) -> str:
        """Have the state outlast what is about to be done to it; return what brings it back. Raises Stale."""
        way = await self.way(at.bucket)
        if way != "copies":
            return self._past.ref(way, generation, at.key[len(above) :])
        found = await self._objects.find(at)
        if found is None or found.generation != generation:
            raise Stale(_MOVED_ON)
        try:
            return await self._dated.keep(at, above, found)
        except (Failed, NotFound) as error:
            raise Stale(_MOVED_ON) from error

    async def _forgotten(self, at: At, above: str, ref: str, generation: int, error: AcdrunError) -> None:
        """Take the copy out of the trash again, but only where the old content is sure to stand at its key still.

        What was asked for may have had its effect, whatever came back: then the copy is all there is of it.
        """
        if Past.named(ref) or isinstance(error, Unavailable):
            return
        with suppress(AcdrunError):
            now = await self._objects.find(at)
            if now is not None and now.generation == generation:
                await self._dated.forget(at.bucket, above, ref)

    async def _taken_back(self, at: At, above: str, ref: str, error: Misstored) -> None:
        await self._away(at, error.found.generation)
        trash = self._past if Past.named(ref) else self._dated
        await trash.restore(at.bucket, above, ref, at.key[len(above) :])

    async def _away(self, at: At, generation: int) -> None:
        """Remove what this attempt has stored, for good."""
        await self._remove(at, generation)
        if await self.way(at.bucket) == "versions":
            with suppress(NotFound):
                await self._objects.remove(at, generation=generation, older=True)

    async def _remove(self, at: At, generation: int) -> None:
        try:
            await self._objects.remove(at, generation=generation)
        except (Failed, NotFound) as error:
            # The answer to an earlier try may have been lost: what is gone now is what was to go.
            if await self._objects.find(at) is not None:
                raise Stale(_MOVED_ON) from error
