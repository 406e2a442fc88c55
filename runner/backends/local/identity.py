"""Which folder of which disk this is, whatever the disk is called today and wherever it is mounted.

A device number will not do for that: the same disk gets another one when it is plugged in again, and network
file systems get a new one with each mount. So the file system is known by the UUID of its device, else by the id
it gives itself, else by what is mounted ("server:/export"), and only then by its number.
"""

import os
from contextlib import suppress
from typing import NamedTuple

from runner.backends.local import safe
from runner.backends.local.faults import READING
from runner.model.backend import Identity

_BY_UUID = "/dev/disk/by-uuid"
_MOUNTS = "/proc/self/mountinfo"
_NO_INODES = ("vfat", "msdos", "exfat", "fuse", "fuseblk")
"""File systems that number their files anew with each mount: a folder is known by its path there."""


class _Mounted(NamedTuple):
    """kind: of file system; source: device or export."""

    kind: str = ""
    source: str = ""


def identify(root: str, folder: str) -> Identity:
    """The identity of a folder below `root`. Raises NotFound, Denied, Blocked."""
    with safe.folder(root, folder) as fd, READING:
        seen, system = os.fstat(fd), os.fstatvfs(fd)
    path = os.path.realpath(os.path.join(root, folder))
    mount, mounted = _mount(path, seen.st_dev), _mounted(seen.st_dev)
    disk = _uuid(seen.st_dev)
    if not disk:
        disk = f"{system.f_fsid:x}" if system.f_fsid else mounted.source or f"device {seen.st_dev}"
    loose = mounted.kind.partition(".")[0] in _NO_INODES
    return Identity(f"{disk}/{os.path.relpath(path, mount) if loose else seen.st_ino}", path, mount)


def _mount(path: str, device: int) -> str:
    """The topmost folder on the way up that is still on this device."""
    while (above := os.path.dirname(path)) != path:
        try:
            if os.stat(above).st_dev != device:
                return path
        except OSError:
            return path
        path = above
    return path


def _uuid(device: int) -> str:
    with suppress(OSError), os.scandir(_BY_UUID) as entries:
        for entry in entries:
            with suppress(OSError):
                if entry.stat().st_rdev == device:
                    return entry.name
    return ""


def _mounted(device: int) -> _Mounted:
    """Source: proc(5), mountinfo: "36 35 98:0 /root /mnt options tags - kind source options"."""
    number = f"{os.major(device)}:{os.minor(device)}"
    with suppress(OSError, IndexError), open(_MOUNTS, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if line.split(" ", 3)[2] == number:
                kind, source = line.rpartition(" - ")[2].split(" ")[:2]
                return _Mounted(kind, source if ":" in source or source.startswith("//") else "")
    return _Mounted()
