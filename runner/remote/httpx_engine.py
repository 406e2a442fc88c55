"""The reference engine: httpx's transport, without its client."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import httpx

from runner.remote.http import LinkFailure, Sending, authority, origin, target
from runner.remote.secrets import redact
from runner.remote.trust import trusted

_IDLE_CONNECTION_S = 4.0
"""Shorter than the 5 s after which common servers close: a request on a dying connection is unclear."""


class HttpxEngine:
    """One transport for each connection in use, the last used first.

    httpx scans its pool for every request, and asks its client for cookies, proxies and redirects that are
    not wanted here; a stack of pools of one connection has nothing to scan. Proxies are not supported.
    transport: makes one; a test hands in `httpx.MockTransport`.
    """

    def __init__(
        self,
        *,
        transport: Callable[[], httpx.AsyncBaseTransport] | None = None,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self._make = transport or self._plain
        self._trust = trust
        self._idle: dict[tuple[str, str, int], list[httpx.AsyncBaseTransport]] = {}
        self._closed = False

    async def send(self, sending: Sending) -> "HttpxAnswer":
        """See `http.Engine`."""
        where = origin(sending.url)
        idle = self._idle.setdefault(where, [])
        transport = idle.pop() if idle else self._make()
        failure: LinkFailure | None = None
        try:
            async with asyncio.timeout(None) as deadline:
                response = await transport.handle_async_request(_request(sending, deadline))
        except httpx.TransportError as error:
            failure = _failure(error)
        except TimeoutError:
            failure = LinkFailure("no answer in time", "exchange")
        except BaseException:
            await transport.aclose()
            raise
        if failure is not None:  # raised here, so that it drags no request with its headers along
            await transport.aclose()
            raise failure
        return HttpxAnswer(response, lambda whole: self._give_back(where, transport, whole))

    async def close(self) -> None:
        """See `http.Engine`."""
        self._closed = True
        for idle in self._idle.values():
            while idle:
                await idle.pop().aclose()

    async def _give_back(
        self, where: tuple[str, str, int], transport: httpx.AsyncBaseTransport, whole: bool
    ) -> None:
        if whole and not self._closed:
            self._idle[where].append(transport)
        else:
            await transport.aclose()

    def _plain(self) -> httpx.AsyncBaseTransport:
        if self._trust is None:
            self._trust = trusted()
        limits = httpx.Limits(
            max_connections=1, max_keepalive_connections=1, keepalive_expiry=_IDLE_CONNECTION_S
        )
        return httpx.AsyncHTTPTransport(verify=self._trust, limits=limits, trust_env=False)


class HttpxAnswer:
    """See `http.Answer`."""

    def __init__(self, response: httpx.Response, done: Callable[[bool], Any]) -> None:
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers
        self._response = response
        assert isinstance(response.stream, httpx.AsyncByteStream)
        self._chunks = aiter(response.stream)
        self._done: Callable[[bool], Any] | None = done
        self._whole = False

    async def piece(self) -> bytes:
        """See `http.Answer`."""
        failure: LinkFailure | None = None
        try:
            async for chunk in self._chunks:
                if chunk:
                    return chunk
        except httpx.TransportError as error:
            failure = _failure(error, within_body=True)
        if failure is not None:
            raise failure
        self._whole = True
        return b""

    async def close(self) -> None:
        """See `http.Answer`."""
        done, self._done = self._done, None
        if done is None:
            return
        try:
            await self._response.aclose()
        except httpx.TransportError:
            self._whole = False
        await done(self._whole)


class _Body(httpx.AsyncByteStream):
    """What is sent; `ended` is called once its last byte is."""

    def __init__(self, body: bytes | AsyncIterator[bytes], ended: Callable[[], None]) -> None:
        self._body, self._ended = body, ended

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if isinstance(self._body, bytes):
            yield self._body
        else:
            async for piece in self._body:
                yield piece
        self._ended()


def _request(sending: Sending, deadline: asyncio.Timeout) -> httpx.Request:
    def ended() -> None:
        deadline.reschedule(asyncio.get_running_loop().time() + sending.answer_s)

    return httpx.Request(
        sending.method,
        sending.url,
        headers=[("Host", authority(origin(sending.url))), *sending.headers],
        stream=_Body(sending.body, ended),
        extensions={
            "timeout": {
                "connect": sending.connect_s,
                "read": sending.idle_s,
                "write": sending.idle_s,
                "pool": sending.connect_s,
            },
            "target": target(sending.url).encode("ascii"),  # httpx would clean dot segments away
        },
    )


def _failure(error: httpx.TransportError, *, within_body: bool = False) -> LinkFailure:
    untrusted = False
    cause: BaseException | None = error
    while cause is not None:
        untrusted = untrusted or isinstance(cause, ssl.SSLCertVerificationError)
        cause = cause.__cause__ or cause.__context__
    text = redact(str(error))[:300] or _SILENT.get(type(error), type(error).__name__)
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout):
        return LinkFailure(text, "connect", untrusted=untrusted)
    return LinkFailure(text, "body" if within_body else "exchange", untrusted=untrusted)


_SILENT = {
    httpx.ConnectTimeout: "no connection in time",
    httpx.ReadTimeout: "no answer in time",
    httpx.WriteTimeout: "takes no more bytes",
    httpx.ReadError: "connection broken",
    httpx.WriteError: "connection broken",
}
