"""What a process beside another one does for it. Between the two go plain values.

While it writes it holds the other's locks with it. locks, parent: see `sharing`; mask: the other's umask. Beside each
answer stands why the disk did not confirm what was written, "" where it did.
"""

import os
from collections.abc import Sequence
from typing import Any

from runner.backends.local.copying import Copier
from runner.backends.local.landing import Arrival, Landing
from runner.model.backend import Copy, Copying
from runner.model.checksum import Checksum
from runner.model.errors import Unsynced
from runner.state.hands import sharing

Writer = tuple[Sequence[str], int, int]
"""locks, parent, mask"""


def copy(
    writer: Writer, roots: tuple[str, str], how: Sequence[Any], files: Sequence[Any]
) -> tuple[Sequence[Any], str]:
    """Of each file its node and checksum, or None. roots: of the disk that is read, and of the other."""
    locks, parent, mask = writer
    os.umask(mask)
    copier = Copier(*roots, Copying(*how), enter=_nobody, moved=lambda size: None, halted=lambda: False)
    try:
        with sharing(locks, parent):
            done = copier.run([Copy._make((*file[:-1], file[-1] and Checksum(*file[-1]))) for file in files])
    except Unsynced as error:
        return [], error.message
    return [one and (tuple(one.node), one.checksum and tuple(one.checksum)) for one in done], ""


def store(
    writer: Writer, root: str, files: Sequence[tuple[str, bytes, int | None, bool]]
) -> tuple[Sequence[Any], str]:
    """Of each file its node, or None. files: path, content, mtime_ns, and whether it is to be proven."""
    locks, parent, mask = writer
    os.umask(mask)
    arrivals = [Arrival(path, data, mtime_ns, proven=proven) for path, data, mtime_ns, proven in files]
    try:
        with sharing(locks, parent):
            Landing(root, _nobody).run(arrivals)
    except Unsynced as error:
        return [], error.message
    return [one.node and tuple(one.node) for one in arrivals], ""


def _nobody(folder: str) -> None:
    """Our parent has seen to what was left there."""
