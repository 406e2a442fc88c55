"""Copies that the service makes itself, of any size."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from xml.sax.saxutils import escape

from runner.backends.s3.answers import within
from runner.backends.s3.documents import document, text
from runner.backends.s3.nodes import MD5, Found, bare, to_base64
from runner.backends.s3.objects import Objects, source_of
from runner.backends.s3.wire import Ask
from runner.model.errors import BadAnswer, NotFound
from runner.remote.dated import At

_PIECE = 1 << 30
_AT_ONCE = 8


class Copies:
    """most: bytes that one request copies; piece: bytes that one copies of what is larger."""

    def __init__(self, objects: Objects, *, most: int = 5 << 30, piece: int = _PIECE) -> None:
        self._objects = objects
        self._wire = objects.wire
        self.most = most
        self._piece = piece

    async def copy(
        self,
        at: At,
        to: At,
        found: Found,
        *,
        more: Sequence[tuple[str, str]] = (),
        plain: bool = False,
        version: str = "",
    ) -> str:
        """Copy the state `found` with its metadata; return the ETag of the copy. Raises Failed, NotFound.

        more: metadata that the copy has besides; plain: it does not have those that `was_at` writes.
        version: that is copied, "" for the newest.
        """
        if found.size <= self.most:
            return await self._objects.copy(
                at, to, expect=found.etag, version=version, more=more, plain=plain
            )
        headers = [*await self._objects.metadata(at, version, plain=plain), *more]
        return await self._large(at, to, found, headers, version, self._piece)

    async def create(self, at: At, to: At, found: Found, *, layout: int = 0, guarded: bool) -> str:
        """Copy the state `found` as an object of its own; return the ETag of the copy. Raises Failed, NotFound.

        layout: bytes in each part of the source; the copy then has the same parts, and so the same ETag. 0 leaves it
        to the size. guarded: only where nothing is.
        """
        condition = [("if-none-match", "*")] if guarded else []
        if not layout and found.size <= self.most:
            also = [*condition, *self._objects.classed()]
            return await self._objects.copy(at, to, expect=found.etag, also=also)
        headers = [*await self._objects.metadata(at), *self._objects.classed()]
        if found.checksum is not None and MD5 not in dict(headers):
            headers.append((MD5, to_base64(found.checksum.digest)))
        return await self._large(at, to, found, headers, "", layout or self._piece, condition)

    async def _large(
        self, at: At, to: At, found: Found, headers: Sequence[tuple[str, str]], version: str, piece: int,
        condition: Sequence[tuple[str, str]] = (),
    ) -> str:  # fmt: skip
        root = document(
            (await self._wire.call(Ask("POST", *to, query={"uploads": ""}, headers=headers))).body
        )
        upload = text(root, "UploadId")
        if not upload:
            raise BadAnswer("an upload in parts without a name")
        try:
            etags = await self._in_pieces(at, to, found, upload, version, piece)
            return await self._finish(at, to, upload, etags, condition)
        except BaseException:
            with suppress(NotFound):
                await self._wire.call(Ask("DELETE", *to, query={"uploadId": upload}))
            raise

    async def _in_pieces(
        self, at: At, to: At, found: Found, upload: str, version: str, piece: int
    ) -> list[str]:
        """Copy all pieces, some at once; return their ETags."""
        starts = range(0, found.size, piece)
        etags, left = [""] * len(starts), iter(enumerate(starts))

        async def work() -> None:
            for number, start in left:
                last = min(start + piece, found.size) - 1
                etags[number] = await self._piece_of(
                    at, to, found, upload, version, number + 1, (start, last)
                )

        workers = [asyncio.ensure_future(work()) for _ in range(min(_AT_ONCE, len(starts)))]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        return etags

    async def _piece_of(
        self, at: At, to: At, found: Found, upload: str, version: str, number: int, span: tuple[int, int]
    ) -> str:
        reply = await self._wire.call(
            Ask(
                "PUT", *to, query={"uploadId": upload, "partNumber": str(number)},
                headers=(
                    ("x-amz-copy-source", source_of(at, version)),
                    ("x-amz-copy-source-if-match", f'"{found.etag}"'),
                    ("x-amz-copy-source-range", f"bytes={span[0]}-{span[1]}"),
                ),
            )
        )  # fmt: skip
        if (error := within(reply.body, f"copy of {at.key!r}")) is not None:
            raise error
        return bare(text(document(reply.body), "ETag"))

    async def _finish(
        self, at: At, to: At, upload: str, etags: Sequence[str], condition: Sequence[tuple[str, str]]
    ) -> str:
        lines = "".join(
            f'<Part><PartNumber>{number}</PartNumber><ETag>"{escape(etag)}"</ETag></Part>'
            for number, etag in enumerate(etags, 1)
        )
        body = f"<CompleteMultipartUpload>{lines}</CompleteMultipartUpload>".encode()
        ask = Ask("POST", *to, query={"uploadId": upload}, headers=condition, body=body)
        reply = await self._wire.call(ask)
        if (error := within(reply.body, f"copy of {at.key!r}")) is not None:
            raise error
        return (await self._objects.head(to)).etag
