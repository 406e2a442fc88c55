"""Single objects: look, read, store in one piece, copy, remove."""

from collections.abc import AsyncGenerator, Mapping
from typing import Any

from runner.backends.gcs.answers import Failed, Invalid
from runner.backends.gcs.nodes import FIELDS, Found, copied, found, time_of, to_base64
from runner.backends.gcs.wire import Ask, GcsWire
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
)
from runner.remote.close import closing
from runner.remote.dated import At
from runner.remote.retry import again


class Misstored(Damaged):
    """Other bytes than were sent are to be seen at the key: the server did not look at the digest it was sent.

    found: what is there. Never leaves this room.
    """

    retry = False

    def __init__(self, message: str, found: Found) -> None:
        super().__init__(message)
        self.found = found


class Objects:
    """storage_class: of what is stored, "" for the bucket's own."""

    def __init__(self, wire: GcsWire, storage_class: str = "") -> None:
        self.wire = wire
        self._storage_class = storage_class

    async def resource(self, at: At, generation: int | None = None, *, soft: bool = False) -> dict[str, Any]:
        """All that the service says of an object, or of one state of it. Raises NotFound.

        soft: of one that the service keeps for a while only.
        """
        query = {"fields": FIELDS}
        query |= {"generation": str(generation)} if generation is not None else {}
        query |= {"softDeleted": "true"} if soft else {}
        return await self.wire.call(Ask("GET", ("b", at.bucket, "o", at.key), query))

    async def head(self, at: At) -> Found:
        """The object as it is now. Raises NotFound."""
        return found(await self.resource(at))

    async def find(self, at: At) -> Found | None:
        """The object as it is now, None when there is none."""
        try:
            return await self.head(at)
        except NotFound:
            return None

    async def read(self, at: At, generation: int | None) -> AsyncGenerator[bytes, None]:
        """Yield the bytes as they are stored; their number is checked. Raises NotFound, Changed, Truncated."""
        total = 0
        try:
            async with self.wire.content(at.bucket, at.key, _only(generation)) as answer:
                announced = _announced(answer.headers, generation)
                async with closing(answer.chunks()) as chunks:
                    async for chunk in chunks:
                        total += len(chunk)
                        yield chunk
        except Failed as error:
            raise Changed("not the generation that was listed") from error
        if announced is not None and total != announced:
            raise _short(total, announced)

    async def whole(self, at: At, size: int, generation: int | None) -> Fetched:
        """All the bytes of an object that should have `size`. Raises what `read` raises."""
        try:
            reply = await self.wire.whole(at.bucket, at.key, _only(generation), size + CHUNK)
        except Failed as error:
            raise Changed("not the generation that was listed") from error
        announced, total = _announced(reply.headers, generation), len(reply.body)
        if announced is not None and total != announced:
            raise _short(total, announced)
        return Fetched(reply.body)

    def described(self, key: str, mtime_ns: int | None, md5: Checksum | None) -> dict[str, Any]:
        """What every new object is told of itself."""
        about: dict[str, Any] = {"name": key, "contentType": "application/octet-stream"}
        about |= {"metadata": time_of(mtime_ns)} if mtime_ns is not None else {}
        about |= {"md5Hash": to_base64(md5.digest)} if md5 is not None else {}
        return about | ({"storageClass": self._storage_class} if self._storage_class else {})

    async def put(self, at: At, data: bytes, mtime_ns: int | None, generation: int) -> Found:
        """Store content in one piece; the service refuses bytes that do not fit their digest.

        generation: what it replaces, 0 for nothing. After a lost answer it is looked whether ours is there.
        Raises Failed, Damaged; Misstored where the service did not look.
        """
        md5 = Checksum.of("md5", data)
        about = self.described(at.key, mtime_ns, md5)
        query = {"ifGenerationMatch": str(generation), "fields": FIELDS}

        async def attempt() -> Found:
            try:
                return found(await self.wire.store(at.bucket, query, about, data))
            except Unclear as error:
                return await self.arrived(at, md5, generation, error)
            except Invalid as error:
                raise Damaged(f"the service does not take the bytes that came: {error.message}") from error

        stored = await again(attempt)
        return checked(stored, md5)

    async def arrived(self, at: At, md5: Checksum | None, generation: int, error: Unclear) -> Found:
        """After a lost answer: our content, if it is there. Raises Unavailable if it is not."""
        there = await self.find(at)
        if there is None or there.generation == generation or md5 is None or there.checksum != md5:
            raise Unavailable(f"its answer was lost, and it is not there: {error.message}") from error
        return there

    async def copy(
        self, at: At, to: At, generation: int, *, older: bool = False, about: Mapping[str, Any] | None = None
    ) -> Found:
        """Have the service copy one state of an object to where nothing is, with all metadata.

        Raises Failed when it is not that state any more or something is there, and NotFound.
        older: a state that does not stand any more; about: what the copy is told of itself instead.
        """
        source = "sourceGeneration" if older else "ifSourceGenerationMatch"
        query = {source: str(generation), "ifGenerationMatch": "0"}
        path = ("b", at.bucket, "o", at.key, "rewriteTo", "b", to.bucket, "o", to.key)

        async def attempt() -> Found:
            token: dict[str, str] = {}
            while True:
                ask = Ask("POST", path, {**query, **token}, body=about, repeatable=False)
                try:
                    answer = await self.wire.call(ask)
                except Unclear as error:
                    return await self._copied(at, to, generation, error)
                if answer.get("done") is True:
                    return found(answer.get("resource") or {})
                if not isinstance(answer.get("rewriteToken"), str):
                    raise BadAnswer("a copy that is not done, and does not say how to go on with it")
                token = {"rewriteToken": answer["rewriteToken"]}

        return await again(attempt)

    async def _copied(self, at: At, to: At, generation: int, error: Unclear) -> Found:
        there = await self.find(to)
        if there is not None:
            try:
                source = found(await self.resource(at, generation))
            except NotFound:
                source = None
            if source is not None and source._replace(key=to.key).same(there):
                return there
        raise Unavailable(f"its answer was lost, and the copy is not there: {error.message}") from error

    async def remove(self, at: At, *, generation: int | None = None, older: bool = False) -> None:
        """Remove the object, if it is that state of it. Raises Failed, NotFound.

        older: remove that state for good, though it does not stand any more.
        """
        word = "generation" if older else "ifGenerationMatch"
        query = {word: str(generation)} if generation is not None else {}
        await self.wire.call(Ask("DELETE", ("b", at.bucket, "o", at.key), query))

    async def revive(self, at: At, generation: int) -> None:
        """Bring a state back that the service keeps for a while, to its key, at which nothing is. Raises Failed."""
        query = {"generation": str(generation), "ifGenerationMatch": "0"}
        await self.wire.call(Ask("POST", ("b", at.bucket, "o", at.key, "restore"), query))


def checked(stored: Found, md5: Checksum | None) -> Found:
    """What was stored, if it is what was sent. Raises Misstored."""
    if md5 is not None and stored.checksum not in (md5, None):
        raise Misstored(f"stored as {stored.checksum}, but sent were bytes of {md5}", stored)
    return stored


def as_copy(resource: Mapping[str, Any], was: str, *, plain: bool) -> Mapping[str, Any] | None:
    """What a copy is to be told of itself; None where it is to be as its source."""
    return copied(resource, was=was, plain=plain) if was or plain else None


def _only(generation: int | None) -> dict[str, str]:
    return {"ifGenerationMatch": str(generation)} if generation is not None else {}


def _short(total: int, announced: int) -> Truncated:
    return Truncated(f"a download of {total} bytes where {announced} were announced")


def _announced(headers: Mapping[str, str], generation: int | None) -> int | None:
    """How many bytes are stored; None where the answer only proves its end. Raises Changed for another generation."""
    there = headers.get("x-goog-generation", "")
    if generation is not None and there and there != str(generation):
        raise Changed("not the generation that was listed")
    packed = headers.get("x-goog-stored-content-encoding", "identity")
    if packed not in ("", "identity", headers.get("content-encoding", "identity")):
        raise BadAnswer(f"stored packed ({packed}), and unpacked on the way")
    text = headers.get("x-goog-stored-content-length") or headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
