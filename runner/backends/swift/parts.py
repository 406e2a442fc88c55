"""Content that is stored in segments: it can be gone on with after a kill, and shows nothing before its manifest.

The segments of one upload stand under a prefix of its own, `<key>/acdrun/<id>/`, in another container. Nobody else's
manifest ever names them, so they can be removed as long as their own was never sent; once it was, never.
"""

import asyncio
import json
import secrets
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from hashlib import md5 as joining
from hashlib import sha256
from typing import NamedTuple

from runner.backends.swift.answers import NoContainer
from runner.backends.swift.listing import SEGMENTS, objects
from runner.backends.swift.nodes import Found, bare, date_s
from runner.backends.swift.objects import Misstored, Objects, described, digest_of, looked
from runner.backends.swift.wire import Ask
from runner.model.content import Content
from runner.model.errors import (
    AcdrunError,
    Changed,
    Damaged,
    Denied,
    NotFound,
    Unavailable,
    Unclear,
    Unsupported,
)
from runner.remote.close import closing
from runner.remote.cut import cut
from runner.remote.dated import MOST_BYTES, At
from runner.remote.room import Room
from runner.state.heads import Begun

_MIB = 1 << 20
_AT_ONCE = 4
_LARGEST = 32 * _MIB
"""Bytes in a segment at most, for segments wait in memory; what would be too many for one manifest has several."""
_OLD_S = 7 * 86400
"""Segments of an upload that was not finished are removed after this long: they are paid for and seen by nobody."""


class Segment(NamedTuple):
    """A part, or a manifest of parts, as a manifest names it. path: container and key."""

    path: str
    etag: str
    size: int


class Parts:
    """room: for the segments that wait in memory; size: bytes in one of them, more for what would be too many.

    container: for all segments, "" for one beside each container.
    """

    def __init__(self, objects: Objects, room: Room, size: int, container: str, policy: str) -> None:
        self._objects = objects
        self._wire = objects.wire
        self._room = room
        self._size = size
        self._container = container
        self._policy = policy
        self._ready: set[str] = set()
        self._swept: set[str] = set()

    def container(self, container: str) -> str:
        """Where the segments of this container's files are."""
        return self._container or container + SEGMENTS

    async def put(self, at: At, content: Content, *, new: bool) -> Found:
        """Store the content. Raises Failed, Damaged, and what `content.chunks()` raises.

        An upload of the same size that was cut off is gone on with: segments that hold what they should are not sent.
        """
        limits = await self._wire.limits()
        if not limits.large:
            raise Unsupported(
                "the cluster keeps no static large objects, and the file is too large for one request"
            )
        await self.make(self.container(at.bucket))
        await self._sweep(at.bucket)
        size = max(self._size, min(_LARGEST, -(-content.size // limits.segments // _MIB) * _MIB))
        begun, there = await self._begin(at, f"{content.size} {size}")
        try:
            segments = await self._send(at, begun, content, size, there)
            entries = await self._nested(at, begun, segments, limits.segments)
        except AcdrunError as error:
            if not error.retry or isinstance(error, Changed | Damaged):
                await self.give_up(at, begun)
            raise
        return await self._publish(at, begun, content, entries, new=new)

    async def make(self, container: str) -> None:
        """Have the container there."""
        if container not in self._ready:
            try:
                await self._wire.call(Ask("PUT", container, headers=self.policy()))
            except Denied:  # who may not make containers may use those that are there
                await self._wire.call(Ask("HEAD", container))
            self._ready.add(container)

    def policy(self) -> list[tuple[str, str]]:
        """What a new container is told."""
        return [("x-storage-policy", self._policy)] if self._policy else []

    async def give_up(self, at: At, begun: Begun) -> None:
        """Take back all segments of an upload, unless a manifest at its key names them after all."""
        if not await self._named(at, begun):
            container = self.container(at.bucket)
            with suppress(NoContainer):
                async with closing(objects(self._wire, container, prefix(at.key, begun.id))) as pages:
                    async for page in pages:
                        for one in page.objects:
                            with suppress(NotFound):
                                await self._objects.remove(At(container, one.key))
        self._objects.heads.ended(self._objects.place(at.bucket), at.key, begun.id)

    async def _named(self, at: At, begun: Begun) -> bool:
        """Does the manifest at the key name the segments of this upload?"""
        try:
            reply = await self._wire.call(Ask("GET", *at, query={"multipart-manifest": "get"}))
        except NotFound:
            return False
        if reply.headers.get("x-static-large-object", "").lower() != "true":
            return False
        first = f"/{self.container(at.bucket)}/{prefix(at.key, begun.id)}"
        try:
            return any(str(entry.get("name", "")).startswith(first) for entry in json.loads(reply.body))
        except (ValueError, AttributeError, TypeError, RecursionError):
            return True  # an unknown is no absence

    async def _sweep(self, container: str) -> None:
        """Give up what we began long ago in this container, once a run."""
        if container in self._swept:
            return
        self._swept.add(container)
        for begun in self._objects.heads.old(self._objects.place(container), int(time.time()) - _OLD_S):
            with suppress(AcdrunError):  # of no matter to the write that passes by
                await self.give_up(At(container, begun.key), begun)

    async def _begin(self, at: At, content: str) -> tuple[Begun, dict[str, Found]]:
        """An upload, and the segments that it holds already."""
        place = self._objects.place(at.bucket)
        begun = self._objects.heads.begun(place, at.key)
        if begun is not None and begun.content == content:
            there = await self._there(at, begun)
            if there:
                return begun, there
        if begun is not None:
            await self.give_up(at, begun)
        begun = Begun(at.key, secrets.token_hex(8), content, int(time.time()))
        self._objects.heads.begin(place, begun)
        return begun, {}

    async def _there(self, at: At, begun: Begun) -> dict[str, Found]:
        """Segments that are there already, by key."""
        found: dict[str, Found] = {}
        with suppress(NoContainer):
            async with closing(
                objects(self._wire, self.container(at.bucket), prefix(at.key, begun.id))
            ) as pages:
                async for page in pages:
                    found.update((one.key, one) for one in page.objects)
        return found

    async def _send(
        self, at: At, begun: Begun, content: Content, size: int, there: dict[str, Found]
    ) -> list[Segment]:
        """Send what is not there. Room is asked for before a segment is read."""
        known = await content.known()
        waiting: deque[asyncio.Task[Segment]] = deque()
        segments = list[Segment]()
        container, above = self.container(at.bucket), prefix(at.key, begun.id)
        try:
            async with closing(cut(content, size)) as pieces:
                number = 0
                while True:
                    if len(waiting) >= _AT_ONCE:
                        segments.append(await waiting.popleft())
                    room = await self._room.take(size)
                    try:
                        piece = await anext(pieces, None)
                        if piece is None:
                            self._room.give(room)
                            break
                        goal = At(container, f"{above}{number:08}")
                        sending = self._segment(goal, piece, there.get(goal.key))
                    except BaseException:
                        self._room.give(room)
                        raise
                    task = asyncio.ensure_future(sending)
                    task.add_done_callback(partial(self._give, room))
                    waiting.append(task)
                    number += 1
                    del piece, sending
            while waiting:
                segments.append(await waiting.popleft())
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
        if known is not None and content.checksum != known:
            raise Changed("changed between two readings")
        return segments

    def _give(self, room: int, task: object) -> None:
        self._room.give(room)

    async def _segment(self, at: At, data: bytes, there: Found | None) -> Segment:
        md5 = await digest_of(data)
        segment = Segment(f"/{at.bucket}/{at.key}", md5.digest, len(data))
        if there is not None and (there.etag, there.size) == (md5.digest, len(data)):
            return segment
        headers = (("etag", md5.digest), ("content-type", "application/octet-stream"))
        reply = await self._wire.call(Ask("PUT", *at, headers=headers, body=data))
        if (etag := bare(reply.headers.get("etag", "") or md5.digest)) != md5.digest:
            raise Damaged(f"a segment is stored as {etag}, but sent were bytes of {md5}")
        return segment

    async def _nested(self, at: At, begun: Begun, segments: list[Segment], most: int) -> list[Segment]:
        """As many entries as one manifest may have: what are more stand in manifests of their own."""
        level = 0
        while len(segments) > most:
            above = []
            for number, start in enumerate(range(0, len(segments), most)):
                some = segments[start : start + most]
                goal = At(
                    self.container(at.bucket), f"{prefix(at.key, begun.id)}manifest-{level}-{number:08}"
                )
                etag = joined(some)
                headers = [("etag", etag), ("content-type", "application/octet-stream")]
                ask = Ask("PUT", *goal, {"multipart-manifest": "put"}, headers, manifest(some))
                reply = await self._wire.call(ask)
                if bare(reply.headers.get("etag", "") or etag) != etag:
                    raise Damaged("segments are put together as something else")
                above.append(Segment(f"/{goal.bucket}/{goal.key}", etag, sum(one.size for one in some)))
            segments, level = above, level + 1
        return segments

    async def _publish(
        self, at: At, begun: Begun, content: Content, entries: Sequence[Segment], *, new: bool
    ) -> Found:
        """Store the manifest. Unless it was clearly refused, the upload is nobody's to remove from here on."""
        etag, place = joined(entries), self._objects.place(at.bucket)
        checksum = content.checksum if content.checksum.algorithm == "md5" else None
        headers = [*described(content.mtime_ns, checksum), ("etag", etag)]
        if new:
            headers.append(("if-none-match", "*"))
        ask = Ask("PUT", *at, {"multipart-manifest": "put"}, headers, manifest(entries), repeatable=False)
        self._objects.heads.ended(place, at.key, begun.id, firmly=True)
        taken = False

        async def attempt() -> Found:
            nonlocal taken
            try:
                reply = await self._wire.call(ask)
            except Unclear as error:
                taken = True  # or it may be, now or later
                there = await self._objects.find(at)
                if there is None or there.large != "slo" or there.etag != etag:
                    raise Unavailable(f"its answer was lost, and it is not there: {error.message}") from error
                return there
            taken = True
            if (stored := bare(reply.headers.get("etag", "") or etag)) != etag:
                raise Misstored(f"put together as {stored}, but its segments come to {etag}", stored)
            return Found(
                at.key, content.size, etag, None, date_s(reply.headers.get("last-modified", "")), content.mtime_ns,
                checksum, "slo", version=reply.headers.get("x-object-version-id", ""),
            )  # fmt: skip

        try:
            found = await looked(attempt)
        except AcdrunError as error:
            if not taken and error.retry and not isinstance(error, Damaged):
                self._objects.heads.begin(place, begun)
            elif not taken:
                with suppress(AcdrunError):
                    await self.give_up(at, begun)
            raise
        self._objects.learn(at, found._replace(checksum=checksum))
        return found._replace(checksum=checksum)


def prefix(key: str, upload: str) -> str:
    """What the segments of an upload have in front of their numbers."""
    usual = f"{key}/acdrun/{upload}/"
    if len(usual.encode()) + 40 <= MOST_BYTES:
        return usual
    return f"acdrun/{sha256(key.encode()).hexdigest()}/{upload}/"


def manifest(segments: Sequence[Segment]) -> bytes:
    """What tells the service of segments."""
    entries = [{"path": one.path, "etag": one.etag, "size_bytes": one.size} for one in segments]
    return json.dumps(entries, ensure_ascii=False, separators=(",", ":")).encode()


def joined(segments: Sequence[Segment]) -> str:
    """The ETag of what these come to: the digest of their digests as text."""
    return joining("".join(one.etag for one in segments).encode(), usedforsecurity=False).hexdigest()
