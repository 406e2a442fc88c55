"""A process that needs a token and dies at one point of keeping it.

`python -m tests.rooms.remote.killed_renewal STATE TOKEN_URL POINT`; prints the bearer when it lives.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runner.remote import oauth
from runner.remote.httpx_engine import HttpxEngine
from runner.remote.oauth import OAuth
from runner.remote.throttle import Throttle
from runner.remote.tokens import TokenStore
from runner.remote.wire import Wire

POINTS = ("received", "opened", "written", "synced", "renamed", "kept", "never")
"""In the order in which they come: the answer is here; its file is made, written, on the disk, in place."""


def dying(call: Callable[..., Any], *, before: bool = False) -> Callable[..., Any]:
    """The same call, at the end of which, or before which, the process is gone."""

    def die(*args: Any, **more: Any) -> Any:
        result = None if before else call(*args, **more)
        os.kill(os.getpid(), signal.SIGKILL)
        return result

    return die


def prepare(point: str) -> None:
    """Let the process die there."""
    match point:
        case "received":
            oauth.granted = dying(oauth.granted)
        case "opened":
            os.fdopen = dying(os.fdopen, before=True)
        case "written":
            os.fsync = dying(os.fsync, before=True)
        case "synced":
            os.fsync = dying(os.fsync)
        case "renamed":
            os.rename = dying(os.rename)
        case "kept":
            TokenStore.save = dying(TokenStore.save)  # type: ignore[method-assign]


async def main() -> None:
    wire = Wire(HttpxEngine(), Throttle(concurrency=1), oauth.classify, remote="cloud")
    mine = OAuth(wire, sys.argv[2], store=TokenStore(Path(sys.argv[1]), "cloud"))
    print(await mine.bearer())


if __name__ == "__main__":
    prepare(sys.argv[3])
    asyncio.run(main())
