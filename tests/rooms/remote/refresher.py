"""A process that needs a token: `python -m tests.rooms.remote.refresher STATE TOKEN_URL`; prints it."""

import asyncio
import sys
from pathlib import Path

from runner.remote.httpx_engine import HttpxEngine
from runner.remote.oauth import OAuth, classify
from runner.remote.throttle import Throttle
from runner.remote.tokens import TokenStore
from runner.remote.wire import Wire


async def main() -> None:
    wire = Wire(HttpxEngine(), Throttle(concurrency=1), classify, remote="cloud")
    oauth = OAuth(wire, sys.argv[2], store=TokenStore(Path(sys.argv[1]), "cloud"))
    print(sorted(set(await asyncio.gather(*[oauth.bearer() for _ in range(10)]))))


asyncio.run(main())
