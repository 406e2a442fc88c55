"""Running a command to its end and telling what it cost."""

import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

LAUNCHER = Path(__file__).with_name("launch.py")


class Wrong(Exception):
    """A side did not do what was asked, so its time means nothing."""


class OutOfTime(Exception):
    """The time for all measurements together has passed."""


class Cost(NamedTuple):
    """What a process and its children took. requests: that the emulator saw, None where there is none."""

    wall_s: float
    cpu_s: float
    peak_bytes: int
    requests: int | None = None


def median(costs: Sequence[Cost]) -> Cost:
    """The median of each figure by itself."""
    requests = [cost.requests for cost in costs if cost.requests is not None]
    return Cost(
        statistics.median(cost.wall_s for cost in costs),
        statistics.median(cost.cpu_s for cost in costs),
        int(statistics.median(cost.peak_bytes for cost in costs)),
        int(statistics.median(requests)) if requests else None,
    )


class Clock:
    """Until when all measurements together may last."""

    def __init__(self, limit_s: float) -> None:
        self._end = time.monotonic() + limit_s

    def left_s(self) -> float:
        """Seconds that are left. Raises OutOfTime."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise OutOfTime
        return left


def run(
    command: Sequence[str | Path], env: Mapping[str, str], folder: Path, clock: Clock
) -> tuple[Cost, str]:
    """Run a command in a folder; return what it cost and what it printed. Raises Wrong, OutOfTime.

    folder: where it runs; what it prints is kept there in files, so that no pipe slows it down.
    """
    told, said = folder / "cost.json", folder / "said.txt"
    words = [sys.executable, "-I", "-S", str(LAUNCHER), str(told), *map(str, command)]
    with said.open("wb") as out:
        process = subprocess.Popen(
            words, env=dict(env), cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            start_new_session=True,
        )  # fmt: skip
        try:
            process.wait(clock.left_s())
        except subprocess.TimeoutExpired as error:
            raise OutOfTime from error
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    text = said.read_text(errors="replace")
    cost = json.loads(told.read_text())
    if code := cost.pop("code"):
        raise Wrong(f"{' '.join(map(str, command))} ended with {code}:\n{text[-2000:]}")
    return Cost(**cost), text
