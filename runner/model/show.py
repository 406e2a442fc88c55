"""Quantities as text: `show_*` rounds for people, `write_*` is exact and is read back by `units`.

It imports nothing heavy, for progress and help use it.
"""

import time
from datetime import timedelta
from decimal import Decimal

KIB = 1024
SIZES = {"TiB": KIB**4, "GiB": KIB**3, "MiB": KIB**2, "KiB": KIB, "B": 1}
"""Bytes of each unit that is written, greatest first."""

SPANS = {"d": 86_400_000_000, "h": 3_600_000_000, "m": 60_000_000, "s": 1_000_000, "ms": 1000}
"""Microseconds of each unit that is written, greatest first."""


def show_size(size: float) -> str:
    """Bytes with three digits that count: "20GiB", "1.21MiB", "512B"."""
    for unit, one in SIZES.items():
        if abs(size) >= one or unit == "B":
            return f"{_digits(size / one)}{unit}"
    raise AssertionError("the last unit takes everything")


def show_rate(bytes_per_s: float) -> str:
    """Bytes a second as `show_size` shows them: "20MiB/s"."""
    return show_size(bytes_per_s) + "/s"


def show_duration(duration: timedelta | float) -> str:
    """A duration, or a number of seconds, with its two greatest units: "1h30m", "2m05s", "250ms", "0s"."""
    span = duration if isinstance(duration, timedelta) else timedelta(seconds=duration)
    if span < timedelta(0):
        return "-" + show_duration(-span)
    if span < timedelta(seconds=1):
        rest = round(span / timedelta(milliseconds=1))
        return f"{rest}ms" if rest else "0s"
    if span < timedelta(seconds=10) and span.microseconds:
        return f"{_digits(span.total_seconds())}s"
    seconds = round(span.total_seconds())
    days, hours, minutes = seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60
    if days:
        return f"{days}d{hours:02}h" if hours else f"{days}d"
    if hours:
        return f"{hours}h{minutes:02}m" if minutes else f"{hours}h"
    if minutes:
        return f"{minutes}m{seconds % 60:02}s" if seconds % 60 else f"{minutes}m"
    return f"{seconds}s"


def show_moment(when: float) -> str:
    """Seconds since 1970 as a time that is the same on every machine: "2026-11-22 19:32:33 UTC"."""
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(when))
    except (OverflowError, ValueError, OSError):
        return f"{when} s after 1970"


def show_percent(ratio: float) -> str:
    """A ratio 0..1 with three digits that count: "5%", "0.51%"."""
    return f"{_digits(ratio * 100)}%"


def write_size(size: int) -> str:
    """Bytes in the greatest unit that divides them: "20GiB", "1025B"."""
    unit = next(unit for unit, one in SIZES.items() if size % one == 0) if size else "B"
    return f"{size // SIZES[unit]}{unit}"


def write_rate(bytes_per_s: int) -> str:
    """Bytes a second in the greatest unit that divides them: "20MiB/s"."""
    return write_size(bytes_per_s) + "/s"


def write_duration(duration: timedelta) -> str:
    """Every unit of a duration that is not 0: "1h30m", "1d250ms", "0s"."""
    rest = duration // timedelta(microseconds=1)
    text = ""
    for unit, one in SPANS.items():
        count, left = divmod(rest, one)
        if unit == "ms" and left:
            return f"{text}{Decimal(rest) / one}{unit}"
        if count:
            text += f"{count}{unit}"
        rest = left
    return text or "0s"


def write_percent(ratio: float) -> str:
    """A ratio 0..1 as the shortest percentage that reads back to it: "5%", "0.5%"."""
    return f"{(Decimal(repr(float(ratio))) * 100).normalize():f}%"


def _digits(number: float) -> str:
    places = 2 if abs(number) < 10 else 1 if abs(number) < 100 else 0
    text = f"{number:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
