"""The objects of a container as a shelf for the trash (`remote.dated`); what is below a key, as if it were a path."""

from collections.abc import AsyncGenerator

from runner.backends.swift.listing import BESIDE, objects
from runner.backends.swift.nodes import Found, was_at, where
from runner.backends.swift.objects import NEWEST, Objects
from runner.backends.swift.wire import Ask
from runner.remote.close import closing
from runner.remote.dated import At, Dated, below, hidden


class Shelf:
    """See `dated.Shelf`."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    async def below(self, bucket: str, prefix: str) -> AsyncGenerator[list[Found], None]:
        """See `dated.Shelf`."""
        async with closing(objects(self._objects.wire, bucket, prefix)) as pages:
            async for page in pages:
                yield await self._objects.settled(bucket, page.objects)

    async def head(self, at: At) -> Found:
        """See `dated.Shelf`."""
        return await self._objects.head(at)

    async def copy(self, at: At, to: At, found: Found, *, was: str = "", plain: bool = False) -> Found:
        """See `dated.Shelf`."""
        return await self._objects.copy(at, to, found, more=was_at(was) if was else (), plain=plain)

    async def remove(self, at: At) -> None:
        """See `dated.Shelf`."""
        await self._objects.remove(at)

    async def was(self, at: At) -> str | None:
        """See `dated.Shelf`."""
        return where((await self._objects.wire.call(Ask("HEAD", *at, headers=[NEWEST]))).headers)

    async def anything(self, at: At) -> bool:
        """Is anything below it? Raises NoContainer."""
        if not at.bucket:
            return True
        async with closing(objects(self._objects.wire, at.bucket, below(at.key))) as pages:
            async for page in pages:
                if not at.key or any(not unseen(one.key) for one in page.objects):
                    return True
        return False

    async def found_below(self, at: At) -> list[Found]:
        """All objects below it but for those in a trash."""
        async with closing(self.below(at.bucket, below(at.key))) as pages:
            return [one async for page in pages for one in page if not unseen(one.key)]


Trash = Dated[Found]


def unseen(key: str) -> bool:
    """Is it in a trash, or a segment?"""
    return hidden(key) or key.startswith(f"{BESIDE}/")
