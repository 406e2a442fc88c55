"""From a configuration to a wire that is ready to be used."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from runner.backends.s3.answers import classify
from runner.backends.s3.config import S3Config
from runner.backends.s3.credentials import credentials
from runner.backends.s3.sign import Keys
from runner.backends.s3.wire import S3Wire
from runner.model.backend import Setting
from runner.remote.engines import open_engine
from runner.remote.http import Engine
from runner.remote.throttle import Throttle, most_connections
from runner.remote.wire import Wire
from runner.state.heads import Heads


@dataclass(slots=True)
class Connection:
    """The wire, what is remembered of objects, and where it is remembered what the server makes of preconditions.

    place: the service, as memories name it; owner: whose keys sign, without telling them.
    """

    wire: S3Wire
    engine: Engine
    heads: Heads
    place: str
    owner: str
    folder: Path

    def memory(self, bucket: str) -> Path:
        """The file with what was found out about a bucket's server."""
        name = hashlib.sha256(f"{self.place}/{bucket}".encode()).hexdigest()[:24]
        return self.folder / f"{name}.json"

    async def close(self) -> None:
        """Let go of connections and write down what was learnt. Safe to call twice."""
        try:
            await self.engine.close()
        finally:
            self.heads.close()


async def connect(
    config: S3Config, setting: Setting, concurrency: int, *, engine: Engine | None = None
) -> Connection:
    """Find the keys; contact nobody. Raises LoginNeeded, Denied."""
    limits = config.limits
    keys, region = await credentials(config)
    throttle = Throttle(
        concurrency=most_connections() if limits.concurrency == "auto" else limits.concurrency,
        first=concurrency if limits.concurrency == "auto" else None,
        requests_per_s=limits.requests_per_s,
        bandwidth=limits.bandwidth,
    )
    engine = engine or open_engine()
    wire = Wire(engine, throttle, classify, remote=setting.remote, redirected=classify)

    async def renew() -> Keys:
        return (await credentials(config))[0]

    s3 = S3Wire(wire, config, keys, region, renew=renew)
    folder = setting.state / "s3"
    owner = hashlib.sha256(keys.id.encode()).hexdigest()[:16]
    return Connection(s3, engine, Heads(folder / "heads.db"), s3.endpoint, owner, folder)
