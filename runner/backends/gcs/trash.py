"""The objects of a bucket as a shelf for the trash of dated copies: see `remote.dated`."""

from collections.abc import AsyncGenerator

from runner.backends.gcs.listing import objects
from runner.backends.gcs.nodes import Found, was_at
from runner.backends.gcs.objects import Objects, as_copy
from runner.remote.close import closing
from runner.remote.dated import At, Dated


class Shelf:
    """See `dated.Shelf`."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    async def below(self, bucket: str, prefix: str) -> AsyncGenerator[list[Found], None]:
        """See `dated.Shelf`."""
        async with closing(objects(self._objects.wire, bucket, prefix)) as pages:
            async for page in pages:
                yield page.objects

    async def head(self, at: At) -> Found:
        """See `dated.Shelf`."""
        return await self._objects.head(at)

    async def copy(self, at: At, to: At, found: Found, *, was: str = "", plain: bool = False) -> Found:
        """See `dated.Shelf`."""
        about = None
        if was or plain:
            about = as_copy(await self._objects.resource(at, found.generation), was, plain=plain)
        return await self._objects.copy(at, to, found.generation, about=about)

    async def remove(self, at: At) -> None:
        """See `dated.Shelf`."""
        await self._objects.remove(at)

    async def was(self, at: At) -> str | None:
        """See `dated.Shelf`."""
        return was_at(await self._objects.resource(at))


Trash = Dated[Found]
