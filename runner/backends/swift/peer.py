"""Files that go from one container of an account to another, or within one: the service copies them itself."""

import asyncio
import json
import secrets
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from runner.backends.swift.nodes import Found, bare, date_s, md5_of
from runner.backends.swift.objects import Objects
from runner.backends.swift.parts import Segment, joined, manifest, prefix
from runner.backends.swift.store import Store
from runner.backends.swift.wire import Ask, encoded
from runner.model.backend import Copied, Copy, Copying
from runner.model.errors import AcdrunError, NotFound, Unclear
from runner.remote.dated import MOST_BYTES, At

LOOKED_UP = "the service does not guard copies: that nothing was there was looked up just before"
_AT_ONCE = 32
_SEGMENTS_AT_ONCE = 8


class Copier:
    """Copies to where nothing is. What goes otherwise than it should is left to who reads and puts."""

    def __init__(self, objects: Objects, store: Store) -> None:
        self._objects = objects
        self._wire = objects.wire
        self._store = store
        self._door = asyncio.Semaphore(_AT_ONCE)

    async def copy(self, pairs: Sequence[tuple[At, At, Copy]], how: Copying) -> list[Copied | None]:
        """What became of each; see `Peer.copy_from`."""
        if how.algorithm != "md5" or (how.wanted is not None and not how.wanted()):
            return [None] * len(pairs)
        return list(await asyncio.gather(*(self._one(at, to, copy, how) for at, to, copy in pairs)))

    async def _one(self, at: At, to: At, copy: Copy, how: Copying) -> Copied | None:
        async with self._door:
            try:
                if not to.key or len(to.key.encode()) > MOST_BYTES:
                    return None
                found = await self._meant(at, copy)
                if found is None:
                    return None
                made = await self._store.copied(to, lambda: self._made(at, to, found))
            except AcdrunError:
                return None
        if made is None:
            return None
        if how.moved is not None:
            how.moved(found.size)
        return Copied(made.node(), found.checksum, "" if found.checksum is not None else "etag", LOOKED_UP)

    async def _meant(self, at: At, copy: Copy) -> Found | None:
        """The source with all that has to be known of it; None where it is not what was listed.

        Only of what is in one piece the ETag is the content's digest, and its copy is bound to that.
        """
        plain = md5_of(copy.generation)
        if plain is not None and copy.known == plain:
            return Found(at.key, copy.size, copy.generation, mtime_ns=copy.mtime_ns, checksum=plain)
        found = await self._objects.find(at)
        if found is None or (found.etag, found.size) != (copy.generation, copy.size) or found.other:
            return None
        if found.checksum is not None and copy.known not in (None, found.checksum):
            return None
        return found._replace(checksum=found.checksum or copy.known)

    async def _made(self, at: At, to: At, found: Found) -> Found | None:
        """Copy the state `found`; None where that is not possible."""
        if not found.large:
            return await self._objects.copy(at, to, found)
        if found.large == "slo":
            return await self._large(at, to, found)
        return None

    async def _large(self, at: At, to: At, found: Found) -> Found | None:
        """Copy the segments, for each manifest has its own: whoever removes one with its segments harms no other."""
        reply = await self._wire.call(Ask("GET", *at, query={"multipart-manifest": "get"}))
        segments = _segments(reply.body)
        if segments is None or joined(segments) != found.etag:
            return None
        container, upload = self._store.parts.container(to.bucket), secrets.token_hex(8)
        await self._store.parts.make(container)
        door = asyncio.Semaphore(_SEGMENTS_AT_ONCE)
        goals = [f"/{container}/{prefix(to.key, upload)}{number:08}" for number in range(len(segments))]

        async def one(segment: Segment, goal: str) -> Segment:
            headers = [("x-copy-from", encoded(segment.path, safe="/")), ("if-match", f'"{segment.etag}"')]
            async with door:
                answer = await self._wire.call(Ask("PUT", *_at(goal), headers=headers))
            if bare(answer.headers.get("etag", "")) != segment.etag:
                raise NotFound("a segment that is another by now")
            return segment._replace(path=goal)

        sent = False
        try:
            copies = await asyncio.gather(*map(one, segments, goals))
            headers = [
                (name, value)
                for name, value in reply.headers.items()
                if name.startswith("x-object-meta-") or name == "content-encoding"
            ]
            headers += [
                ("content-type", "application/octet-stream"),
                ("etag", found.etag),
                ("if-none-match", "*"),
            ]
            body = manifest(copies)
            try:
                made = await self._wire.call(
                    Ask("PUT", *to, {"multipart-manifest": "put"}, headers, body, repeatable=False)
                )
            except Unclear:
                sent = True
                raise
        except AcdrunError:
            if not sent:
                for goal in goals:
                    with suppress(AcdrunError):
                        await self._objects.remove(_at(goal))
            raise
        new = found._replace(
            key=to.key, changed_ns=None, modified_s=date_s(made.headers.get("last-modified", "")),
            version=made.headers.get("x-object-version-id", ""),
        )  # fmt: skip
        self._objects.learn(to, new)
        return new


def _at(path: str) -> At:
    container, _, key = path.removeprefix("/").partition("/")
    return At(container, key)


def _segments(body: bytes) -> list[Segment] | None:
    """What a manifest names; None where it names more than whole objects."""
    try:
        entries: list[dict[str, Any]] = json.loads(body)
        if any(entry.get("sub_slo") or entry.get("range") or "data" in entry for entry in entries):
            return None
        return [
            Segment(str(entry["name"]), bare(str(entry["hash"])), int(entry["bytes"])) for entry in entries
        ]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
