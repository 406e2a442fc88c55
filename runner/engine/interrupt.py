"""Stopping early: by a signal, by time, by bytes."""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable

from runner.model.events import Listener, Note
from runner.model.exits import Exit

GRACE_S = 30.0
"""How long operations under way may take to end after the first signal."""

_EXITS = {signal.SIGINT: Exit.INTERRUPTED, signal.SIGTERM: Exit.TERMINATED}


class Stop:
    """Whether to take no more work, and why.

    deadline_s: seconds after which no new operation is started; most_bytes: bytes of content after which none
    is; None for no limit. clock: monotonic seconds.
    """

    def __init__(
        self,
        tell: Listener,
        *,
        deadline_s: float | None = None,
        most_bytes: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tell = tell
        self._clock = clock
        self._ends = None if deadline_s is None else clock() + deadline_s
        self._most_bytes = most_bytes
        self._sent = 0
        self._code: Exit | None = None
        self.stopped = asyncio.Event()
        self.late = asyncio.Event()

    async def pause(self, wait: Awaitable[None]) -> None:
        """Wait for that, but no longer than until the stop: nobody waits for a try that will not be made."""
        waits = asyncio.ensure_future(wait), asyncio.ensure_future(self.stopped.wait())
        left_s = None if self._ends is None else max(0.0, self._ends - self._clock())
        try:
            await asyncio.wait(waits, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()

    @property
    def code(self) -> Exit | None:
        """The exit code of an early stop, None while the run may go on."""
        if self._code is None and self._ends is not None and self._clock() >= self._ends:
            self._stop(Exit.BUDGET, "the time budget is used up; finishing what is under way")
        return self._code

    @property
    def counting(self) -> bool:
        """Do bytes have a limit, so that what is begun together may not be more than what is left of it?"""
        return self._most_bytes is not None

    def sent(self, size: int) -> None:
        """That many bytes of content were sent."""
        self._sent += size
        if self._code is None and self._most_bytes is not None and self._sent >= self._most_bytes:
            self._stop(Exit.BUDGET, "the byte budget is used up; finishing what is under way")

    def _stop(self, code: Exit, message: str) -> None:
        self._code = code
        self.stopped.set()
        self._tell(Note(message))

    def listen(self, leave: Callable[[int], None] = os._exit) -> None:
        """From now on the first SIGINT or SIGTERM drains, and a second one leaves at once.

        leave: ends the process with a code, there and then. The journal survives that as it does a crash.
        """
        loop = asyncio.get_running_loop()
        for number in _EXITS:
            loop.add_signal_handler(number, self._signalled, number, leave)

    def _signalled(self, number: signal.Signals, leave: Callable[[int], None]) -> None:
        if self._code in _EXITS.values():
            leave(int(_EXITS[number]))
            return
        self._stop(
            _EXITS[number],
            f"{number.name}: no new work is started; waiting up to {GRACE_S:.0f} s for what is under way"
            " (once more to leave at once)",
        )
        asyncio.get_running_loop().call_later(GRACE_S, self.late.set)
