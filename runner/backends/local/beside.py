"""What processes beside this one do in our place with small files, as we would do it. See `orders` for their side.

Every function blocks, and returns None where nobody could be had: then we do it ourselves.
"""

import os
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import Any

from runner.backends.local.draft import Disk
from runner.backends.local.hands import Hand
from runner.backends.local.landing import Arrival
from runner.model import path as paths
from runner.model.backend import Copied, Copy, Copying
from runner.model.checksum import Checksum
from runner.model.content import CHUNK
from runner.model.errors import AcdrunError, Unsynced
from runner.model.node import Node
from runner.state.hands import held

MANY = 50
"""Files that take longer to copy or to store than to be told of, and than such a process needs for its first."""

_MOST_BYTES = 1 << 23
"""Content that is handed over at a time: it is in memory twice then."""

Enter = Callable[[str], None]
"""Called with each folder before something is put there."""


def worth(batch: Sequence[Copy]) -> bool:
    """Is this a batch to copy there? While it is on its way nobody hears how far a large file has come."""
    return len(batch) >= MANY and all(copy.size <= CHUNK for copy in batch)


def copy(
    hand: Hand, source: str, disk: Disk, enter: Enter, how: Copying, batch: Sequence[Copy]
) -> Sequence[Copied | None] | None:
    """What became of each file; see `Peer.copy_from`. source: root of the disk that is read. Raises Unsynced."""
    _enter(enter, {paths.parent(copy.path) for copy in batch})
    files = [(*copy[:-1], copy.known and tuple(copy.known)) for copy in batch]
    answer = hand.ask("copy", _writer(disk), (source, disk.root), how[:3], files)
    if answer is None:
        return None
    return [one and Copied(Node(*one[0]), Checksum(*one[1])) for one in _confirmed(answer)]


def store(hand: Hand, disk: Disk, enter: Enter, some: Sequence[Arrival]) -> bool | None:
    """As `Landing.run`: True when each of these has got what became of it. Raises Unsynced."""
    if len(some) < MANY or sum(len(one.data) for one in some) > _MOST_BYTES or not hand.take(0):
        return None
    _enter(enter, {one.folder for one in some})
    files = [(paths.join(one.folder, one.name), one.data, one.mtime_ns, one.proven) for one in some]
    answer = hand.ask("store", _writer(disk), disk.root, files)
    if answer is None:
        return None
    for one, node in zip(some, _confirmed(answer), strict=True):
        one.node = node and Node(*node)
    return True


def _writer(disk: Disk) -> tuple[Sequence[str], int, int]:
    return held(), os.getpid(), disk.mask


def _enter(enter: Enter, folders: Collection[str]) -> None:
    for folder in folders:
        with suppress(AcdrunError):  # whoever puts something there is told
            enter(folder)


def _confirmed(answer: tuple[Sequence[Any], str]) -> Sequence[Any]:
    done, unsynced = answer
    if unsynced:
        raise Unsynced(unsynced)
    return done
