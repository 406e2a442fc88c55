"""Files that one local disk copies from another."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

from runner.backends.local import carrying
from runner.backends.local.backend import Local
from runner.model.backend import Copied, Copy, Copying
from runner.model.content import CHUNK

LARGE = carrying.TOLD + CHUNK + 5


def seen(source: Path, *names: str) -> list[Copy]:
    """What a listing would say of these files."""
    found = []
    for name in names:
        now = os.stat(source / name)
        generation = f"{now.st_dev}:{now.st_ino}:{now.st_size}:{now.st_mtime_ns}~{now.st_ctime_ns}"
        found.append(Copy(name, generation, now.st_size, now.st_mtime_ns, name))
    return found


def copy(
    source: Path, root: Path, batch: Sequence[Copy], how: Copying | None = None
) -> Sequence[Copied | None]:
    """Let one disk copy from the other."""

    async def act() -> Sequence[Copied | None]:
        theirs, ours = Local(source, "run"), Local(root, "run")
        try:
            return await ours.copy_from(theirs, batch, how or Copying())
        finally:
            await theirs.close()
            await ours.close()

    return asyncio.run(act())
