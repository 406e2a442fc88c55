"""The fast engine: connections of asyncio's own, answers read by llhttp."""

import asyncio
import os
import socket
import ssl
from collections.abc import Callable
from typing import Any

from runner.remote.http import LinkFailure, Origin, Sending, addressed, authority, loopback
from runner.remote.link import Link, LinkAnswer
from runner.remote.secrets import redact
from runner.remote.trust import trusted

_IDLE_CONNECTION_S = 4.0
"""Shorter than the 5 s after which common servers close: a request on a dying connection is unclear."""

_FRESH_S = 0.05
"""What was in use so shortly ago needs no look at whether the service has closed it."""

_BUFFER = 1 << 18
"""Most bytes that are read at once."""

_SECOND_ADDRESS_S = 0.25
"""A host's next address is tried when the one before has been silent for so long. Source: RFC 8305 section 5."""


class FastEngine:
    """Keeps connections that are idle, the last used first; makes another when there is none.

    No request is ever sent twice. Proxies are not supported.
    """

    def __init__(self, *, trust: ssl.SSLContext | None = None) -> None:
        self._trust = trust
        self._idle: dict[Origin, list[Link]] = {}
        self._links: set[Link] = set()
        self._closed = False
        self._buffer = memoryview(bytearray(_BUFFER))

    async def send(self, sending: Sending) -> LinkAnswer:
        """See `http.Engine`."""
        where, target = addressed(sending.url)
        head = _head(sending, where, target)
        link = self._at_hand(where) or await self._connect(where, sending.connect_s)
        try:
            return await link.ask(sending, head)
        except BaseException:
            link.fail("let go of")
            raise

    def post(
        self, sending: Sending, most: int, told: Callable[[LinkAnswer], None]
    ) -> Callable[[], None] | None:
        """See `http.Posting`."""
        assert isinstance(sending.body, bytes)
        where, target = addressed(sending.url)
        link = self._at_hand(where)
        if link is None:
            return None
        return link.post(sending, _head(sending, where, target) + sending.body, most, told)

    async def connect(self, sending: Sending) -> None:
        """See `http.Posting`."""
        where, _ = addressed(sending.url)
        if self._closed:
            raise LinkFailure("the engine was closed", "connect")
        link = await self._connect(where, sending.connect_s)
        link.since = asyncio.get_running_loop().time()
        self._ended(where, link)

    async def close(self) -> None:
        """See `http.Engine`."""
        self._closed = True
        self._idle.clear()
        for link in list(self._links):
            link.fail("the engine was closed")
        for _ in range(100):  # until the loop has closed the sockets
            if self._links:
                await asyncio.sleep(0)

    def _at_hand(self, where: Origin) -> Link | None:
        idle = self._idle.get(where)
        while idle:
            link = idle.pop()
            age = asyncio.get_running_loop().time() - link.since
            if link.open and age < _IDLE_CONNECTION_S and (age < _FRESH_S or link.silent()):
                return link
            link.close()
        return None

    async def _connect(self, where: Origin, connect_s: float) -> Link:
        scheme, host, port = where
        name = host.strip("[]")
        loop = asyncio.get_running_loop()
        link = Link(loop, self._buffer, lambda link: self._ended(where, link))
        failure: LinkFailure
        try:
            async with asyncio.timeout(connect_s):
                if scheme == "https" and self._trust is None:
                    self._trust = trusted()
                race = isinstance(loop, asyncio.BaseEventLoop) and not loopback(name)  # uvloop knows no race
                more: dict[str, Any] = {"happy_eyeballs_delay": _SECOND_ADDRESS_S} if race else {}
                trust = self._trust if scheme == "https" else None
                await loop.create_connection(lambda: link, name, port, ssl=trust, **more)
        except TimeoutError:
            failure = LinkFailure("no connection in time", "connect")
        except OSError as error:  # a refused certificate is one, too
            untrusted = isinstance(error, ssl.SSLCertVerificationError)
            failure = LinkFailure(redact(_reason(error))[:300], "connect", untrusted=untrusted)
        else:
            self._links.add(link)
            return link
        raise failure

    def _ended(self, where: Origin, link: Link) -> None:
        if not link.open:
            self._links.discard(link)
        elif self._closed:
            link.close()
        else:
            idle = self._idle.setdefault(where, [])
            while idle and link.since - idle[0].since > _IDLE_CONNECTION_S:
                idle.pop(0).close()
            idle.append(link)


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, ssl.SSLError | socket.gaierror) or not error.errno:
        return error.strerror or str(error) or type(error).__name__
    return os.strerror(error.errno).lower()  # its own text repeats the address


def _head(sending: Sending, where: Origin, target: str) -> bytes:
    """The request up to its body. Raises LinkFailure for one that would not be what it seems."""
    lines = [
        f"{sending.method} {target} HTTP/1.1",
        f"Host: {authority(where)}",
        *map(": ".join, sending.headers),
    ]
    text = "\r\n".join(lines)
    ends = len(lines) - 1
    if not text.isascii() or text.count("\n") != ends or text.count("\r") != ends or "\0" in text:
        raise LinkFailure("a header that cannot be sent", "connect")
    return text.encode("ascii") + b"\r\n\r\n"
