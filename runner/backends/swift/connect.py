"""From a configuration to a wire that is ready to be used."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from runner.backends.swift import session
from runner.backends.swift.answers import classify
from runner.backends.swift.config import SwiftConfig
from runner.backends.swift.credentials import account
from runner.backends.swift.session import Session
from runner.backends.swift.wire import SwiftWire
from runner.model.backend import Setting
from runner.model.errors import UsageError
from runner.remote.engines import open_engine
from runner.remote.http import Engine
from runner.remote.throttle import Throttle, most_connections
from runner.remote.wire import Wire
from runner.state.heads import Heads

_LOG_IN = "is the log-in of this remote right, and may this user use this storage?"


@dataclass(slots=True)
class Connection:
    """The wire, what is remembered of objects, and where it is remembered what the server makes of preconditions.

    place: the storage, as memories name it.
    """

    wire: SwiftWire
    engine: Engine
    heads: Heads
    place: str
    folder: Path

    def memory(self, container: str) -> Path:
        """The file with what was found out about a container's server."""
        name = hashlib.sha256(f"{self.place}/{container}".encode()).hexdigest()[:24]
        return self.folder / f"{name}.precondition"

    async def close(self) -> None:
        """Let go of connections and write down what was learnt. Safe to call twice."""
        try:
            await self.engine.close()
        finally:
            self.heads.close()


async def connect(
    config: SwiftConfig, setting: Setting, concurrency: int, *, engine: Engine | None = None
) -> Connection:
    """Find out who logs in; contact nobody. Raises LoginNeeded, Denied, UsageError."""
    if config.container and config.segments == config.container:
        raise UsageError(
            "segments cannot be in the container of the files", hint="name another container, or none"
        )
    limits, found = config.limits, await account(config)
    throttle = Throttle(
        concurrency=most_connections() if limits.concurrency == "auto" else limits.concurrency,
        first=concurrency if limits.concurrency == "auto" else None,
        requests_per_s=limits.requests_per_s,
        bandwidth=limits.bandwidth,
    )
    engine = engine or open_engine()
    to_log_in = Wire(engine, Throttle(concurrency=1), session.classify, remote=setting.remote)
    log_in = Session(to_log_in, found)
    wire = Wire(
        engine,
        throttle,
        classify,
        remote=setting.remote,
        authoriser=log_in,
        token_header="X-Auth-Token",  # noqa: S106
        log_in=_LOG_IN,
    )
    folder = setting.state / "swift"
    return Connection(SwiftWire(wire, log_in), engine, Heads(folder / "heads.db"), found.place, folder)
