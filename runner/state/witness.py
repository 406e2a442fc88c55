"""What this host has seen of other hosts' leases, over all its runs."""

import json
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from runner.state.locks import holders

_MOST = 1000
"""Sightings that are kept; the oldest are forgotten, which costs a wait."""


class _Seen(NamedTuple):
    boot: str
    number: int
    when_s: float


class Witness:
    """Keeps its sightings in the state directory, so that a nightly run need not wait for half an hour each night.

    clock: seconds that nobody sets; boot: which run of the machine they count from. A sighting from before a
    restart says nothing about how long ago it was.
    """

    def __init__(self, state: Path, clock: Callable[[], float], boot: str | None = None) -> None:
        self._state, self._clock = state, clock
        self._boot = _boot_id() if boot is None else boot
        self._file = state / "locks" / "sightings"
        self._file.parent.mkdir(mode=0o700, exist_ok=True)
        self.id = _own_id(state)

    def alive(self, run: str) -> bool:
        """Is this run of ours still going?"""
        return run in holders(self._state)

    def unchanged_s(self, lease: str, number: int) -> float:
        """For how long we have seen this number of that lease; 0.0 when it is new to us."""
        now, seen = self._clock(), self._read()
        old = seen.get(lease)
        if old is None or old[:2] != (self._boot, number) or old.when_s > now:
            seen[lease] = _Seen(self._boot, number, now)
            self._write(seen)
            return 0.0
        return now - old.when_s

    def _read(self) -> dict[str, _Seen]:
        try:
            seen = json.loads(self._file.read_text())
            return {
                str(lease): _Seen(str(boot), int(number), float(when_s))
                for lease, (boot, number, when_s) in seen.items()
            }
        except (OSError, ValueError, TypeError, AttributeError):
            return {}

    def _write(self, seen: dict[str, _Seen]) -> None:
        kept = dict(list(seen.items())[-_MOST:])
        new = self._file.with_name(f"sightings.{uuid.uuid4().hex}")
        new.write_text(json.dumps(kept))
        new.replace(self._file)


def _own_id(state: Path) -> str:
    """Made once, by whoever comes first."""
    file = state / "id"
    try:
        with file.open("x") as new:
            new.write(uuid.uuid4().hex)
    except FileExistsError:
        for _ in range(100):  # another process may be about to write it
            if said := file.read_text().strip():
                return said
            time.sleep(0.01)
    return file.read_text().strip()


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
