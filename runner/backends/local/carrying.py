"""Copying the bytes of one open file to another: one thread reads, stores and compares them, another digests them.

Each piece is read from the source once: what is digested, what is stored, and what the copy is compared with is the
same memory. So one digest says of both files what they hold.
"""

import errno
import os
from collections import deque
from collections.abc import Callable
from fcntl import ioctl
from typing import TYPE_CHECKING, NamedTuple

from runner.model.checksum import Checksum, hasher
from runner.model.content import CHUNK

if TYPE_CHECKING:
    from concurrent.futures import Future

PIECE = CHUNK
"""Bytes that are read, stored, compared and digested in one go."""

AHEAD = 3
"""Pieces in memory: one is digested while others are under way."""

TOLD = 8 * CHUNK
"""Bytes after which it is told how far the copy has come."""

_FICLONE = 0x40049409
"""ioctl_ficlone(2). Where the number is another one, this one is a call that nobody knows."""

_NOT_SO = (
    errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTTY, errno.EPERM, errno.EBADF, errno.ETXTBSY
)  # fmt: skip
"""These two files cannot share blocks: they are on two file systems, or on one that keeps each file's apart."""


class _Copy(NamedTuple):
    """source, target: open files at their start; shared: the target has the source's blocks already."""

    source: int
    target: int
    size: int
    shared: bool


class Carrier:
    """Copies files, one after the other; `close` must be called in the end.

    proven: each piece is read back from the target and compared with the bytes that are digested.
    moved: told how many bytes went over, in the calling thread; halted: asked whether to give up.
    """

    def __init__(
        self, algorithm: str, *, proven: bool, moved: Callable[[int], None], halted: Callable[[], bool]
    ) -> None:
        self._algorithm, self._proven, self._moved, self._halted = algorithm, proven, moved, halted
        from concurrent.futures import (
            ThreadPoolExecutor,
        )  # a process that copies small files alone does without

        self._helper = ThreadPoolExecutor(1, thread_name_prefix="carry")
        self._memory = list[bytearray]()
        self._back = bytearray(PIECE if proven else 0)

    def close(self) -> None:
        """Let the other thread end."""
        self._helper.shutdown()

    def run(self, source: int, target: int, size: int) -> Checksum | None:
        """The checksum of the bytes that were read; None when some are missing, or stored otherwise, or when halted.

        source, target: open files at their start, the target empty. Raises OSError.
        """
        copy = _Copy(source, target, size, _share(source, target))
        digest, pieces, told = hasher(self._algorithm), -(-size // PIECE), 0
        while len(self._memory) < min(AHEAD, pieces):
            self._memory.append(bytearray(PIECE))
        coming = deque(self._begin(copy, number) for number in range(min(AHEAD, pieces)))
        try:
            for number in range(pieces):
                piece = coming.popleft().result()
                if piece is None or self._halted():
                    return None
                digest.update(piece)
                if number + AHEAD < pieces:
                    coming.append(self._begin(copy, number + AHEAD))
                told += len(piece)
                if told >= TOLD or not coming:
                    self._moved(told)
                    told = 0
        finally:
            for left in coming:
                if not left.cancel():
                    left.exception()  # the files are closed next, and the memory is another file's
        return Checksum(self._algorithm, digest.hexdigest())

    def _begin(self, copy: _Copy, number: int) -> "Future[memoryview | None]":
        return self._helper.submit(self._carry, copy, number)

    def _carry(self, copy: _Copy, number: int) -> memoryview | None:
        """The bytes of one piece, once the target has them, too; None when it has others, or the source has fewer."""
        start = number * PIECE
        length = min(PIECE, copy.size - start)
        piece = memoryview(self._memory[number % AHEAD])[:length]
        if os.readv(copy.source, [piece]) < length:
            return None
        if not copy.shared:
            _write(copy.target, piece)
        if self._proven and not self._comes_back(copy.target, piece, start):
            return None
        return piece

    def _comes_back(self, target: int, piece: memoryview, start: int) -> bool:
        """Does the target give back what was stored there?"""
        whole = len(piece) == len(self._back)
        back = self._back if whole else bytearray(len(piece))  # compared at once, where both are as long
        return os.preadv(target, [back], start) == len(piece) and back == piece


def _share(source: int, target: int) -> bool:
    """Have the target refer to the source's blocks, where the file system can keep what is alike once."""
    try:
        ioctl(target, _FICLONE, source)
    except OSError as error:
        if error.errno not in _NOT_SO:
            raise
        return False
    return True


def _write(file: int, piece: memoryview) -> None:
    done = os.write(file, piece)
    while done < len(piece):
        done += os.write(file, piece[done:])
