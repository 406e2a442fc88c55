"""The objects of a bucket as a shelf for the trash: see `remote.dated`."""

from collections.abc import AsyncGenerator

from runner.backends.s3.copies import Copies
from runner.backends.s3.listing import objects
from runner.backends.s3.nodes import Found, was_at, where
from runner.backends.s3.objects import Objects
from runner.backends.s3.wire import Ask
from runner.remote.close import closing
from runner.remote.dated import At, Dated


class Shelf:
    """See `dated.Shelf`."""

    def __init__(self, objects: Objects, copies: Copies) -> None:
        self._objects = objects
        self._copies = copies

    async def below(self, bucket: str, prefix: str) -> AsyncGenerator[list[Found], None]:
        """See `dated.Shelf`."""
        async with closing(objects(self._objects.wire, bucket, prefix)) as pages:
            async for page in pages:
                yield page.objects

    async def head(self, at: At) -> Found:
        """See `dated.Shelf`."""
        return await self._objects.head(at)

    async def copy(self, at: At, to: At, found: Found, *, was: str = "", plain: bool = False) -> str:
        """See `dated.Shelf`."""
        return await self._copies.copy(at, to, found, more=was_at(was) if was else (), plain=plain)

    async def remove(self, at: At) -> None:
        """See `dated.Shelf`."""
        await self._objects.remove(at, expect=None)

    async def was(self, at: At) -> str | None:
        """See `dated.Shelf`."""
        return where((await self._objects.wire.call(Ask("HEAD", *at))).headers)


Trash = Dated[Found]
