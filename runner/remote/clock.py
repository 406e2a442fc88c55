"""What the answers of a service say about the time."""

import email.utils
import time
from collections.abc import Callable, Mapping

_EVERY_S = 60.0


class ServiceClock:
    """How far the clock of a service is from ours, by the `Date` of its answers: of the first, then of one a minute.

    offset_s: seconds that the service's clock is ahead, None until an answer has told. A `Date` has whole seconds.
    clock: seconds, monotonic; now: seconds since 1970.
    """

    __slots__ = ("_clock", "_due", "_now", "offset_s")

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, now: Callable[[], float] = time.time
    ) -> None:
        self.offset_s: float | None = None
        self._clock, self._now, self._due = clock, now, float("-inf")

    def hear(self, headers: Mapping[str, str]) -> None:
        """An answer has come. headers: names in lower case."""
        moment = self._clock()
        if moment >= self._due and (told := _instant(headers.get("date", ""))) is not None:
            self.offset_s, self._due = told - self._now(), moment + _EVERY_S


def _instant(date: str) -> float | None:
    """Seconds since 1970; None for what is no time of day that a clock may show. Source: RFC 9110 section 5.6.7."""
    if not date or len(date) > 64:
        return None
    try:
        parsed = email.utils.parsedate_to_datetime(date)
    except (ValueError, OverflowError):
        return None
    return parsed.timestamp() if parsed.tzinfo is not None and 1970 <= parsed.year < 9000 else None
