"""Single objects: look, read, store in one piece, copy, remove."""

from collections.abc import AsyncGenerator, Mapping, Sequence

from runner.backends.s3.answers import Failed, within
from runner.backends.s3.documents import document, text
from runner.backends.s3.nodes import (
    MTIME,
    Found,
    bare,
    is_where,
    md5_of,
    opaque,
    to_base64,
    told,
    whole_number,
)
from runner.backends.s3.sign import encoded
from runner.backends.s3.wire import Ask, S3Wire
from runner.model.checksum import Checksum
from runner.model.content import CHUNK, Fetched
from runner.model.errors import (
    BadAnswer,
    Changed,
    Damaged,
    NotFound,
    Truncated,
    Unavailable,
    Unclear,
    Unsupported,
)
from runner.remote.close import closing
from runner.remote.dated import At
from runner.remote.http import Reply
from runner.remote.mtime import as_seconds
from runner.remote.retry import again
from runner.state.heads import Head, Heads

_KEPT_HEADERS = (
    "content-type",
    "content-encoding",
    "content-language",
    "content-disposition",
    "cache-control",
    "expires",
)
"""What a copy with other metadata would lose, beside the metadata itself."""

MOST_AT_ONCE = 5 << 30
"""Bytes that one request stores or copies."""


class Misstored(Damaged):
    """Other bytes than were sent are to be seen at the key: the server did not look at the digest it was sent.

    etag: of what is there. Never leaves this room.
    """

    retry = False

    def __init__(self, message: str, etag: str) -> None:
        super().__init__(message)
        self.etag = etag


class Objects:
    """heads: remembers what is not listed; place: whose objects they are, in its words; storage_class: "" for the
    bucket's own."""

    def __init__(self, wire: S3Wire, heads: Heads, place: str, storage_class: str = "") -> None:
        self.wire = wire
        self.heads = heads
        self._place = place
        self._storage_class = storage_class

    def place(self, bucket: str) -> str:
        """The bucket, among all buckets of all services."""
        return f"{self._place}/{bucket}"

    async def head(self, at: At, version: str = "") -> Found:
        """The object as it is now. Raises NotFound."""
        query = {"versionId": version} if version else {}
        reply = await self.wire.call(Ask("HEAD", *at, query=query))
        found = told(at.key, reply.headers)
        if not version:
            self._learn(at, found)
        return found

    async def find(self, at: At) -> Found | None:
        """The object as it is now, None when there is none."""
        try:
            return await self.head(at)
        except NotFound:
            return None

    async def read(self, at: At, expect: str | None) -> AsyncGenerator[bytes, None]:
        """Yield the bytes as they are stored; their number is checked. Raises NotFound, Changed, Truncated."""
        total = 0
        try:
            async with self.wire.stream(asked_to_get(at, expect)) as answer:
                found = self._asked_for(at, expect, answer.headers)
                async with closing(answer.chunks()) as chunks:
                    async for chunk in chunks:
                        total += len(chunk)
                        yield chunk
        except Failed as error:
            raise Changed("not the generation that was listed") from error
        if total != found.size:
            raise _short(total, found)

    async def whole(self, at: At, size: int, expect: str | None) -> Fetched:
        """All the bytes of an object that should have `size`. Raises what `read` raises."""
        try:
            reply = await self.wire.call(asked_to_get(at, expect), most=size + CHUNK)
        except Failed as error:
            raise Changed("not the generation that was listed") from error
        return self.fetched(at, expect, reply)

    def fetched(self, at: At, expect: str | None, reply: Reply) -> Fetched:
        """The answer to `asked_to_get`. Raises Changed, Truncated, BadAnswer."""
        found = self._asked_for(at, expect, reply.headers)
        if len(reply.body) != found.size:
            raise _short(len(reply.body), found)
        return Fetched(reply.body, found.mtime_ns)

    def _asked_for(self, at: At, expect: str | None, headers: Mapping[str, str]) -> Found:
        found = told(at.key, headers)
        if expect is not None and found.etag != expect:
            raise Changed("not the generation that was listed")
        self._learn(at, found)
        return found

    def described(self, mtime_ns: int | None) -> list[tuple[str, str]]:
        """The headers that every new object has."""
        headers = [("content-type", "application/octet-stream")]
        if mtime_ns is not None:
            headers.append((MTIME, as_seconds(mtime_ns)))
        return [*headers, *self.classed()]

    def classed(self) -> list[tuple[str, str]]:
        """The header that names the storage class, where one is configured."""
        return [("x-amz-storage-class", self._storage_class)] if self._storage_class else []

    async def put(
        self, at: At, data: bytes, md5: Checksum, mtime_ns: int | None, condition: tuple[str, str] | None
    ) -> Found:
        """Store content in one piece; the service refuses bytes that do not fit its digest.

        Raises Failed, Damaged; Misstored where the service did not look.

        condition: a header that keeps what is there. After a lost answer it is looked whether ours is there.
        """
        ask = self.asked_to_put(at, data, md5, mtime_ns, condition)

        async def attempt() -> Found:
            try:
                reply = await self.wire.call(ask)
            except Unclear as error:
                there = await self.find(at)
                if there is None or there.checksum != md5:
                    raise Unavailable(f"its answer was lost, and it is not there: {error.message}") from error
                return there
            return self.stored(at, len(data), md5, mtime_ns, reply.headers)

        return await again(attempt)

    def asked_to_put(
        self, at: At, data: bytes, md5: Checksum, mtime_ns: int | None, condition: tuple[str, str] | None
    ) -> Ask:
        """The request of `put`."""
        headers = [*self.described(mtime_ns), ("content-md5", to_base64(md5.digest))]
        if condition is not None:
            headers.append(condition)
        return Ask("PUT", *at, headers=headers, body=data, repeatable=condition is None)

    def stored(
        self, at: At, size: int, md5: Checksum, mtime_ns: int | None, headers: Mapping[str, str]
    ) -> Found:
        """What the answer to `asked_to_put` tells of the new object. Raises Misstored, BadAnswer."""
        etag = bare(headers.get("etag", ""))
        if not opaque(headers) and md5_of(etag) not in (md5, None):
            raise Misstored(f"stored as {etag}, but sent were bytes of {md5}", etag)
        found = Found(at.key, size, etag, None, mtime_ns, md5, headers.get("x-amz-version-id", ""))
        self._learn(at, found)
        return found

    async def copy(
        self, at: At, to: At, *, expect: str | None, version: str = "", more: Sequence[tuple[str, str]] = (),
        plain: bool = False, also: Sequence[tuple[str, str]] = (),
    ) -> str:  # fmt: skip
        """Copy within the service, with all metadata; return the ETag of the copy. Raises Failed, NotFound.

        expect: the ETag that is meant; version: that is meant, "" for the newest. more, plain: see `Copies.copy`.
        also: headers that are no metadata.
        """
        headers = [("x-amz-copy-source", source_of(at, version)), *also]
        if expect is not None:
            headers.append(("x-amz-copy-source-if-match", f'"{expect}"'))
        kept = await self.metadata(at, version, plain=plain) if more or plain else []
        if more or plain:
            headers += [("x-amz-metadata-directive", "REPLACE"), *kept, *more]

        async def attempt() -> str:
            reply = await self.wire.call(Ask("PUT", *to, headers=headers))
            if (error := within(reply.body, f"copy of {at.key!r}")) is not None:
                raise error
            return bare(text(document(reply.body), "ETag"))

        return await again(attempt)

    async def layout(self, at: At, found: Found) -> int:
        """Bytes in each part of an object that was stored in parts; 0 where it was not, or the service does not say."""
        count = found.etag.partition("-")[2]
        if not count.isdigit():
            return 0
        try:
            reply = await self.wire.call(Ask("HEAD", *at, query={"partNumber": "1"}))
        except (Failed, Unsupported, BadAnswer):
            return 0
        size = whole_number(reply.headers.get("content-length", ""))
        return size if size and -(-found.size // size) == int(count) else 0

    async def remove(self, at: At, *, expect: str | None, version: str = "") -> None:
        """Remove the object, or one version of it for good. Raises Failed."""
        headers = (("if-match", f'"{expect}"'),) if expect is not None else ()
        query = {"versionId": version} if version else {}
        await self.wire.call(Ask("DELETE", *at, query=query, headers=headers))

    async def metadata(self, at: At, version: str = "", *, plain: bool = False) -> list[tuple[str, str]]:
        """What a copy is to be told of an object, for it to be as this one."""
        query = {"versionId": version} if version else {}
        headers = (await self.wire.call(Ask("HEAD", *at, query=query))).headers
        return [
            (name.lower(), value)
            for name, value in headers.items()
            if (name.lower().startswith("x-amz-meta-") or name.lower() in _KEPT_HEADERS)
            and not (plain and is_where(name.lower()))
        ]

    def _learn(self, at: At, found: Found) -> None:
        self.heads.learn(self.place(at.bucket), at.key, Head(found.etag, found.mtime_ns, found.checksum))


def asked_to_get(at: At, expect: str | None) -> Ask:
    """The request for all the bytes of an object."""
    headers = (("if-match", f'"{expect}"'),) if expect is not None else ()
    return Ask("GET", *at, headers=headers, as_stored=True)


def _short(total: int, found: Found) -> Truncated:
    return Truncated(f"a download of {total} bytes where {found.size} were announced")


def source_of(at: At, version: str = "") -> str:
    """An object, or one version of it, as a copy is told of it."""
    source = f"/{encoded(at.bucket)}/{encoded(at.key, safe='/')}"
    return f"{source}?versionId={encoded(version)}" if version else source
