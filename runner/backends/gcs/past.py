"""The trash of a bucket that keeps what was replaced or removed itself: as older versions, or for a while only."""

from collections.abc import AsyncGenerator
from typing import Literal, NamedTuple

from runner.backends.gcs.answers import Failed
from runner.backends.gcs.listing import objects
from runner.backends.gcs.nodes import Found, found
from runner.backends.gcs.objects import Objects
from runner.backends.gcs.wire import Ask, GcsWire
from runner.model import path as paths
from runner.model.backend import Trashed
from runner.model.errors import Denied, Exists, NotFound, Unsupported
from runner.remote.close import closing
from runner.remote.dated import At

Way = Literal["versions", "soft", "copies"]
"""How a bucket keeps what is removed; by `copies` it does not."""

_WORDS: dict[str, Way] = {"version": "versions", "soft": "soft"}


class Kept(NamedTuple):
    """One state of an object. path: where it was, below the remote's root."""

    way: Way
    generation: int
    path: str


async def way_of(wire: GcsWire, bucket: str) -> Way:
    """How the bucket keeps what is removed. Raises NoBucket. Who may not ask is not told, and makes copies."""
    try:
        data = await wire.call(Ask("GET", ("b", bucket), {"fields": "versioning,softDeletePolicy"}))
    except NotFound as error:
        raise wire.no_bucket(bucket) from error
    except Denied:
        return "copies"
    if (data.get("versioning") or {}).get("enabled") is True:
        return "versions"
    seconds = str((data.get("softDeletePolicy") or {}).get("retentionDurationSeconds", "0"))
    return "soft" if seconds.isdecimal() and int(seconds) > 0 else "copies"


class Past:
    """Refs are `version:<generation>:<path>` and `soft:<generation>:<path>`."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    @staticmethod
    def ref(way: Way, generation: int, path: str) -> str:
        """What brings this state back."""
        return f"{'version' if way == 'versions' else 'soft'}:{generation}:{path}"

    @staticmethod
    def named(ref: str) -> bool:
        """Is it one of these refs?"""
        return ref.partition(":")[0] in _WORDS

    async def found(
        self, bucket: str, above: str, way: Way, *, hidden: str
    ) -> AsyncGenerator[list[Trashed], None]:
        """Yield every state that does not stand any more, paths counted from the remote's root.

        hidden: what keys begin with that are no user's. A state that the service keeps for a while is left out when
        its very like stands at its key: it was brought back, and the service keeps it all the same.
        """
        soft = way == "soft"
        live = _Live(self._objects.wire, bucket, above) if soft else None
        try:
            pages = objects(self._objects.wire, bucket, above, which="softDeleted" if soft else "versions")
            async with closing(pages) as listed:
                async for page in listed:
                    entries = []
                    for one in page.objects:
                        if one.gone_ns is None or one.key.startswith(hidden):
                            continue
                        if live is not None and (there := await live.at(one.key)) and there.same(one):
                            continue
                        entries.append(self._entry(way, above, one))
                    yield entries
        finally:
            if live is not None:
                await live.close()

    async def kept(self, bucket: str, above: str, ref: str) -> Trashed:
        """One state. Raises NotFound."""
        kept = _parsed(ref)
        return self._entry(kept.way, above, await self._state(At(bucket, above + kept.path), kept))

    async def restore(self, bucket: str, above: str, ref: str, goal: str) -> None:
        """Bring the state back to the path, at which nothing is. Raises Exists, NotFound, Unsupported."""
        kept, to = _parsed(ref), At(bucket, above + goal)
        at = At(bucket, above + kept.path)
        await self._state(at, kept)
        try:
            if kept.way == "versions":
                await self._objects.copy(at, to, kept.generation, older=True)
                await self._objects.remove(at, generation=kept.generation, older=True)
                return
            if at != to and await self._objects.find(at) is not None:
                raise Unsupported(
                    "the bucket's soft delete brings content back under its own name only, and something stands there",
                    hint="move that away first",
                )
            await self._objects.revive(at, kept.generation)
            if at != to:
                back = await self._objects.head(at)
                await self._objects.copy(at, to, back.generation)
                await self._objects.remove(at, generation=back.generation)
        except Failed as error:
            raise Exists("something is there already") from error

    async def _state(self, at: At, kept: Kept) -> Found:
        state = found(await self._objects.resource(at, kept.generation, soft=kept.way == "soft"))
        if state.generation != kept.generation or (kept.way == "versions" and state.gone_ns is None):
            raise NotFound(f"{paths.show(kept.path)!r} is not in the trash: it stands at its path")
        if kept.way == "soft":
            there = await self._objects.find(at)
            if there is not None and there.same(state):
                raise NotFound(f"{paths.show(kept.path)!r} is not in the trash: its like stands at its path")
        return state

    def _entry(self, way: Way, above: str, state: Found) -> Trashed:
        path = state.key[len(above) :]
        return Trashed(self.ref(way, state.generation, path), path, state.node(), state.gone_ns or None)


class _Live:
    """What stands, asked for in the order of keys."""

    def __init__(self, wire: GcsWire, bucket: str, prefix: str) -> None:
        self._pages = objects(wire, bucket, prefix)
        self._page: list[Found] = []
        self._next = 0
        self._more = True

    async def at(self, key: str) -> Found | None:
        """What stands at this key, which does not come before the last one that was asked for."""
        while self._more:
            while self._next < len(self._page):
                one = self._page[self._next]
                if one.key >= key:
                    return one if one.key == key else None
                self._next += 1
            page = await anext(self._pages, None)
            self._more = page is not None
            self._page, self._next = (page.objects, 0) if page is not None else ([], 0)
        return None

    async def close(self) -> None:
        await self._pages.aclose()


def _parsed(ref: str) -> Kept:
    word, _, rest = ref.partition(":")
    generation, _, path = rest.partition(":")
    good = word in _WORDS and generation.isascii() and generation.isdigit() and len(generation) < 20
    if not good or not path or any(map(paths.fault, path.split("/"))):
        raise NotFound(f"{paths.show(ref)!r} is no state of anything")
    return Kept(_WORDS[word], int(generation), path)
