"""From a configuration to a wire that is ready to be used."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from runner.backends.acd.answers import classify
from runner.backends.acd.config import AcdConfig
from runner.backends.acd.embedded import Embedded
from runner.backends.acd.servers import ANY_CLIENT, server
from runner.backends.acd.store import SETTLE_S
from runner.backends.acd.wire import AcdWire
from runner.model.backend import Setting
from runner.model.secret import Reference, Secret
from runner.remote import oauth
from runner.remote.engines import open_engine
from runner.remote.http import Engine
from runner.remote.secrets import resolve
from runner.remote.throttle import Throttle, most_connections
from runner.remote.tokens import Token, TokenStore
from runner.remote.wire import Trace, Wire


@dataclass(slots=True)
class Connection:
    """The wire, and what has to be let go of with it. settle_s, sleep: see `store.Store`."""

    wire: AcdWire
    engine: Engine
    embedded: Embedded | None = None
    settle_s: float = SETTLE_S
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def close(self) -> None:
        """Close connections first, then the server. Safe to call twice."""
        try:
            await self.engine.close()
        finally:
            if self.embedded is not None:
                await self.embedded.close()


async def connect(
    config: AcdConfig,
    setting: Setting,
    concurrency: int,
    *,
    engine: Engine | None = None,
    trace: Callable[[Trace], None] | None = None,
) -> Connection:
    """Resolve the secrets, start the embedded server where one is asked for; contact nobody."""
    remote, limits = setting.remote, config.limits
    embedded = await Embedded.start(setting.state, remote) if config.server == "embedded" else None
    try:
        engine = engine or open_engine()
        place = server(embedded.url if embedded is not None else config.server)
        throttle = Throttle(
            concurrency=most_connections() if limits.concurrency == "auto" else limits.concurrency,
            first=concurrency if limits.concurrency == "auto" else None,
            requests_per_s=limits.requests_per_s,
            bandwidth=limits.bandwidth,
        )
        # A throttle of its own: a request that waits for a token holds a place of the other.
        to_tokens = Wire(engine, Throttle(concurrency=1), oauth.classify, remote=remote, trace=trace)
        configured = await _secret(config.auth.token) if embedded is None else None
        seed = Token.parse(configured.reveal(), "the configured token") if configured is not None else None
        authoriser = oauth.OAuth(
            to_tokens,
            config.auth.token_url or place.token_url,
            store=TokenStore(setting.state, remote) if embedded is None else None,
            seed=seed if embedded is None else embedded.token,
            client_id=await _secret(config.auth.client_id) or (Secret(ANY_CLIENT) if place.own else None),
            client_secret=await _secret(config.auth.client_secret),
        )
        wire = Wire(engine, throttle, classify, remote=remote, authoriser=authoriser, trace=trace)
    except BaseException:
        if embedded is not None:
            await embedded.close()
        raise
    cache = setting.state / "acd" / f"{remote}.endpoints.json"
    return Connection(AcdWire(wire, place, cache), engine, embedded)


async def _secret(reference: Reference | None) -> Secret | None:
    return await asyncio.to_thread(resolve, reference) if reference is not None else None
