"""The words of the wire: what is asked, what is answered, and what an engine owes.

An engine sends one request and gives back one answer. It follows no redirect, decodes nothing, cleans no
path, verifies TLS always, and keeps each phase to its time. Everything else is `wire.Wire`'s.
"""

import email.utils
import ipaddress
import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple, Protocol, runtime_checkable

from runner.model.errors import AcdrunError, BadAnswer

JSON_LIMIT = 64 << 20
"""Most bytes of an answer that is held in memory."""

Origin = tuple[str, str, int]
"""Scheme, host and port."""

_URL = re.compile(r"(https?)://([^/?#]+)([/?][\x21-\x7e]*)?", re.ASCII)
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Stream:
    """A body that is sent piece by piece. open: yields it anew from the first byte; size: bytes in all."""

    size: int
    open: Callable[[], AsyncIterator[bytes]]


class Request(NamedTuple):
    """What is asked of a service.

    repeatable: sending it twice has the effect of sending it once.
    authorised: it carries the remote's token; never to be set for a signed URL.
    idle_s: longest silence of the service, in seconds, before the connection is given up.
    as_stored: an encoding of the answer is the stored content's own, whose bytes are wanted as they are.
    """

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | Stream = b""
    repeatable: bool = True
    authorised: bool = True
    idle_s: float = 60.0
    as_stored: bool = False


class Reply(NamedTuple):
    """A whole answer. headers: names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Sending(NamedTuple):
    """What an engine sends: every header there is, the body's length among them.

    connect_s: longest time to a connection. idle_s: longest silence of the service. answer_s: longest time from
    the last byte sent to the end of the answer's headers, for a server that sends one byte a minute is never silent.
    """

    method: str
    url: str
    headers: list[tuple[str, str]]
    body: bytes | AsyncIterator[bytes]
    connect_s: float
    idle_s: float
    answer_s: float = 160.0


class LinkFailure(Exception):
    """The connection failed. Its text names no header and no query.

    phase: "connect" when not a byte of the request can have been sent; "exchange" before the answer's
        headers were complete; "body" within the answer's body.
    untrusted: the server's certificate was refused.
    """

    def __init__(
        self, text: str, phase: Literal["connect", "exchange", "body"], *, untrusted: bool = False
    ) -> None:
        super().__init__(text)
        self.phase = phase
        self.untrusted = untrusted


class Answer(Protocol):
    """An answer whose headers have come. headers: names in lower case."""

    status: int
    headers: Mapping[str, str]

    async def piece(self) -> bytes:
        """The next bytes of the body as sent, b"" at its end. Raises LinkFailure when that is not the declared one."""

    async def close(self) -> None:
        """Let the connection go; one whose body was not read to its end is closed."""


class Engine(Protocol):
    """Sends requests, as many at once as it is asked to."""

    async def send(self, sending: Sending) -> Answer:
        """Send, and wait for the answer's headers. Raises LinkFailure, or what the body's source raises."""

    async def close(self) -> None:
        """Close every connection."""


class LateAnswer(Answer, Protocol):
    """An answer that was waited for by nobody. whole: it has come to its end; else it never will."""

    whole: bool

    def taken(self) -> bytes:
        """The body, as far as it came. The connection is let go, as by `close`."""


@runtime_checkable
class Posting(Protocol):
    """An engine that sends without a task that waits for the answer, at a part of what that costs."""

    def post(
        self, sending: Sending, most: int, told: Callable[[LateAnswer], None]
    ) -> Callable[[], None] | None:
        """Send a request whose body is bytes; its answer, with at most `most` bytes, or its failure is told later.

        Returns what gives it up, and has it told at once. None where there is no connection that is free.
        """

    async def connect(self, sending: Sending) -> None:
        """Have one more connection for such a request. Raises LinkFailure."""


Classify = Callable[[Request, Reply], AcdrunError | None]
"""A service's own reading of an answer: the error it stands for, or None when it is one of success.

Asked for every status but 2xx, with as much of the body as came."""


class TokenExpired(AcdrunError):
    """The service refused the access token; the wire renews it and asks once more."""


def origin(url: str) -> Origin:
    """Scheme, host and port. Raises BadAnswer for what is no plain URL, and for http:// beyond this machine.

    Source: reliability.md §7, `http://` only to loopback.
    """
    return addressed(url)[0]


def target(url: str) -> str:
    """What stands in a request's first line: all from the path on, with nothing cleaned. See `origin` for errors."""
    return addressed(url)[1]


def addressed(url: str) -> tuple[Origin, str]:
    """The origin and the target of a URL at once."""
    match = _URL.fullmatch(url)
    if match is None:
        raise BadAnswer(f"no address that can be asked: {show_url(url)!r}")
    scheme, host, rest = match.groups()
    if rest is None or rest[0] != "/":
        rest = "/" + (rest or "")
    return _origin(scheme, host), rest


@lru_cache(maxsize=256)
def _origin(scheme: str, authority: str) -> Origin:
    match = _AUTHORITY.fullmatch(authority)
    port = int(match[2] or (443 if scheme == "https" else 80)) if match else 0
    if match is None or not 0 < port < 65536:
        raise BadAnswer("an address with a host or port that cannot be asked")
    host = match[1].lower()
    if scheme == "http" and not loopback(host):
        raise BadAnswer(
            f"refused to speak to {host!r} without encryption",
            hint="use https://; http:// is for this machine",
        )
    return scheme, host, port


@lru_cache(maxsize=256)
def authority(where: Origin) -> str:
    """What `Host` says of an origin."""
    scheme, host, port = where
    return host if port == (443 if scheme == "https" else 80) else f"{host}:{port}"


def loopback(host: str) -> bool:
    """Is this host this machine itself?"""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def show_url(url: str) -> str:
    """The address as a message may show it: no query, no user, not long."""
    bare = re.sub(r"//[^/@]*@", "//", url.partition("?")[0].partition("#")[0])
    return bare[:200].encode("ascii", "backslashreplace").decode()


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that `Retry-After` asks for, from its number or its date; None when it is absent or unreadable.

    now: seconds since 1970. Source: RFC 9110 section 10.2.3.
    """
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", value, re.ASCII):
        return float(value)
    if not value or len(value) > 64:
        return None
    try:
        instant = email.utils.parsedate_to_datetime(value).timestamp()
    except (ValueError, OverflowError):
        return None
    return max(0.0, instant - now)


def proves_its_end(method: str, status: int, headers: Mapping[str, str]) -> bool:
    """Does this answer say where it ends? One that only stops might have been cut off.

    Source: reliability.md §7, response bodies.
    """
    if method == "HEAD" or status in (204, 304):
        return True
    return "content-length" in headers or "chunked" in headers.get("transfer-encoding", "").lower()
