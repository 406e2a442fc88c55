"""What the operating system said, in the house's words."""

import errno
from types import TracebackType

from runner.model.errors import (
    AcdrunError,
    Blocked,
    Damaged,
    Denied,
    Exists,
    NoSpace,
    NotFound,
    Unavailable,
    Unreadable,
    Unsynced,
)

_KINDS: dict[int, type[AcdrunError]] = {
    errno.ENOENT: NotFound,
    errno.ENOTDIR: NotFound,
    errno.EEXIST: Exists,
    errno.ENOTEMPTY: Exists,
    errno.EISDIR: Exists,
    errno.ENOSPC: NoSpace,
    errno.EDQUOT: NoSpace,
    errno.EROFS: Denied,
    errno.EACCES: Denied,
    errno.EPERM: Denied,
    errno.ENAMETOOLONG: Blocked,
    errno.EINVAL: Blocked,
    errno.EILSEQ: Blocked,
    errno.ELOOP: Blocked,
    errno.ENXIO: Blocked,
    errno.EFBIG: Blocked,
    errno.EXDEV: Blocked,
    errno.EBUSY: Blocked,
    errno.EMLINK: Blocked,
    errno.EMFILE: Unavailable,
    errno.ENFILE: Unavailable,
    errno.ENOMEM: Unavailable,
    errno.EAGAIN: Unavailable,
    errno.ETIMEDOUT: Unavailable,
    errno.ESTALE: Unavailable,
}


def told(error: OSError, *, writing: bool = False) -> AcdrunError:
    """The error to raise instead. What is not in the table is damage when writing, a gap when reading."""
    kind = _KINDS.get(error.errno or 0, Damaged if writing else Unreadable)
    return kind((error.strerror or str(error)).lower())


def unsynced(error: OSError) -> AcdrunError:
    """The error of a failed fsync or close. A full disk may say so only then; all else ends the run."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return told(error, writing=True)
    return Unsynced(f"the disk did not confirm what was written: {error.strerror}")


class Translating:
    """Turns an OSError that leaves the block into ours."""

    __slots__ = ("_writing",)

    def __init__(self, *, writing: bool) -> None:
        self._writing = writing

    def __enter__(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, OSError):
            raise told(error, writing=self._writing) from error


READING = Translating(writing=False)
WRITING = Translating(writing=True)
