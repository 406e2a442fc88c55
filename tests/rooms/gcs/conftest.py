"""A bucket on a strict service of its own behind an engine that spoils requests; nothing waits long."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest

from runner.backends.gcs.backend import Gcs
from runner.backends.gcs.config import GcsConfig
from runner.backends.gcs.connect import connect
from runner.model.backend import Setting
from runner.model.policy import RetryPolicy
from runner.model.units import Backoff
from runner.remote import retry
from runner.remote.httpx_engine import HttpxEngine
from runner.remote.remote import Remote
from tests.lab import gcs
from tests.lab.gcs_server import serving
from tests.lab.gcs_service import Bucket as Held
from tests.lab.gcs_service import Service
from tests.lab.spoilt import Spoilt

T = TypeVar("T")

_QUICK = RetryPolicy(
    calls=4, backoff=Backoff(least=timedelta(milliseconds=1), most=timedelta(milliseconds=2))
)


@dataclass
class Bucket:
    """One bucket, and what is remembered of it in a state directory. Each `use` is a run of its own.

    fields: of the configuration, beside those that every bucket has.
    """

    service: Service
    state: Path
    name: str = "shelf"
    fields: dict[str, object] = field(default_factory=dict)
    engine: Spoilt = field(init=False)

    @property
    def held(self) -> Held:
        """What the service holds."""
        return self.service.buckets[self.name]

    def use(self, act: Callable[[Remote], Awaitable[T]], *, part: int = 0, name: str = "store") -> T:
        """Open it, do that, close it. part: bytes in a part of what is sent in parts, where not the usual."""

        async def whole() -> T:
            config = GcsConfig.model_validate(gcs.fields(self.service.url, self.name) | self.fields)
            setting = Setting(remote=name, base=self.state, state=self.state, run="a-run")
            self.engine.inner = HttpxEngine()
            connection = await connect(config, setting, 8, engine=self.engine)
            backend = Gcs(connection, config, setting.run)
            if part:
                backend._store.uploads._size = part
            remote = Remote(name, backend)
            try:
                with retry.following(retry.Retry(_QUICK)):
                    return await act(remote)
            finally:
                await remote.close()

        return asyncio.run(whole())


@pytest.fixture
def bucket(tmp_path: Path) -> Iterator[Bucket]:
    """An empty bucket that keeps nothing of what is removed."""
    with serving() as service:
        service.make("shelf")
        found = Bucket(service, tmp_path / "state")
        found.engine = Spoilt(HttpxEngine())
        yield found
