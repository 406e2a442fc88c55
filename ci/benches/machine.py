"""The machine that measures: what may be said of it, and its memory disk."""

import os
import platform
import time
from pathlib import Path

NEEDED_BYTES, NEEDED_FILES = 8 << 30, 2_600_000


def told() -> str:
    """Date, cores and versions; nothing that names the machine or its folders."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return (
        f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores ({platform.machine()}), {memory:.0f} GiB of memory, "
        f"{platform.system()} {platform.release().partition('-')[0]}, Python {platform.python_version()}"
    )


def memory_disk() -> Path | None:
    """A memory disk with room for everything; None for the usual temporary folder."""
    disk = Path("/dev/shm")
    if not os.access(disk, os.W_OK):
        return None
    room = os.statvfs(disk)
    enough = room.f_bavail * room.f_frsize >= NEEDED_BYTES and room.f_favail >= NEEDED_FILES
    return disk if enough else None
