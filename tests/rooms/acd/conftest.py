"""An emulator in a process of its own, and the backend in front of it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from runner.backends.acd.backend import Acd
from runner.backends.acd.config import AcdConfig
from runner.backends.acd.connect import Connection, connect
from runner.backends.acd.embedded import Embedded
from runner.model.backend import Setting
from runner.model.content import Content
from runner.model.policy import RetryPolicy
from runner.model.units import Backoff
from runner.remote import retry
from runner.remote.retry import Retry
from runner.remote.tokens import TokenStore
from runner.remote.wire import Trace

POLICY = RetryPolicy(
    calls=4,
    backoff=Backoff(timedelta(milliseconds=10), timedelta(milliseconds=50)),
    budget=timedelta(seconds=20),
)
UPLOADS = {"method": "POST", "path": "/cdproxy/nodes"}
LISTINGS = {"method": "GET", "path": "/drive/v1/nodes"}


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    server = asyncio.run(Embedded.start(tmp_path_factory.mktemp("state"), "drive"))
    yield server
    asyncio.run(server.close())


class Drive:
    """The backend, in a folder of its own; traces: what it asked; faults: rules for the emulator."""

    def __init__(self, backend: Acd, connection: Connection, traces: list[Trace], url: str) -> None:
        self.backend = backend
        self.connection = connection
        self.traces = traces
        self.url = url

    def verbs(self) -> list[str]:
        return [f"{trace.method} {trace.url.removeprefix(self.url)}" for trace in self.traces]


Work = Callable[[Drive], Awaitable[Any]]


@pytest.fixture
def do(emulator: Embedded, tmp_path: Path, request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Do the work on an empty drive, with these faults in force."""

    def run(work: Work, *faults: dict[str, Any], settle_s: float = 0.5) -> Any:
        async def whole() -> Any:
            name = f"{request.node.name[:60]}-{time.monotonic_ns()}"
            TokenStore(tmp_path, "cloud").save(emulator.token)
            config = AcdConfig(type="acd", server=emulator.url)
            traces: list[Trace] = []
            connection = await connect(
                config, Setting("cloud", tmp_path, tmp_path, "run"), 16, trace=traces.append
            )
            connection.settle_s = settle_s
            backend = Acd(connection, name)
            try:
                with retry.following(Retry(POLICY)):
                    await backend.mkdir("")
                    traces.clear()
                    _admin(emulator, "POST", list(faults))
                    return await work(Drive(backend, connection, traces, emulator.url))
            finally:
                _admin(emulator, "DELETE")
                await backend.close()

        return asyncio.run(asyncio.wait_for(whole(), 30))

    return run


def _admin(emulator: Embedded, method: str, rules: list[dict[str, Any]] | None = None) -> None:
    token = {"Authorization": "Bearer " + emulator.token.access.reveal()}
    answer = httpx.request(method, emulator.url + "admin/faults", json=rules, headers=token)
    assert answer.status_code < 300, answer.text


async def text(backend: Acd, path: str) -> bytes:
    return b"".join([chunk async for chunk in backend.read(path)])


async def names(backend: Acd, folder: str = "") -> list[str]:
    return sorted([node.name async for page in backend.list(folder) for node in page])


def of(data: bytes) -> Content:
    return Content.of(data)
