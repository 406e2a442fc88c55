"""Content that is sent in parts: it can be gone on with after a kill, and shows nothing before its last byte."""

import time
from collections.abc import AsyncGenerator
from contextlib import suppress

from runner.backends.gcs.answers import Gone, Incomplete, Invalid, load
from runner.backends.gcs.nodes import Found, found, to_base64
from runner.backends.gcs.objects import Objects, checked
from runner.backends.gcs.wire import GcsWire
from runner.model.checksum import Checksum
from runner.model.content import Content
from runner.model.errors import AcdrunError, BadAnswer, Changed, Damaged, NotFound, Unavailable, Unclear
from runner.model.secret import Secret
from runner.remote.close import closing
from runner.remote.dated import At
from runner.remote.http import Reply
from runner.remote.room import Room
from runner.remote.secrets import known
from runner.state.heads import Begun, Heads

GRAIN = 256 << 10
"""Parts are multiples of this many bytes, but for the last one."""
_OLD_S = 7 * 86400
"""The service forgets an upload after a week."""
_STARTS = 3


class Uploads:
    """room: for the parts that wait in memory; size: bytes in one of them; place: the service, as memories name it."""

    def __init__(self, objects: Objects, heads: Heads, room: Room, size: int, place: str) -> None:
        self._objects = objects
        self._wire: GcsWire = objects.wire
        self._heads = heads
        self._room = room
        self._size = size
        self._place = place

    async def put(self, at: At, content: Content, generation: int) -> Found:
        """Store the content in place of a generation, 0 for nothing. Raises Failed, Damaged, Misstored, and what
        `content.chunks()` raises.

        An upload of the same content that was cut off is gone on with: what it holds is read, and not sent.
        """
        expected = await content.known()
        md5 = expected if expected is not None and expected.algorithm == "md5" else None
        about = self._objects.described(at.key, await content.time(), md5)
        same = f"{content.size} {generation} {about}" if md5 is not None else ""
        for _ in range(_STARTS):
            upload, there = await self._upload(at, content, generation, about, same)
            if isinstance(there, Found):
                self._ended(at, upload)
                return checked(there, md5)
            try:
                stored = await self._send(at, upload, there, content, expected, generation)
            except (Gone, NotFound):
                self._ended(at, upload)
                continue
            except AcdrunError as error:
                if not error.retry or isinstance(error, Changed | Damaged):
                    await self._give_up(at, upload)
                raise
            self._ended(at, upload)
            return checked(stored, content.checksum if content.checksum.algorithm == "md5" else None)
        raise Unavailable("the service forgets every upload before its end")

    async def _upload(
        self, at: At, content: Content, generation: int, about: dict[str, object], same: str
    ) -> tuple[str, int | Found]:
        """An upload, and how many bytes it holds; or what it has become, if only that was not heard any more."""
        place = self._in(at.bucket)
        for old in self._heads.old(place, int(time.time()) - _OLD_S):
            self._heads.ended(place, old.key, old.id)
        begun = self._heads.begun(place, at.key)
        if begun is not None and same and begun.content == same:
            known(Secret(begun.id))
            with suppress(Gone, NotFound):
                return begun.id, await self._asked(begun.id, content.size)
        if begun is not None:
            await self._give_up(at, begun.id)
        query = {"ifGenerationMatch": str(generation)}
        upload = await self._wire.begin(at.bucket, query, about, content.size)
        if not upload.startswith("/") or not upload.isascii() or not upload.isprintable():
            raise BadAnswer("an upload without an address")
        known(Secret(upload))  # who has it may go on with it, token or none
        if same:
            self._heads.begin(place, Begun(at.key, upload, same, int(time.time())))
        return upload, 0

    async def _send(
        self, at: At, upload: str, there: int, content: Content, expected: Checksum | None, generation: int
    ) -> Found:
        """Send what is not there, and return what came of it."""
        start = 0
        async with self._room.held(self._size), closing(_cut(content, self._size)) as pieces:
            async for piece in pieces:
                end = start + len(piece)
                last = end == content.size
                if last and expected is not None and content.checksum != expected:
                    raise Changed("changed between two readings")
                if end > there or last:
                    stored = await self._part(at, upload, max(start, there), piece, end, content, generation)
                    if stored is not None:
                        return stored
                start = end
        raise Unavailable("all was sent, and the service still waits for more")

    async def _part(
        self, at: At, upload: str, start: int, piece: bytes, end: int, content: Content, generation: int
    ) -> Found | None:
        """Send the bytes from `start` on, of a piece that ends at `end`; None when more is to follow."""
        last, stalled = end == content.size, 0
        md5 = content.checksum if last and content.checksum.algorithm == "md5" else None
        headers = (("X-Goog-Hash", f"md5={to_base64(md5.digest)}"),) if md5 is not None else ()
        while True:
            data = piece[len(piece) - (end - start) :]
            try:
                span = f"{start}-{end - 1}/{content.size}" if data else f"*/{content.size}"
                return _stored(await self._wire.more(upload, span, data, headers))
            except Incomplete as error:
                there = error.there
            except Unclear as error:
                try:
                    answer = await self._asked(upload, content.size)
                except (Gone, NotFound):
                    return await self._objects.arrived(at, md5, generation, error)
                if isinstance(answer, Found):
                    return answer
                there = answer
            except Invalid as error:
                raise Damaged(f"the service does not take the bytes that came: {error.message}") from error
            if there >= end and not last:
                return None
            stalled = stalled + 1 if there <= start else 0
            if not start <= there <= end or stalled > 3:
                raise Unavailable(
                    f"the upload holds {there:,} bytes, after {start:,} and some more were sent"
                )
            start = there

    async def _asked(self, upload: str, size: int) -> int | Found:
        """How many bytes the upload holds, or what it has become. Raises Gone, NotFound."""
        try:
            return _stored(await self._wire.more(upload, f"*/{size}"))
        except Incomplete as error:
            return error.there

    async def _give_up(self, at: At, upload: str) -> None:
        with suppress(AcdrunError):  # the service says 499 to that, and forgets it by itself
            await self._wire.give_up(upload)
        self._ended(at, upload)

    def _ended(self, at: At, upload: str) -> None:
        self._heads.ended(self._in(at.bucket), at.key, upload)

    def _in(self, bucket: str) -> str:
        return f"{self._place}/{bucket}"


def _stored(reply: Reply) -> Found:
    return found(load(reply))


async def _cut(content: Content, size: int) -> AsyncGenerator[bytes, None]:
    """The content in parts of this many bytes; the last one comes when there is sure to be no more."""
    held = bytearray()
    async with closing(content.chunks()) as chunks:
        async for chunk in chunks:
            held += chunk
            while len(held) > size:
                yield bytes(held[:size])
                del held[:size]
    yield bytes(held)
