"""Run a job's own commands before its pairs are listed, and after they are done."""

import asyncio
import os
from collections.abc import Sequence

from runner.model.errors import AcdrunError
from runner.model.task import Task

_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "USER", "LOGNAME", "TMPDIR")
_TAIL = 2000  # characters of a failed command's output worth keeping


class HookFailed(AcdrunError):
    """A hook ended with an exit code that is not 0, or could not be started."""


class Hook(Task):
    """Run argv without a shell, in the manifest's folder, with a small environment that holds no secrets."""

    name = "hook"
    effect = "write"


async def run_hook(argv: Sequence[str], folder: str, *, wait_s: float | None = None) -> None:
    """Run one command to its end. Raises HookFailed with the last of what it said."""
    environment = {key: os.environ[key] for key in _KEPT if key in os.environ}
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            cwd=folder or None,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
    except OSError as error:
        raise HookFailed(f"{argv[0]!r} cannot be run: {error.strerror}") from error
    try:
        said, _ = await asyncio.wait_for(process.communicate(), wait_s)
    except BaseException:
        if process.returncode is None:
            process.kill()
            await process.wait()
        raise
    if process.returncode:
        tail = said.decode(errors="replace").strip()[-_TAIL:]
        raise HookFailed(
            f"{argv[0]!r} ended with exit code {process.returncode}" + (f": {tail}" if tail else "")
        )
