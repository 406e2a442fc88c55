"""Which engine carries the requests."""

import os
from importlib.util import find_spec

from runner.model.errors import UsageError
from runner.remote.http import Engine

VARIABLE = "ACDRUN_WIRE"


def open_engine() -> Engine:
    """The fast engine, or the reference one where ACDRUN_WIRE is `httpx` or httptools is not installed.

    Each is imported only here: httpx costs a tenth of a second at start.
    """
    wish = os.environ.get(VARIABLE) or ("fast" if find_spec("httptools") else "httpx")
    if wish == "fast":
        from runner.remote.fast_engine import FastEngine

        return FastEngine()
    if wish == "httpx":
        from runner.remote.httpx_engine import HttpxEngine

        return HttpxEngine()
    raise UsageError(f"{VARIABLE} is {wish!r}", hint="it may be `fast` or `httpx`")
