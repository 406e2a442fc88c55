"""One emulated Amazon Cloud Drive for all tests of a process; each lab has a root folder of its own in it."""

import atexit
import shutil
import tempfile
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from uuid import uuid4

from runner.backends import registry
from runner.model.backend import Backend, Setting

KIND = "amazon cloud drive"


def _there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


KINDS = [KIND] if _there("runner.emulator") and _there("runner.backends.acd.backend") else []
"""The kind, where both the drive and its backend are to be had."""


@cache
def _state() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="acdrun-lab-drive-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


async def open_backend(setting: Setting) -> Backend:
    """Open an empty root folder on the one drive."""
    config = registry.config(KIND).model_validate(
        {"type": "acd", "server": "embedded", "root": f"lab-{uuid4()}"}
    )
    return await registry.backend(KIND).open(config, replace(setting, state=_state()))
