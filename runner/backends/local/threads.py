"""Blocking calls in threads, left only when they are over."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar, TypeVarTuple, Unpack

from runner.backends.local.faults import told

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Threads:
    """A few threads for one disk."""

    def __init__(self, count: int) -> None:
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="local")

    async def run(
        self, call: Callable[[Unpack[Ts]], T], *args: *Ts, halt: Callable[[], None] | None = None
    ) -> T:
        """Call it in a thread. When cancelled, wait for the call to end: what it uses can be closed then.

        halt: tells a long call that nobody wants its result any more.
        """
        job = self._pool.submit(call, *args)
        try:
            return await asyncio.wrap_future(job)
        except asyncio.CancelledError:
            if halt is not None:
                halt()
            while not job.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([asyncio.wrap_future(job)])
            raise
        except OSError as error:
            raise told(error) from error

    def close(self) -> None:
        """Let the threads end."""
        self._pool.shutdown(wait=False)
