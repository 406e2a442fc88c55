"""Modification times as object stores keep them in metadata: seconds since 1970 with up to nine digits behind a point,
or instants of RFC 3339.

The forms are rclone's, and that of others after it.
"""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

_SECONDS = re.compile(r"(-?)(\d{1,12})(?:\.(\d{1,9})\d*)?", re.ASCII)


def seconds_ns(text: str) -> int | None:
    """The time in ns since 1970; None when it is none."""
    match = _SECONDS.fullmatch(text.strip())
    if match is None:
        return None
    ns = int(match[2]) * 10**9 + int((match[3] or "").ljust(9, "0"))
    return -ns if match[1] else ns


def as_seconds(mtime_ns: int) -> str:
    """The shortest text that `seconds_ns` reads back."""
    whole, rest = divmod(abs(mtime_ns), 10**9)
    sign = "-" if mtime_ns < 0 else ""
    return f"{sign}{whole}" + (f".{rest:09}".rstrip("0") if rest else "")


_INSTANT = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9})\d*)?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def instant_ns(text: str) -> int | None:
    """A time as RFC 3339 writes it, in ns since 1970; None when it is none.

    Asked for every object there is, hence the short way for how all services write it.
    """
    seconds, fraction = text[17:19], text[20:-1]
    if (
        text[-1:] == "Z"
        and text[16:17] == ":"
        and seconds.isdigit()
        and (minute := _minute_s(text[:16])) is not None
    ):
        if len(text) == 20:
            return (minute + int(seconds)) * 10**9
        if text[19] == "." and fraction.isdecimal() and len(fraction) < 10:
            return (minute + int(seconds)) * 10**9 + int(fraction.ljust(9, "0"))
    match = _INSTANT.fullmatch(text)
    if match is None:
        return None
    day, hours, minutes, seconds, fraction, sign, ahead_h, ahead_m = match.groups()
    try:
        whole = _day_s(day) + int(hours) * 3600 + int(minutes) * 60 + int(seconds)
    except ValueError:
        return None
    if sign is not None:
        ahead = int(ahead_h) * 3600 + int(ahead_m) * 60
        whole -= -ahead if sign == "-" else ahead
    return whole * 10**9 + (int(fraction.ljust(9, "0")) if fraction else 0)


@lru_cache(maxsize=4096)
def _minute_s(text: str) -> int | None:
    whole = instant_ns(f"{text}:00+00:00")
    return None if whole is None else whole // 10**9


@lru_cache(maxsize=1024)
def _day_s(text: str) -> int:
    return (datetime.fromisoformat(text).replace(tzinfo=UTC) - _EPOCH).days * 86400


def as_instant(mtime_ns: int) -> str | None:
    """The shortest text in UTC that `instant_ns` reads back; None outside of the years that it can write."""
    whole, rest = divmod(mtime_ns, 10**9)
    try:
        text = (_EPOCH + timedelta(seconds=whole)).strftime("%Y-%m-%dT%H:%M:%S")
    except OverflowError:
        return None
    text = text.rjust(19, "0")
    return f"{text}.{rest:09}".rstrip("0") + "Z" if rest else f"{text}Z"
