"""A bucket on moto behind an engine that spoils requests; nothing waits long."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest

from runner.backends.s3.backend import S3
from runner.backends.s3.config import S3Config
from runner.backends.s3.connect import connect
from runner.model.backend import Setting
from runner.model.policy import RetryPolicy
from runner.model.units import Backoff
from runner.remote import retry
from runner.remote.http import Engine
from runner.remote.httpx_engine import HttpxEngine
from runner.remote.remote import Remote
from tests.lab import s3
from tests.lab.servers import Served, served
from tests.lab.spoilt import Spoilt

T = TypeVar("T")

_QUICK = RetryPolicy(
    calls=4, backoff=Backoff(least=timedelta(milliseconds=1), most=timedelta(milliseconds=2))
)


@dataclass
class Bucket:
    """One bucket, and what is remembered of it in a state directory. Each `use` is a run of its own.

    fields: of the configuration, beside those that every bucket has. carrier: makes the engine behind the spoilt one.
    """

    server: Served
    state: Path
    name: str = field(default_factory=s3.new_bucket)
    fields: dict[str, object] = field(default_factory=dict)
    engine: Spoilt = field(init=False)
    carrier: Callable[[], Engine] = HttpxEngine

    def use(self, act: Callable[[Remote], Awaitable[T]], *, part: int = 0) -> T:
        """Open it, do that, close it. part: bytes in a part of what is stored in parts, where not the usual."""

        async def whole() -> T:
            config = S3Config.model_validate(s3.fields(self.server, self.name) | self.fields)
            setting = Setting(remote="store", base=self.state, state=self.state, run="a-run")
            self.engine.inner = self.carrier()
            with s3.keys(self.server):
                connection = await connect(config, setting, 8, engine=self.engine)
            backend = S3(connection, config, setting.run)
            if part:
                backend._store._parts._size = part
            remote = Remote("store", backend)
            try:
                with retry.following(retry.Retry(_QUICK)):
                    return await act(remote)
            finally:
                await remote.close()

        return asyncio.run(whole())


@pytest.fixture
def bucket(tmp_path: Path) -> Bucket:
    """An empty bucket, whose server's ways are known already."""
    found = Bucket(served("moto"), tmp_path / "state")
    found.engine = Spoilt(HttpxEngine())

    async def make(remote: Remote) -> None:
        await remote.mkdirs("")
        await remote.backend._ready(found.name)  # type: ignore[attr-defined]

    found.use(make)
    found.engine.spoil()
    return found
