"""Processes that work beside this one."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

from runner.backends.local.crew import Crew
from runner.backends.local.hands import Hand
from runner.backends.local.listing import Columns


def some(crew: Crew, root: Path, *folders: str) -> Sequence[Columns | None] | None:
    """What a worker tells now."""
    with Hand(crew) as hand:
        return hand.some(os.fspath(root), folders)


def answered(crew: Crew, root: Path, *folders: str) -> Sequence[Columns | None]:
    """What a worker tells, once there is one."""
    for _ in range(2000):
        if (found := some(crew, root, *folders)) is not None:
            return found
        time.sleep(0.01)
    raise AssertionError("no worker came")


def pid_of(crew: Crew) -> int:
    (one,) = crew._free
    return one._process.pid
