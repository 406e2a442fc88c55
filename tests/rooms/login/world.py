"""A browser that speaks raw bytes, and a token endpoint that is a function."""

import asyncio
import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx

from runner.model.secret import Secret
from runner.remote.httpx_engine import HttpxEngine
from runner.remote.login import Client, Provider

STATE = "state-that-nobody-can-guess-0123456789abcdef"
CLIENT = Client(Secret("client-id"), Secret("client-secret-canary"))
PROVIDER = Provider(
    auth_url="http://127.0.0.1:1/ap/oa",
    token_url="http://127.0.0.1:1/auth/o2/token",
    scope="clouddrive:read_all clouddrive:write",
)
ANSWER = {
    "access_token": "Atza|access",
    "refresh_token": "Atzr|refresh",
    "token_type": "bearer",
    "expires_in": 3600,
}


def get(target: str, host: str, *, method: str = "GET", more: str = "") -> bytes:
    """A request as a browser sends it."""
    return f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n".encode()


async def send(port: int, request: bytes, address: str = "127.0.0.1") -> str:
    """Everything that comes back until the other side closes."""
    reader, writer = await asyncio.open_connection(address, port)
    writer.write(request)
    try:
        return (await reader.read()).decode()
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def listens(port: int, address: str = "127.0.0.1") -> bool:
    """Does anybody listen there?"""
    try:
        _, writer = await asyncio.open_connection(address, port)
    except OSError:
        return False
    writer.close()
    return True


@dataclass
class Person:
    """Goes to the link at once and comes back with `brings`, made from what the link asked for."""

    brings: Callable[[dict[str, str]], dict[str, str]]
    asked: dict[str, str] = field(default_factory=dict)
    page: str = ""
    _walk: "asyncio.Task[None] | None" = None

    def begin(self, url: str) -> None:
        """What `log_in` is given to call."""
        self.asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        self._walk = asyncio.ensure_future(self._come_back())

    async def _come_back(self) -> None:
        back = urlsplit(self.asked["redirect_uri"])
        assert back.port is not None
        query = urlencode(self.brings(self.asked))
        self.page = await send(back.port, get(f"/?{query}", back.netloc))


def allows(asked: dict[str, str]) -> dict[str, str]:
    """What a consent page sends back when it was given consent."""
    return {"code": "code-canary-123456", "scope": asked["scope"], "state": asked["state"]}


@dataclass
class Endpoint:
    """The token endpoint. requests: the forms it was sent, in their order."""

    status: int = 200
    body: dict[str, object] = field(default_factory=lambda: dict(ANSWER))
    headers: dict[str, str] = field(default_factory=dict)
    requests: list[dict[str, str]] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        form = parse_qs(request.content.decode())
        self.requests.append({name: values[0] for name, values in form.items()})
        return httpx.Response(self.status, content=json.dumps(self.body).encode(), headers=self.headers)

    @property
    def engine(self) -> HttpxEngine:
        """The way to it."""
        return HttpxEngine(transport=lambda: httpx.MockTransport(self))
