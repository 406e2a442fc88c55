"""Copying the bytes of one open file to another: the kernel copies, and a second thread digests what it copied."""

import errno
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from runner.model.checksum import Checksum, hasher
from runner.model.content import CHUNK

RANGE = 8 * CHUNK
"""Bytes that are copied while the range before them is digested."""

PIECE = 1 << 18
"""Bytes that are digested and compared in one go: what a core keeps at hand."""

_NOT_SO = (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSOCK, errno.EPERM)
"""These two files cannot be copied in this way: other file systems, an older kernel, another system."""

Way = Callable[[int, int, int, int], int]


class Carrier:
    """Copies one file from its start.

    proven: each piece is read back from the target and compared with the bytes that were digested.
    moved: told how many bytes went over, in the calling thread; halted: asked whether to give up.
    """

    def __init__(
        self,
        source: int,
        target: int,
        size: int,
        algorithm: str,
        *,
        proven: bool,
        moved: Callable[[int], None],
        halted: Callable[[], bool],
    ) -> None:
        self._source, self._target, self._size = source, target, size
        self._algorithm, self._digest, self._proven = algorithm, hasher(algorithm), proven
        self._moved, self._halted = moved, halted
        self._ways = list[Way]((_referring, _sending, _writing))

    def run(self) -> Checksum | None:
        """The checksum of the bytes that were read; None when some are missing, or stored otherwise, or when halted.

        Raises OSError.
        """
        with ThreadPoolExecutor(1, thread_name_prefix="carry") as helper:
            coming = helper.submit(self._copy, 0)
            for start in range(0, self._size, RANGE):
                end = coming.result()
                if end < min(start + RANGE, self._size) or self._halted():
                    return None
                if end < self._size:
                    coming = helper.submit(self._copy, end)
                if not self._prove(start, end):
                    return None
                self._moved(end - start)
        return Checksum(self._algorithm, self._digest.hexdigest())

    def _copy(self, start: int) -> int:
        """Copy one range; return where it ended, which is too early when the source has become shorter."""
        at, end = start, min(start + RANGE, self._size)
        while at < end:
            try:
                count = self._ways[0](self._source, self._target, end - at, at)
            except OSError as error:
                if error.errno not in _NOT_SO or len(self._ways) == 1:
                    raise
                del self._ways[0]
                continue
            if not count:
                break
            at += count
        return at

    def _prove(self, start: int, end: int) -> bool:
        for at in range(start, end, PIECE):
            length = min(PIECE, end - at)
            piece = os.pread(self._source, length, at)
            self._digest.update(piece)
            if len(piece) < length or (self._proven and os.pread(self._target, length, at) != piece):
                return False
        return True


def _referring(source: int, target: int, count: int, at: int) -> int:
    """Within one file system; where it can share blocks between files it does."""
    if not hasattr(os, "copy_file_range"):
        raise OSError(errno.ENOSYS, "not on this system")
    return os.copy_file_range(source, target, count, at, at)


def _sending(source: int, target: int, count: int, at: int) -> int:
    """From one file system to another."""
    os.lseek(target, at, os.SEEK_SET)
    return os.sendfile(target, source, at, count)


def _writing(source: int, target: int, count: int, at: int) -> int:
    os.lseek(target, at, os.SEEK_SET)
    return os.write(target, os.pread(source, min(count, CHUNK), at))
