"""Modification times as object stores keep them in metadata: seconds since 1970 with up to nine digits behind a point.

The form is rclone's, and that of others after it.
"""

import re

_SECONDS = re.compile(r"(-?)(\d{1,11})(?:\.(\d{1,9})\d*)?", re.ASCII)


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
