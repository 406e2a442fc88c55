"""A container on a real Swift behind an engine that spoils requests; nothing waits long."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest

from runner.backends.swift.backend import Swift
from runner.backends.swift.config import SwiftConfig
from runner.backends.swift.connect import connect
from runner.backends.swift.nodes import Found
from runner.backends.swift.wire import Ask, Limits
from runner.model.backend import Setting
from runner.model.checksum import Checksum
from runner.model.policy import RetryPolicy
from runner.model.units import Backoff
from runner.remote import retry
from runner.remote.http import Reply
from runner.remote.httpx_engine import HttpxEngine
from runner.remote.remote import Remote
from tests.lab import openstack
from tests.lab.servers import Served, served
from tests.lab.spoilt import Spoilt

T = TypeVar("T")

_QUICK = RetryPolicy(
    calls=4, backoff=Backoff(least=timedelta(milliseconds=1), most=timedelta(milliseconds=2))
)


@dataclass
class Container:
    """One container, and what is remembered of it in a state directory. Each `use` is a run of its own.

    fields: of the configuration, beside those that every container has.
    """

    server: Served
    state: Path
    name: str = field(default_factory=openstack.new_container)
    fields: dict[str, object] = field(default_factory=dict)
    engine: Spoilt = field(init=False)

    def use(self, act: Callable[[Remote], Awaitable[T]], *, part: int = 0, most: int = 1000) -> T:
        """Open it, do that, close it. part: bytes in a segment of what is larger than that, where not the usual; most:
        segments in one manifest."""

        async def whole() -> T:
            fields = openstack.fields(self.server, self.name) | self.fields
            config = SwiftConfig.model_validate(fields)
            setting = Setting(remote="store", base=self.state, state=self.state, run="a-run")
            self.engine.inner = HttpxEngine()
            with openstack.keys(self.server):
                connection = await connect(config, setting, 8, engine=self.engine)
            backend = Swift(connection, config, setting.run)
            if part:
                backend._store._whole = backend._store.parts._size = part
            connection.wire._limits = Limits(segments=most) if part else None
            remote = Remote("store", backend)
            try:
                with retry.following(retry.Retry(_QUICK)):
                    return await act(remote)
            finally:
                await remote.close()

        return asyncio.run(whole())

    def ask(self, ask: Ask) -> Reply:
        """Say something to the service, as a stranger would."""

        async def act(remote: Remote) -> Reply:
            return await remote.backend._wire.call(ask)  # type: ignore[attr-defined,no-any-return]

        return self.use(act)

    def segments(self) -> list[Found]:
        """What is in the container's own container for segments."""
        entries = json.loads(
            self.ask(Ask("GET", f"{self.name}_segments", query={"format": "json"})).body or b"[]"
        )
        return [Found(entry["name"], entry["bytes"], entry["hash"]) for entry in entries]

    def large(self, kind: str, key: str, pieces: list[bytes]) -> None:
        """A large object as another tool makes it. kind: "slo" or "dlo"."""
        segments, above = f"{self.name}_segments", f"{key}/1.0/"
        self.ask(Ask("PUT", segments))
        entries = []
        for number, piece in enumerate(pieces):
            self.ask(Ask("PUT", segments, f"{above}{number:08}", body=piece))
            digest = Checksum.of("md5", piece).digest
            entries.append(
                {"path": f"/{segments}/{above}{number:08}", "etag": digest, "size_bytes": len(piece)}
            )
        mtime = ("x-object-meta-mtime", "1500000000.123456789")
        if kind == "slo":
            body = json.dumps(entries).encode()
            self.ask(Ask("PUT", self.name, key, {"multipart-manifest": "put"}, [mtime], body))
        else:
            self.ask(
                Ask("PUT", self.name, key, headers=[mtime, ("x-object-manifest", f"{segments}/{above}")])
            )


@pytest.fixture
def container(tmp_path: Path) -> Container:
    """An empty container."""
    found = Container(served("swift"), tmp_path / "state")
    found.engine = Spoilt(HttpxEngine())

    async def make(remote: Remote) -> None:
        await remote.mkdirs("")

    found.use(make)
    found.engine.spoil()
    return found
