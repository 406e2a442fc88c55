"""A batch of small files that a process beside this one copies in our place: what it is asked, and what it answers.

Between the two go plain values. What it does is what `Copier` does; it holds our locks with us while it does it.
"""

import os
from collections.abc import Sequence
from typing import Any

from runner.backends.local.copying import Copier
from runner.backends.local.hands import Hand
from runner.model.backend import Copied, Copy, Copying
from runner.model.checksum import Checksum
from runner.model.content import CHUNK
from runner.model.errors import Unsynced
from runner.model.node import Node
from runner.state.hands import held, sharing

MANY = 50
"""Files that take longer to copy than to be told of, and than such a process takes to get ready for its first."""


def worth(batch: Sequence[Copy]) -> bool:
    """Is this a batch for such a process? While one is on its way to it nobody hears how far a large file has come."""
    return len(batch) >= MANY and all(copy.size <= CHUNK for copy in batch)


def copy_by(
    hand: Hand, source: str, target: str, mask: int, how: Copying, batch: Sequence[Copy]
) -> Sequence[Copied | None] | None:
    """What became of each file, see `Peer.copy_from`; None when the process has gone. Raises Unsynced.

    source, target: roots of the disks. mask: the process's umask. This blocks.
    """
    files = [(*copy[:-1], copy.known and tuple(copy.known)) for copy in batch]
    answer = hand.ask("copy", held(), os.getpid(), (source, target, mask), how[:3], files)
    if answer is None:
        return None
    done, unsynced = answer
    if unsynced:
        raise Unsynced(unsynced)
    return [one and Copied(Node(*one[0]), Checksum(*one[1])) for one in done]


def copied(
    locks: Sequence[str], parent: int, disks: tuple[str, str, int], how: Sequence[Any], files: Sequence[Any]
) -> tuple[Sequence[Any], str]:
    """The answer: of each file its node and checksum, or None; and why the disk did not confirm, "" when it did."""
    source, target, mask = disks
    os.umask(mask)
    copier = Copier(
        source,
        target,
        Copying(*how),
        enter=lambda folder: None,
        moved=lambda size: None,
        halted=lambda: False,
    )
    try:
        with sharing(locks, parent):
            done = copier.run([Copy._make((*file[:-1], file[-1] and Checksum(*file[-1]))) for file in files])
    except Unsynced as error:
        return [], error.message
    return [one and (tuple(one.node), one.checksum and tuple(one.checksum)) for one in done], ""
