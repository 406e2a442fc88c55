"""Content that is stored in parts: it can be gone on with after a kill, and shows nothing before its last word."""

import asyncio
import hashlib
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from functools import partial
from xml.sax.saxutils import escape

from runner.backends.s3.answers import within
from runner.backends.s3.documents import document, local, space, text
from runner.backends.s3.nodes import MD5, Found, bare, md5_of, opaque, to_base64
from runner.backends.s3.objects import Objects
from runner.backends.s3.wire import Ask
from runner.model.checksum import Checksum
from runner.model.content import Content
from runner.model.errors import (
    AcdrunError,
    BadAnswer,
    Changed,
    Damaged,
    NotFound,
    Unavailable,
    Unclear,
    Unsupported,
)
from runner.remote.close import closing
from runner.remote.dated import At
from runner.remote.http import Reply
from runner.remote.pieces import ROOM, Piece, pieces
from runner.remote.retry import again
from runner.remote.room import Room
from runner.state.heads import Begun, Head

_MIB = 1 << 20
_MOST_PARTS = 10_000
_AT_ONCE = 4
_OLD_S = 7 * 86400
"""Unfinished uploads are given up after this long: their parts are paid for and seen by nobody."""


_AGAIN = 1
"""How often an upload that the service has forgotten is begun anew."""


class _Gone(Unavailable):
    """The service knows the upload no more. It may have expired, or somebody has given it up."""


class Parts:
    """room: for the parts that wait in memory; size: bytes in one of them, more for what would be too many."""

    def __init__(self, objects: Objects, room: Room, size: int) -> None:
        self._objects = objects
        self._wire = objects.wire
        self._room = room
        self._size = size
        self._swept: set[str] = set()
        self._telling: set[str] = set()
        """Buckets whose answers to parts were digests."""

    async def put(self, at: At, content: Content, condition: tuple[str, str] | None) -> Found:
        """Store the content. Raises Failed, Damaged, and what `content.chunks()` raises.

        An upload of the same content that was cut off is gone on with: what it holds is compared, not sent.
        """
        await self._sweep(at.bucket)
        part = max(self._size, -(-content.size // _MOST_PARTS // _MIB) * _MIB)
        parts = await content.parts(part) if content.algorithm == "md5" else None
        known = content.checksum if parts is not None else await content.known()
        md5 = known if known is not None and known.algorithm == "md5" else None
        described = self._objects.described(await content.time())
        if md5 is not None:
            described.append((MD5, to_base64(md5.digest)))
        for left in (_AGAIN, 0):
            upload, there = await self._begin(at, f"{content.size} {part} {described}", described)
            try:
                room = part if parts is None else min(part, ROOM)
                digests = await self._send(at, upload, pieces(content, part, parts), room, there)
                if known is not None and content.checksum != known:
                    raise Changed("changed between two readings")
                found = await self._complete(at, upload, content, digests, md5, condition)
            except _Gone:
                self._objects.heads.ended(self._objects.place(at.bucket), at.key, upload)
                if left:
                    continue  # from the first byte, for nothing of it is there any more
                raise
            except AcdrunError as error:
                if not error.retry or isinstance(error, Changed | Damaged):
                    await self.give_up(at, upload)
                raise
            self._objects.heads.ended(self._objects.place(at.bucket), at.key, upload)
            return found
        raise AssertionError("the last try returns or raises")

    async def give_up(self, at: At, upload: str) -> None:
        """Take back all parts of an upload."""
        with suppress(NotFound):
            await self._wire.call(Ask("DELETE", *at, query={"uploadId": upload}))
        self._objects.heads.ended(self._objects.place(at.bucket), at.key, upload)

    async def _sweep(self, bucket: str) -> None:
        """Give up what we began long ago in this bucket, once a run."""
        if bucket in self._swept:
            return
        self._swept.add(bucket)
        for begun in self._objects.heads.old(self._objects.place(bucket), int(time.time()) - _OLD_S):
            with suppress(AcdrunError):  # of no matter to the write that passes by
                await self.give_up(At(bucket, begun.key), begun.id)

    async def _begin(
        self, at: At, content: str, described: Sequence[tuple[str, str]]
    ) -> tuple[str, dict[int, str]]:
        """An upload, and the parts that it holds already."""
        begun = self._objects.heads.begun(self._objects.place(at.bucket), at.key)
        if begun is not None and begun.content == content:
            with suppress(NotFound):
                return begun.id, await self._there(at, begun.id)
        if begun is not None:
            await self.give_up(at, begun.id)
        ask = Ask("POST", *at, query={"uploads": ""}, headers=described)
        root = document((await self._wire.call(ask)).body)
        upload = text(root, "UploadId")
        if not upload:
            raise BadAnswer("an upload in parts without a name")
        self._objects.heads.begin(
            self._objects.place(at.bucket), Begun(at.key, upload, content, int(time.time()))
        )
        return upload, {}

    async def _there(self, at: At, upload: str) -> dict[int, str]:
        """ETags of the parts that are there already, by number."""
        found: dict[int, str] = {}
        query = {"uploadId": upload, "max-parts": "1000"}
        while True:
            root = document((await self._wire.call(Ask("GET", *at, query=query))).body)
            if not local(root).startswith("ListParts"):
                raise BadAnswer(f"a list of parts was asked for, and {local(root)!r} came")
            for entry in root.iterfind(space(root) + "Part"):
                found[int(text(entry, "PartNumber"))] = bare(text(entry, "ETag"))
            marker = text(root, "NextPartNumberMarker")
            if text(root, "IsTruncated") != "true" or not marker or marker == query.get("part-number-marker"):
                return found
            query["part-number-marker"] = marker

    async def _send(
        self, at: At, upload: str, source: AsyncGenerator[Piece, None], size: int, there: dict[int, str]
    ) -> list[str]:
        """Send what is not there; return the ETag of each part. `size` bytes of room are asked for before each part.

        Whichever part ends makes place for the next one: a slow one holds nobody up.
        """
        waiting: dict[asyncio.Task[str], int] = {}
        etags: dict[int, str] = {}
        try:
            async with closing(source) as parts:
                for number in range(1, _MOST_PARTS + 1):
                    if len(waiting) >= _AT_ONCE:
                        await _ended(waiting, etags)
                    room = await self._room.take(size)
                    try:
                        piece = await anext(parts, None)
                        if piece is None:
                            self._room.give(room)
                            break
                        sending = self._part(at, upload, number, piece, there.get(number, ""))
                    except BaseException:
                        self._room.give(room)
                        raise
                    task = asyncio.ensure_future(sending)
                    task.add_done_callback(partial(self._give, room))
                    waiting[task] = number
                    del piece, sending
            while waiting:
                await _ended(waiting, etags)
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
        return [etags[number] for number in sorted(etags)]

    def _give(self, room: int, task: object) -> None:
        self._room.give(room)

    async def _part(self, at: At, upload: str, number: int, piece: Piece, there: str) -> str:
        """Send a part, unless it is there. Its digest was told before; what proves it is what the service answers, or
        what was seen to be sent where the service's answers are no digests.
        """
        digest = await piece.digest()
        etag, proof, look = there, digest if there == digest else None, at.bucket not in self._telling
        while proof is None:
            reply = await self._sent(at, upload, number, piece, digest, look=look)
            etag = bare(reply.headers.get("etag", ""))
            told = md5_of(etag) if not opaque(reply.headers) else None
            (self._telling.discard if told is None else self._telling.add)(at.bucket)
            proof, look = told.digest if told is not None else piece.sent, True
        if proof != digest:
            error = Damaged(f"part {number} is stored as {proof}, but sent were bytes of {digest}")
            raise await _unlike(piece, error)
        piece.arrived()
        return etag

    async def _sent(
        self, at: At, upload: str, number: int, piece: Piece, digest: str, *, look: bool
    ) -> Reply:
        ask = Ask(
            "PUT", *at, query={"uploadId": upload, "partNumber": str(number)},
            headers=(("content-md5", to_base64(digest)),), body=piece.body(look=look),
        )  # fmt: skip
        try:
            return await self._wire.call(ask)
        except NotFound as error:
            raise _Gone(f"an upload in parts is gone: {error.message}") from error
        except Damaged as error:
            raise await _unlike(piece, error) from error

    async def _complete(
        self, at: At, upload: str, content: Content, digests: Sequence[str], md5: Checksum | None,
        condition: tuple[str, str] | None,
    ) -> Found:  # fmt: skip
        lines = "".join(
            f'<Part><PartNumber>{number}</PartNumber><ETag>"{escape(etag)}"</ETag></Part>'
            for number, etag in enumerate(digests, 1)
        )
        body = f"<CompleteMultipartUpload>{lines}</CompleteMultipartUpload>".encode()
        etag = joined(digests)
        headers = [("content-type", "application/xml"), *([condition] if condition is not None else [])]
        try:
            stored, version = await self._finish(at, upload, body, headers, etag)
        except Unsupported:
            stored, version = await self._finish(at, upload, body, headers[:1], etag)
        if not stored:
            stored = (await self._objects.head(at)).etag
        if md5_of(digests[0]) is not None and stored.partition("-")[2] and stored != etag:
            raise Damaged(f"put together as {stored}, but its parts come to {etag}")
        checksum = md5 or (content.checksum if content.checksum.algorithm == "md5" else None)
        found = Found(at.key, content.size, stored, None, content.mtime_ns, checksum, version)
        self._objects.heads.learn(
            self._objects.place(at.bucket), at.key, Head(found.etag, found.mtime_ns, found.checksum)
        )
        return found

    async def _finish(
        self, at: At, upload: str, body: bytes, headers: Sequence[tuple[str, str]], etag: str
    ) -> tuple[str, str]:
        """Put the parts together; after a lost answer it is looked whether they are."""
        ask = Ask("POST", *at, query={"uploadId": upload}, headers=headers, body=body, repeatable=False)

        async def attempt() -> tuple[str, str]:
            try:
                reply = await self._wire.call(ask)
                if (error := within(reply.body, f"completion of {at.key!r}")) is not None:
                    raise error
            except (Unclear, NotFound) as error:
                there = await self._objects.find(at)
                if there is not None and there.etag == etag:
                    return there.etag, there.version
                if isinstance(error, NotFound):
                    raise _Gone(f"an upload in parts is gone: {error.message}") from error
                raise Unavailable(f"its answer was lost, and it is not there: {error.message}") from error
            said = text(document(reply.body), "ETag")
            return bare(said) if said.strip('"') else "", reply.headers.get("x-amz-version-id", "")

        return await again(attempt)


async def _ended(waiting: dict[asyncio.Task[str], int], etags: dict[int, str]) -> None:
    """Wait until one at least has ended, and put down its ETag. Raises what ended one."""
    done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        etags[waiting.pop(task)] = task.result()


async def _unlike(piece: Piece, error: Damaged) -> Changed | Damaged:
    """What to raise of a part that is not stored as what was told before."""
    return Changed("changed between two readings") if await piece.again() != await piece.digest() else error


def joined(digests: Sequence[str]) -> str:
    """The ETag of what these parts come to."""
    try:
        binary = b"".join(map(bytes.fromhex, digests))
    except ValueError:
        return ""
    return f"{hashlib.md5(binary, usedforsecurity=False).hexdigest()}-{len(digests)}"
