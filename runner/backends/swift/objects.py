"""Single objects: look, read, store in one piece, copy, remove."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence

from runner.backends.swift.answers import Failed
from runner.backends.swift.listing import objects
from runner.backends.swift.nodes import (
    EMPTY,
    MD5,
    MTIME,
    Found,
    bare,
    date_s,
    is_where,
    to_base64,
    told,
)
from runner.backends.swift.wire import Ask, SwiftWire, encoded
from runner.model.checksum import Checksum
from runner.model.content import CHUNK, Fetched
from runner.model.errors import Changed, Damaged, NotFound, Stale, Truncated, Unavailable, Unclear
from runner.remote import retry
from runner.remote.close import closing
from runner.remote.dated import At
from runner.remote.mtime import as_seconds, seconds_ns
from runner.state.heads import Head, Heads

NEWEST = ("x-newest", "true")
"""The answer is that of the replica that was written last, not of the one that answers first."""

_ASKED_AT_ONCE = 32
_KEPT_HEADERS = ("content-type", "content-encoding", "content-disposition", "x-delete-at")


class Misstored(Damaged):
    """Other bytes than were sent are to be seen at the key: the server did not look at the digest it was sent.

    etag: of what is there. Never leaves this room.
    """

    retry = False

    def __init__(self, message: str, etag: str) -> None:
        super().__init__(message)
        self.etag = etag


class Objects:
    """heads: remembers what is not listed; place: whose objects they are, in its words."""

    def __init__(self, wire: SwiftWire, heads: Heads, place: str) -> None:
        self.wire = wire
        self.heads = heads
        self._place = place
        self._door = asyncio.Semaphore(_ASKED_AT_ONCE)

    def place(self, container: str) -> str:
        """The container, among all containers of all accounts."""
        return f"{self._place}/{container}"

    async def head(self, at: At, version: str = "", *, newest: bool = True) -> Found:
        """The object as it is now. Raises NotFound."""
        query = {"version-id": version} if version else {}
        reply = await self.wire.call(Ask("HEAD", *at, query=query, headers=[NEWEST] if newest else []))
        found = told(at.bucket, at.key, reply.headers)
        if found.unsure:
            found = await self._measured(found, reply.headers.get("x-object-manifest", ""))
        return found if version else self._remembered(at, found)

    async def find(self, at: At) -> Found | None:
        """The object as it is now, None when there is none."""
        try:
            return await self.head(at)
        except NotFound:
            return None

    async def settled(self, container: str, found: list[Found]) -> list[Found]:
        """What a listing shows, with what it is known to leave out: the digests of large objects, and the size of
        what is listed with none, which a manifest may be. Of such, each state is asked about once; a manifest each
        time, for its segments can change without it."""
        asked = [one for one in found if one.unsure or (one.large and one.checksum is None)]
        if not asked:
            return found
        known = self.heads.known(self.place(container), [one.key for one in asked])
        better: dict[tuple[str, str], Found | None] = {}
        unsure: list[Found] = []
        for one in asked:
            head = known.get(one.key)
            same = head is not None and one.stamped(head.generation) and not one.version
            if same and head is not None and (one.large or head.checksum == EMPTY):
                better[one.key, one.version] = one._replace(checksum=head.checksum, unsure=False)
            elif one.unsure:
                unsure.append(one)
        answers = await asyncio.gather(*(self._asked(container, one) for one in unsure))
        better.update({(one.key, one.version): now for one, now in zip(unsure, answers, strict=True)})
        shown = (better.get((one.key, one.version), one) for one in found)
        return [one for one in shown if one is not None]

    async def _asked(self, container: str, one: Found) -> Found | None:
        """None when it is gone by now."""
        async with self._door:
            try:
                now = await self.head(At(container, one.key), one.version, newest=False)
            except NotFound:
                return None
        return now._replace(mtime_ns=None, version=one.version, changed_ns=one.changed_ns)

    async def _measured(self, found: Found, manifest: str) -> Found:
        """A manifest of more segments than the service counts itself."""
        container, _, prefix = manifest.partition("/")
        size, digest = 0, hashlib.md5(usedforsecurity=False)
        async with closing(objects(self.wire, container, prefix)) as pages:
            async for page in pages:
                for one in page.objects:
                    size += one.size
                    digest.update(one.etag.encode())
        return found._replace(size=size, etag=digest.hexdigest(), unsure=False)

    async def read(self, at: At, expect: str | None) -> AsyncGenerator[bytes, None]:
        """Yield the bytes as they are stored; their number is checked. Raises NotFound, Changed, Truncated."""
        total = 0
        async with self.wire.stream(_get(at)) as answer:
            size = (await self._asked_for(at, expect, answer.headers)).size
            async with closing(answer.chunks()) as chunks:
                async for chunk in chunks:
                    total += len(chunk)
                    yield chunk
        if total != size:
            raise _short(total, size)

    async def whole(self, at: At, size: int, expect: str | None) -> Fetched:
        """All the bytes of an object that should have `size`. Raises what `read` raises."""
        reply = await self.wire.call(_get(at), most=size + CHUNK)
        found = await self._asked_for(at, expect, reply.headers)
        if len(reply.body) != found.size:
            raise _short(len(reply.body), found.size)
        return Fetched(reply.body, found.mtime_ns)

    async def _asked_for(self, at: At, expect: str | None, headers: Mapping[str, str]) -> Found:
        found = told(at.bucket, at.key, headers)
        if found.unsure:
            found = await self._measured(found, headers.get("x-object-manifest", ""))
        if expect is not None and found.etag != expect:
            raise Changed("not the generation that was listed")
        return self._remembered(at, found)

    async def put(self, at: At, data: bytes, mtime_ns: int | None, *, new: bool) -> Found:
        """Store content in one piece; the service refuses bytes that do not fit its digest.

        Raises Failed where something is and `new` is said, NotFound without the container, Damaged; Misstored where
        the service did not look. After a lost answer it is looked whether ours is there.
        """
        md5 = await digest_of(data)
        headers = [*described(mtime_ns), ("etag", md5.digest)]
        if new:
            headers.append(("if-none-match", "*"))
        ask = Ask("PUT", *at, headers=headers, body=data, repeatable=not new)

        async def attempt() -> Found:
            try:
                reply = await self.wire.call(ask)
            except Unclear as error:
                there = await self.find(at)
                if there is None or there.large or there.checksum != md5:
                    raise Unavailable(f"its answer was lost, and it is not there: {error.message}") from error
                return there
            etag = bare(reply.headers.get("etag", "") or md5.digest)
            if etag != md5.digest:
                raise Misstored(f"stored as {etag}, but sent were bytes of {md5}", etag)
            return Found(
                at.key, len(data), etag, None, date_s(reply.headers.get("last-modified", "")), mtime_ns, md5,
                version=reply.headers.get("x-object-version-id", ""),
            )  # fmt: skip

        found = await looked(attempt)
        self.learn(at, found)
        return found

    async def copy(
        self, at: At, to: At, found: Found, *, more: Sequence[tuple[str, str]] = (), plain: bool = False,
        version: str = "",
    ) -> Found:  # fmt: skip
        """Copy the state `found` within the service, with all its metadata. Raises Stale, NotFound.

        Of a large object the manifest is copied: both copies name the same segments, and one of them is to go soon.
        more: metadata that the copy has besides; plain: it has none of `was_at`. version: that is copied, "" for the
        newest.
        """
        headers = list(more)
        if not found.large:
            headers.append(("if-match", f'"{found.etag}"'))
        if plain:
            headers += [("x-fresh-metadata", "true"), *await self._metadata(at, version)]
        query = {"multipart-manifest": "get"} if found.large else {}
        if version:
            goal = f"/{encoded(to.bucket)}/{encoded(to.key, safe='/')}"
            ask = Ask("COPY", *at, {**query, "version-id": version}, [("destination", goal), *headers])
        else:
            source = f"/{encoded(at.bucket)}/{encoded(at.key, safe='/')}"
            ask = Ask("PUT", *to, query, [("x-copy-from", source), *headers])
        try:
            reply = await self.wire.call(ask)
        except Failed as error:
            raise Stale("not the generation that was listed") from error
        etag = bare(reply.headers.get("etag", "") or found.etag)
        if found.large != "dlo" and etag != found.etag:
            raise Stale("not the generation that was listed")
        made = found._replace(
            key=to.key, changed_ns=None, modified_s=date_s(reply.headers.get("last-modified", "")),
            mtime_ns=seconds_ns(reply.headers.get(MTIME, "")) or found.mtime_ns,
            version=reply.headers.get("x-object-version-id", ""),
        )  # fmt: skip
        if made.mtime_ns is not None:
            self.learn(to, made)
        return made

    async def remove(self, at: At, *, version: str = "") -> None:
        """Remove the object, or one version of it for good; of a large one the manifest alone."""
        await self.wire.call(Ask("DELETE", *at, query={"version-id": version} if version else {}))

    async def _metadata(self, at: At, version: str) -> list[tuple[str, str]]:
        """What a copy is to be told of an object, for it to be as this one but for what `was_at` wrote."""
        query = {"version-id": version} if version else {}
        headers = (await self.wire.call(Ask("HEAD", *at, query=query, headers=[NEWEST]))).headers
        return [
            (name, value)
            for name, value in headers.items()
            if (name.startswith("x-object-meta-") or name in _KEPT_HEADERS) and not is_where(name)
        ]

    def _remembered(self, at: At, found: Found) -> Found:
        """The same with the digest that was told when it was stored, which its headers may not tell."""
        if found.large and found.checksum is None:
            known = self.heads.known(self.place(at.bucket), [at.key]).get(at.key)
            if known is not None and found.stamped(known.generation):
                found = found._replace(checksum=known.checksum)
        self.learn(at, found)
        return found

    def learn(self, at: At, found: Found) -> None:
        """Remember what a listing will not tell of this state of the object."""
        self.heads.learn(self.place(at.bucket), at.key, Head(found.stamp, found.mtime_ns, found.checksum))


def _get(at: At) -> Ask:
    return Ask("GET", *at, headers=[NEWEST], as_stored=True)


def _short(total: int, announced: int) -> Truncated:
    return Truncated(f"a download of {total} bytes where {announced} were announced")


def described(mtime_ns: int | None, md5: Checksum | None = None) -> list[tuple[str, str]]:
    """The headers that every new object has. md5: of the content, where the ETag will not tell it."""
    headers = [("content-type", "application/octet-stream")]
    if mtime_ns is not None:
        headers.append((MTIME, as_seconds(mtime_ns)))
    if md5 is not None:
        headers.append((MD5, to_base64(md5.digest)))
    return headers


async def digest_of(data: bytes) -> Checksum:
    """The MD5 of bytes that are held."""
    if len(data) >= 1 << 18:
        return await asyncio.to_thread(Checksum.of, "md5", data)
    return Checksum.of("md5", data)


async def looked(attempt: Callable[[], Awaitable[Found]]) -> Found:
    """Make a call that looks itself after an answer that was lost, and make it again when nothing was there.

    All other errors are the wire's, which has tried again where that is of use.
    """
    try:
        return await attempt()
    except Unavailable as error:
        if not isinstance(error.__cause__, Unclear):
            raise
        return await retry.in_force().again(attempt, error)
