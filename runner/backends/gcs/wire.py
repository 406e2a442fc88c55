"""The service as calls: addresses, queries, JSON."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from runner.backends.gcs.answers import NoBucket, load
from runner.model.errors import NotFound
from runner.remote.http import Reply, Request
from runner.remote.wire import Download, Wire

GOOGLE = "https://storage.googleapis.com"
_UPLOAD_IDLE_S = 300.0
_RAW = (("Accept-Encoding", "gzip"),)
"""Without this the service unpacks what is stored packed: another size, another digest."""


class Ask(NamedTuple):
    """One request in the service's words.

    path: names that follow each other in the address, each as it is. query: decoded. body: sent as JSON.
    repeatable: see `Request`.
    """

    method: str
    path: tuple[str, ...]
    query: Mapping[str, str] = {}
    body: Mapping[str, Any] | None = None
    repeatable: bool = True


class GcsWire:
    """endpoint: scheme and host; user_project: who pays, "" for who owns the bucket."""

    def __init__(self, wire: Wire, endpoint: str, user_project: str = "") -> None:
        self.wire = wire
        self.endpoint = endpoint
        self._paid = {"userProject": user_project} if user_project else {}

    async def call(self, ask: Ask) -> dict[str, Any]:
        """Ask, and return the object that comes back, {} where nothing is left to be told of."""
        headers: tuple[tuple[str, str], ...] = (("Accept", "application/json"),)
        body = b""
        if ask.body is not None:
            headers, body = (*headers, ("Content-Type", "application/json")), _json(ask.body)
        reply = await self.wire.call(
            Request(
                ask.method, self._url("/storage/v1", ask.path, ask.query), headers=headers, body=body,
                repeatable=ask.repeatable,
            )
        )  # fmt: skip
        return {} if ask.method == "DELETE" else load(reply)

    async def listing(self, bucket: str, query: Mapping[str, str]) -> dict[str, Any]:
        """One page of a bucket. Raises NoBucket."""
        try:
            return await self.call(Ask("GET", ("b", bucket, "o"), query))
        except NotFound as error:
            raise self.no_bucket(bucket) from error

    @asynccontextmanager
    async def content(self, bucket: str, key: str, query: Mapping[str, str]) -> AsyncIterator[Download]:
        """Ask for the bytes of an object as they are stored, and let them be read piece by piece."""
        async with self.wire.stream(self._media(bucket, key, query)) as download:
            yield download

    async def whole(self, bucket: str, key: str, query: Mapping[str, str], most: int) -> Reply:
        """All the bytes of an object as they are stored, at most so many."""
        return await self.wire.call(self._media(bucket, key, query), most=most)

    def _media(self, bucket: str, key: str, query: Mapping[str, str]) -> Request:
        url = self._url("/storage/v1", ("b", bucket, "o", key), {"alt": "media", **query})
        return Request("GET", url, headers=_RAW, as_stored=True)

    async def store(
        self, bucket: str, query: Mapping[str, str], about: Mapping[str, Any], data: bytes
    ) -> dict[str, Any]:
        """Store content in one request, with what is to be known of it. Raises NoBucket, Unclear."""
        kind, body = _related(about, data)
        url = self._url("/upload/storage/v1", ("b", bucket, "o"), {"uploadType": "multipart", **query})
        request = Request(
            "POST", url, headers=(("Content-Type", kind),), body=body, repeatable=False, idle_s=_UPLOAD_IDLE_S
        )
        try:
            return load(await self.wire.call(request))
        except NotFound as error:
            raise self.no_bucket(bucket) from error

    async def begin(self, bucket: str, query: Mapping[str, str], about: Mapping[str, Any], size: int) -> str:
        """Begin an upload that can be gone on with; return its address below the endpoint. Raises NoBucket."""
        url = self._url("/upload/storage/v1", ("b", bucket, "o"), {"uploadType": "resumable", **query})
        headers = (
            ("Content-Type", "application/json"),
            ("X-Upload-Content-Type", str(about.get("contentType", ""))),
            ("X-Upload-Content-Length", str(size)),
        )
        try:
            reply = await self.wire.call(Request("POST", url, headers=headers, body=_json(about)))
        except NotFound as error:
            raise self.no_bucket(bucket) from error
        place = urlsplit(reply.headers.get("location", ""))
        return f"{place.path}?{place.query}" if place.query else place.path

    async def more(
        self, upload: str, span: str, data: bytes = b"", headers: tuple[tuple[str, str], ...] = ()
    ) -> Reply:
        """Send a part of an upload, or ask what it holds. Raises Incomplete, Gone, NotFound, Unclear.

        span: which bytes these are, as `Content-Range` says it.
        """
        request = Request(
            "PUT", self.endpoint + upload, headers=(("Content-Range", f"bytes {span}"), *headers), body=data,
            repeatable=not data, idle_s=_UPLOAD_IDLE_S,
        )  # fmt: skip
        return await self.wire.call(request)

    async def give_up(self, upload: str) -> None:
        """Let the service forget an upload."""
        await self.wire.call(Request("DELETE", self.endpoint + upload))

    def no_bucket(self, bucket: str) -> NoBucket:
        """The error for a bucket that is not there."""
        hint = (
            f"make it first: acdrun mkdir {self.wire.remote}:BUCKET, or without BUCKET if one is configured"
        )
        return NoBucket(f"there is no bucket {bucket!r} at {self.endpoint}", hint=hint)

    def _url(self, service: str, path: tuple[str, ...], query: Mapping[str, str]) -> str:
        """Each name is one segment, whatever it holds."""
        where = "/".join(_encoded(name) for name in path)
        asked = "&".join(f"{name}={_encoded(value)}" for name, value in {**query, **self._paid}.items())
        return f"{self.endpoint}{service}/{where}" + (f"?{asked}" if asked else "")


def _encoded(text: str) -> str:
    return quote(text, safe="", errors="surrogatepass")


def _json(data: Mapping[str, Any]) -> bytes:
    return json.dumps(data).encode("ascii")


def _related(about: Mapping[str, Any], data: bytes) -> tuple[str, bytes]:
    """One body of two parts. Its boundary is a word that the content does not hold."""
    number, mark = 0, b"acdrun"
    while mark in data:
        number += 1
        mark = b"acdrun-%d" % number
    head = (
        b"--" + mark + b"\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n" + _json(about) + b"\r\n"
    )
    head += b"--" + mark + b"\r\nContent-Type: application/octet-stream\r\n\r\n"
    return f"multipart/related; boundary={mark.decode()}", head + data + b"\r\n--" + mark + b"--\r\n"
