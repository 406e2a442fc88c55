"""Where state lives."""

import contextlib
import os
from pathlib import Path

from runner.model.errors import StateError

MOUNTS = Path("/proc/self/mountinfo")
"""What is mounted where, on Linux; elsewhere nothing is known of it."""

BALLAST_BYTES = 4 << 20
"""Kept free for the last rows of a run on a disk that has become full."""

_REMOTE = (
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "beegfs", "ocfs2", "gfs2",
    "fuse.sshfs", "fuse.rclone", "fuse.s3fs", "fuse.glusterfs", "fuse.ceph", "davfs", "fuse.davfs2", "virtiofs",
)  # fmt: skip
_HINT = "set ACDRUN_STATE to a folder on a local disk that you may write to"


def state_dir() -> Path:
    """The state directory, made if need be: `ACDRUN_STATE`, else `acdrun` in the XDG state home.

    Only its owner may enter it: it holds tokens and journals. Raises StateError when it cannot be used, is
    another user's, or lies on a network file system, whose locks and writes SQLite cannot rely on.
    """
    chosen = os.environ.get("ACDRUN_STATE")
    base = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    home = Path(chosen or Path(base) / "acdrun").expanduser().absolute()
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        owner = home.stat().st_uid
        if owner == os.getuid():
            home.chmod(0o700)
    except OSError as error:
        raise StateError(
            f"the state directory {str(home)!r} cannot be made: {error.strerror}", hint=_HINT
        ) from error
    if owner != os.getuid():
        raise StateError(f"the state directory {str(home)!r} belongs to another user", hint=_HINT)
    if not os.access(home, os.R_OK | os.W_OK | os.X_OK):
        raise StateError(f"the state directory {str(home)!r} cannot be written to", hint=_HINT)
    if (kind := file_system(home)) in _REMOTE:
        raise StateError(
            f"the state directory {str(home)!r} is on a network file system ({kind}), where a journal is not safe",
            hint=_HINT,
        )
    return home


def file_system(path: Path) -> str:
    """The kind of file system the path is on, as the system calls it; "" when it does not say.

    Source: proc_pid_mountinfo(5). The last mount of the longest fitting mount point counts.
    """
    best, kind = -1, ""
    target = str(path.resolve())
    with contextlib.suppress(OSError):
        for line in MOUNTS.read_text("utf-8", "surrogateescape").splitlines():
            fields, _, rest = line.partition(" - ")
            words = fields.split(" ")
            if len(words) < 5 or not rest:
                continue
            point = (
                words[4]
                .encode("utf-8", "surrogateescape")
                .decode("unicode_escape")
                .encode("latin-1")
                .decode()
            )
            inside = target == point or target.startswith(point.rstrip("/") + "/")
            if inside and len(point) >= best:
                best, kind = len(point), rest.split(" ")[0]
    return kind


def load_ballast(state: Path) -> None:
    """Take room on the disk that `drop_ballast` gives back. Where there is none to take, there is none to give."""
    ballast = state / "ballast"
    with contextlib.suppress(OSError):
        if ballast.exists() and ballast.stat().st_size == BALLAST_BYTES:
            return
        with ballast.open("wb") as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, BALLAST_BYTES)
            else:
                file.write(os.urandom(BALLAST_BYTES))  # zeros would be squeezed to nothing by some disks


def drop_ballast(state: Path) -> None:
    """Make room for the last rows of a journal."""
    (state / "ballast").unlink(missing_ok=True)
