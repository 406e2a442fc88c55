"""The service as calls: addresses below the account's storage, and what the cluster says of its limits."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
from urllib.parse import quote

from runner.backends.swift.session import Session
from runner.model.errors import AcdrunError, Unavailable
from runner.remote.http import JSON_LIMIT, Reply, Request
from runner.remote.wire import Download, Wire

_UPLOAD_IDLE_S = 300.0
_INFO_MOST = 1 << 20


class Ask(NamedTuple):
    """One request in the service's words.

    key: "" for the container itself; container: "" for the account. query: decoded. repeatable, as_stored: see
    `Request`.
    """

    method: str
    container: str = ""
    key: str = ""
    query: Mapping[str, str] = {}
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""
    repeatable: bool = True
    as_stored: bool = False


class Limits(NamedTuple):
    """What the cluster takes, and Swift's own defaults where it does not say.

    object_size: bytes of one object; segments: entries in the manifest of a large one; manifest_size: bytes of it.
    large: it has static large objects at all.
    """

    object_size: int = 5 << 30
    segments: int = 1000
    manifest_size: int = 2 << 20
    large: bool = True


def encoded(text: str, safe: str = "") -> str:
    """Percent-encoded, every byte that is not sure to pass as it is."""
    return quote(text, safe=safe, errors="surrogateescape")


class SwiftWire:
    """Addresses stand below the storage URL, which the log-in tells."""

    def __init__(self, wire: Wire, session: Session) -> None:
        self.wire = wire
        self._session = session
        self._limits: Limits | None = None
        self._asking = asyncio.Lock()

    async def call(self, ask: Ask, *, most: int = JSON_LIMIT) -> Reply:
        """Ask, and return the whole answer, of at most `most` bytes. Raises what `answers` makes of a complaint."""
        return await self.wire.call(await self._request(ask), most=most)

    @asynccontextmanager
    async def stream(self, ask: Ask) -> AsyncIterator[Download]:
        """Ask, and let the body be read piece by piece."""
        async with self.wire.stream(await self._request(ask)) as download:
            yield download

    async def storage_url(self) -> str:
        """Which account's storage this is. Raises LoginNeeded."""
        return await self._session.storage_url()

    async def limits(self) -> Limits:
        """What the cluster takes; asked once. Not every cloud says it."""
        async with self._asking:
            if self._limits is None:
                self._limits = await self._ask_limits()
        return self._limits

    async def _ask_limits(self) -> Limits:
        base = (await self._session.storage_url()).partition("/v1")[0]
        try:
            reply = await self.wire.call(Request("GET", f"{base}/info", authorised=False), most=_INFO_MOST)
        except Unavailable:
            raise
        except AcdrunError:
            return Limits()
        return limits_in(reply.body)

    async def _request(self, ask: Ask) -> Request:
        path = "".join(f"/{encoded(part, safe='/')}" for part in (ask.container, ask.key) if part)
        query = "&".join(f"{encoded(name)}={encoded(value)}" for name, value in ask.query.items())
        return Request(
            ask.method,
            (await self._session.storage_url()) + path + ("?" + query if query else ""),
            headers=tuple(ask.headers),
            body=ask.body,
            repeatable=ask.repeatable,
            as_stored=ask.as_stored,
            idle_s=_UPLOAD_IDLE_S if ask.method in ("PUT", "COPY") else 60.0,
        )


def limits_in(body: bytes) -> Limits:
    """The limits that `/info` tells. Whatever is no number there is as if it were not said."""
    try:
        told: Any = json.loads(body)
        core, large = told["swift"], told.get("slo")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Limits()
    usual = Limits()
    return Limits(
        _number(core, "max_file_size", usual.object_size),
        _number(large, "max_manifest_segments", usual.segments),
        _number(large, "max_manifest_size", usual.manifest_size),
        large is not None,
    )


def _number(told: Any, name: str, usual: int) -> int:
    value = told.get(name) if isinstance(told, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else usual
