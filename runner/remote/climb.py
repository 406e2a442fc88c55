"""How many requests at once serve best, found by trying."""

LEAST_S = 0.05
LONG_S = 10.0
"""What is measured takes no less than this, and no longer once something has ended."""

_DOUBLE, _STEP = 2.0, 1.25
_GAIN = 0.4
"""A try upwards is kept for this part of the gain that a service with room to spare would give."""

_LOSS = 0.03
"""A try downwards is kept when no more than this is lost: what it takes off was waiting, not work."""

_FULL = 0.2
"""Part of the time in which all places have to be taken. Answers come in waves, and what is sent next takes us a while:
with enough to do for all places they are not full always. Full for less than this, more of them would gain nothing."""

_MOST_HOLD = 32
_UNIT = 1 << 18
"""Bytes that count as much as a request: more of them take longer for their number's sake."""


class Climb:
    """Doubles while throughput grows with it, then goes up and down by a quarter, ever more rarely, to see.

    Throughput is requests and bytes a second, measured while there was enough to do to fill all places, and only
    once as many requests have ended as were under way before the last change. Until a try has failed, one round of
    requests is measured, then two. The clock is the caller's.
    at_once: the answer, from 1 to `most`.
    """

    def __init__(self, first: int, most: int) -> None:
        self.at_once = max(1, min(first, most))
        self._most = most
        self._factor = _DOUBLE
        self._rounds = 1
        self._old: tuple[int, float] | None = None
        self._hold, self._holds, self._down = 0, 1, False
        self._units = self._full_s = 0.0
        self._ended = 0
        self._began: float | None = None
        self._since: float | None = None
        self._full: float | None = None

    def moved(self, count: int) -> None:
        """So many bytes have passed."""
        self._units += count / _UNIT

    def filled(self, now: float) -> None:
        """All places are taken. now: seconds."""
        if self._full is None:
            self._full = now

    def ended(self, now: float) -> None:
        """A request has ended; told before its place is given to another. now: seconds."""
        self._ended += 1
        if self._full is not None:
            self._full_s += now - self._full
            self._full = None
        if self._since is None:
            self._since = now
        long = now - self._since >= LONG_S
        if self._began is None:
            if self._ended >= self.at_once or long:
                self._began = self._since = now
                self._ended = 0
                self._units = self._full_s = 0.0
            return
        if (self._ended < self._rounds * self.at_once and not long) or now - self._began < LEAST_S:
            return
        seconds = now - self._began
        rate, full = (self._ended + self._units) / seconds, self._full_s / seconds
        self._settle()
        if full >= _FULL:
            self._judge(rate)
        else:
            self._old = None  # there was not enough to do to learn anything

    def refused(self, at_once: int) -> None:
        """The service does not want so many: stay below where that was, and wait with the next try."""
        self.at_once = max(1, at_once - max(1, at_once // 10))
        self._old, self._factor, self._down, self._rounds = None, _STEP, False, 2
        self._hold = self._holds = min(_MOST_HOLD, max(8, 2 * self._holds))
        self._settle()

    def _settle(self) -> None:
        self._began = self._since = None
        self._ended = 0

    def _judge(self, rate: float) -> None:
        if self._old is None:
            self._hold -= 1
            if self._hold <= 0:
                self._try(rate)
            return
        old, before = self._old
        self._old = None
        least = 1 + _GAIN * (self.at_once / old - 1) if self.at_once > old else 1 - _LOSS
        up = self.at_once > old
        if rate >= before * least:
            self._holds = 1
            if up:
                self._factor = min(_DOUBLE, self._factor * _STEP)
            self._try(rate)
            return
        self.at_once, self._rounds = old, 2
        if up and self._factor > _STEP:
            self._factor = _STEP
        else:
            self._down = up
            self._holds = min(_MOST_HOLD, self._holds * 2)
        self._hold = self._holds

    def _try(self, rate: float) -> None:
        """Change, to be judged against this rate."""
        now = self.at_once
        if self._down:
            self.at_once = max(1, min(now - 1, int(now / _STEP)))
        else:
            self.at_once = min(self._most, max(now + 1, int(now * self._factor)))
        if self.at_once != now:
            self._old = now, rate
        else:
            self._down, self._hold = not self._down, self._holds
