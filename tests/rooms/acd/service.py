"""A drive that answers as a test tells it, and remembers what it was asked."""

import asyncio
import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import httpx

from runner.backends.acd.answers import classify
from runner.backends.acd.backend import Acd
from runner.backends.acd.connect import Connection
from runner.backends.acd.servers import Server, server
from runner.backends.acd.wire import AcdWire
from runner.model.policy import RetryPolicy
from runner.model.units import Backoff
from runner.remote import retry
from runner.remote.httpx_engine import HttpxEngine
from runner.remote.retry import Retry
from runner.remote.throttle import Throttle
from runner.remote.wire import Wire

BASE = "http://127.0.0.1:1"
ROOT = "RRRRRRRRRRRRRRRRRRRRRR"
QUICK = RetryPolicy(calls=2, backoff=Backoff(timedelta(0), timedelta(0)))
MD5_HELLO = "5d41402abc4b2a76b9719d911017c592"

Answer = Callable[[httpx.Request], Any]


def node(node_id: str, name: str = "", **more: Any) -> dict[str, Any]:
    """A node as the service writes it: a file that holds "hello", in the root."""
    folder = more.get("kind") == "FOLDER"
    content = {} if folder else {"contentProperties": {"size": 5, "md5": MD5_HELLO, "version": 1}}
    fixed = {"id": node_id, "kind": "FILE", "version": 1, "parents": [ROOT], "status": "AVAILABLE"}
    return {**fixed, **({"name": name} if name else {}), **content, **more}


def page(*nodes: Any, **more: Any) -> dict[str, Any]:
    """One page of a listing, and the whole of it unless told otherwise."""
    return {"count": len(nodes), "data": list(nodes), **more}


def error(status: int, message: str = "", **more: Any) -> httpx.Response:
    """An error in the service's own form."""
    return httpx.Response(status, json={"logref": "b0c1", "message": message, "code": "", **more})


def taken(node_id: str) -> httpx.Response:
    """409: the name belongs to this node."""
    return error(
        409, "Node with the name x already exists", code="NAME_ALREADY_EXISTS", info={"nodeId": node_id}
    )


class Service:
    """rules: (method, pattern of the path below the base, answer or list of answers one after the other).

    An answer is JSON, a response, an exception, or a function of the request. The first rule that fits and
    still has an answer is taken; discovery and the root are known already.
    """

    def __init__(self, *rules: tuple[str, str, Any]) -> None:
        self.rules = [(method, re.compile(path), answer) for method, path, answer in rules]
        self.asked: list[str] = []
        self.requests: list[httpx.Request] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        path = request.url.path.removeprefix("/drive/v1/").lstrip("/")
        filters = parse_qs(request.url.query.decode()).get("filters", [""])[0]
        if path == "account/endpoint":
            return httpx.Response(
                200, json={"metadataUrl": f"{BASE}/drive/v1", "contentUrl": f"{BASE}/cdproxy/"}
            )
        if "isRoot:true" in filters:
            return httpx.Response(200, json=page(node(ROOT, kind="FOLDER", isRoot=True, parents=[])))
        what = f"{path}?{filters}" if filters else path
        self.asked.append(f"{request.method} {what}")
        self.requests.append(request)
        for method, pattern, answer in self.rules:
            if request.method == method and pattern.search(what) and answer != []:
                return self._answer(answer.pop(0) if isinstance(answer, list) else answer, request)
        raise AssertionError(f"not foreseen: {request.method} {what}")

    def _answer(self, answer: Any, request: httpx.Request) -> httpx.Response:
        if callable(answer):
            answer = answer(request)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, httpx.Response):
            length = {"Content-Length": str(len(answer.content))}
            return httpx.Response(
                answer.status_code, headers={**answer.headers, **length}, content=answer.content
            )
        return httpx.Response(200, json=answer)

    def verbs(self) -> list[str]:
        """Method and path of each request, without filters."""
        return [asked.partition("?")[0] for asked in self.asked]


class Naps:
    """A sleep that only counts."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        await asyncio.sleep(0)


def wire(service: Answer, place: Server | None = None) -> AcdWire:
    """A wire to the service; nobody asks for a token."""
    engine = HttpxEngine(transport=lambda: httpx.MockTransport(service))
    line = Wire(engine, Throttle(concurrency=16), classify, remote="cloud")
    return AcdWire(line, place or server(BASE))


def drive(service: Answer, *, naps: Naps | None = None, root: str = "") -> Acd:
    """The backend in front of the service."""
    line = wire(service)
    return Acd(Connection(line, HttpxEngine(), sleep=naps or Naps()), root)


def run(work: Any) -> Any:
    """Run to the end, with at most two tries of a request and no wait in between."""

    async def whole() -> Any:
        with retry.following(Retry(QUICK)):
            return await work

    return asyncio.run(asyncio.wait_for(whole(), 20))


async def listed(backend: Acd, folder: str = "") -> list[str]:
    """The names in a folder."""
    return [node.name async for page in backend.list(folder) for node in page]


def name_of(request: httpx.Request) -> str:
    """The name in the metadata part of an upload."""
    metadata = re.search(rb"\{.*?\}\r\n", request.content)
    assert metadata is not None
    return str(json.loads(metadata[0])["name"])
