"""From a configuration to a wire that is ready to be used."""

import os
import re
from dataclasses import dataclass
from hashlib import sha256

from runner.backends.gcs.answers import classify
from runner.backends.gcs.config import GcsConfig
from runner.backends.gcs.credentials import asker
from runner.backends.gcs.login import EMULATOR
from runner.backends.gcs.wire import GOOGLE, GcsWire
from runner.model.backend import Setting
from runner.remote import oauth
from runner.remote.engines import open_engine
from runner.remote.http import Engine
from runner.remote.throttle import Throttle, most_connections
from runner.remote.wire import Wire
from runner.state.heads import Heads


@dataclass(slots=True)
class Connection:
    """The wire, and where uploads are remembered that were cut off.

    place: the service, as memories name it; copies: see `Capabilities`.
    """

    wire: GcsWire
    engine: Engine
    heads: Heads
    place: str
    copies: str

    async def close(self) -> None:
        """Let go of connections. Safe to call twice."""
        try:
            await self.engine.close()
        finally:
            self.heads.close()


async def connect(
    config: GcsConfig, setting: Setting, concurrency: int, *, engine: Engine | None = None
) -> Connection:
    """Find out who asks; contact nobody. Raises LoginNeeded, Denied."""
    limits = config.limits
    throttle = Throttle(
        concurrency=most_connections() if limits.concurrency == "auto" else limits.concurrency,
        first=concurrency if limits.concurrency == "auto" else None,
        requests_per_s=limits.requests_per_s,
        bandwidth=limits.bandwidth,
    )
    endpoint, emulated = address(config)
    engine = engine or open_engine()
    try:
        # A throttle of its own: a request that waits for a token holds a place of the other.
        to_tokens = Wire(engine, Throttle(concurrency=1), oauth.classify, remote=setting.remote)
        who = await asker(config, setting, to_tokens, emulated=emulated)
        wire = Wire(
            engine, throttle, classify, remote=setting.remote, authoriser=who.authoriser, redirected=classify
        )
        heads = Heads(setting.state / "gcs" / "heads.db")
    except BaseException:
        await engine.close()
        raise
    same = sha256(f"{endpoint} {who.name} {config.user_project}".encode()).hexdigest()[:16]
    return Connection(GcsWire(wire, endpoint, config.user_project), engine, heads, endpoint, f"gcs {same}")


def address(config: GcsConfig) -> tuple[str, bool]:
    """Scheme and host of the service, and whether it is an emulator that the environment names."""
    named = config.endpoint
    from_environment = os.environ.get(EMULATOR, "") if not named else ""
    if from_environment:
        named = from_environment if "://" in from_environment else f"http://{from_environment}"
    return re.sub(r"(/storage/v1)?/?$", "", named) or GOOGLE, bool(from_environment)
