"""Times in the columns of rclone."""

import time

from runner.model.node import Node

_UNKNOWN_NS = 946_684_800 * 10**9
"""What stands for a time that is not known: 2000-01-01 in UTC, as rclone prints it."""


def time_ns(node: Node) -> int | None:
    """The content's own time where a client set one, else the service's: when it last changed the node."""
    return node.changed_ns if node.mtime_ns is None else node.mtime_ns


def show_nanoseconds(ns: int | None) -> str:
    """Such as "2006-01-02 15:04:05.000000000", in the time zone here."""
    return f"{show_seconds(ns)}.{(ns or 0) % 10**9:09}"


def show_seconds(ns: int | None) -> str:
    """Such as "2006-01-02 15:04:05", in the time zone here. ns: since 1970."""
    seconds = (_UNKNOWN_NS if ns is None else ns) // 10**9
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds) if ns is None else time.localtime(seconds))
