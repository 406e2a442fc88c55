"""Copies that the service makes itself, of any size."""

from collections.abc import Sequence

from runner.backends.s3.answers import within
from runner.backends.s3.documents import document, text
from runner.backends.s3.nodes import Found, bare
from runner.backends.s3.objects import Objects, source_of
from runner.backends.s3.wire import Ask
from runner.model.errors import BadAnswer
from runner.remote.dated import At

_PIECE = 1 << 30


class Copies:
    """most: bytes that one request copies; piece: bytes that one copies of what is larger."""

    def __init__(self, objects: Objects, *, most: int = 5 << 30, piece: int = _PIECE) -> None:
        self._objects = objects
        self._wire = objects.wire
        self._most = most
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
        if found.size <= self._most:
            return await self._objects.copy(
                at, to, expect=found.etag, version=version, more=more, plain=plain
            )
        return await self._large(at, to, found, more, version, plain=plain)

    async def _large(
        self, at: At, to: At, found: Found, more: Sequence[tuple[str, str]], version: str, *, plain: bool
    ) -> str:
        headers = [*await self._objects.metadata(at, version, plain=plain), *more]
        root = document(
            (await self._wire.call(Ask("POST", *to, query={"uploads": ""}, headers=headers))).body
        )
        upload = text(root, "UploadId")
        if not upload:
            raise BadAnswer("an upload in parts without a name")
        try:
            return await self._in_pieces(at, to, found, upload, version)
        except BaseException:
            await self._wire.call(Ask("DELETE", *to, query={"uploadId": upload}))
            raise

    async def _in_pieces(self, at: At, to: At, found: Found, upload: str, version: str) -> str:
        source = source_of(at, version)
        lines = []
        for number, start in enumerate(range(0, found.size, self._piece), 1):
            last = min(start + self._piece, found.size) - 1
            reply = await self._wire.call(
                Ask(
                    "PUT", *to, query={"uploadId": upload, "partNumber": str(number)},
                    headers=(
                        ("x-amz-copy-source", source),
                        ("x-amz-copy-source-if-match", f'"{found.etag}"'),
                        ("x-amz-copy-source-range", f"bytes={start}-{last}"),
                    ),
                )
            )  # fmt: skip
            if (error := within(reply.body, f"copy of {at.key!r}")) is not None:
                raise error
            etag = bare(text(document(reply.body), "ETag"))
            lines.append(f'<Part><PartNumber>{number}</PartNumber><ETag>"{etag}"</ETag></Part>')
        body = f"<CompleteMultipartUpload>{''.join(lines)}</CompleteMultipartUpload>".encode()
        reply = await self._wire.call(Ask("POST", *to, query={"uploadId": upload}, body=body))
        if (error := within(reply.body, f"copy of {at.key!r}")) is not None:
            raise error
        return (await self._objects.head(to)).etag
