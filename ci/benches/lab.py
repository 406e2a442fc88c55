"""Where the cases are played: folders, the sides' commands, and what is checked after each run."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import yaml

from benches import peers, trees
from benches.measure import Clock, Cost, Wrong, run
from benches.stocked import KEYS

SMALLER = 20


class Lab:
    """One folder for all data, and the programs that work on it.

    small: a twentieth of every number; ours: the checkouts whose acdrun is measured, by the name of their side;
    peers: False leaves the others out; python: what runs acdrun, an interpreter or a profiler with one.
    """

    def __init__(
        self, folder: Path, clock: Clock, ours: Mapping[str, Path], *, small: bool = False, peers: bool = True,
        python: Sequence[str] = (sys.executable,),
    ) -> None:  # fmt: skip
        self.folder, self.clock, self.ours, self.small = folder, clock, ours, small
        self._peers, self._python = peers, python

    @cached_property
    def rclone_new(self) -> Path | None:
        """rclone 1.75, if it can be had."""
        return peers.rclone() if self._peers else None

    @cached_property
    def rclone_old(self) -> Path | None:
        """An rclone that knows Amazon Drive, if there is one."""
        return peers.rclone_for_amazon() if self._peers else None

    @cached_property
    def s5cmd(self) -> Path | None:
        """s5cmd 2.3, if it can be had."""
        return peers.s5cmd() if self._peers else None

    def count(self, number: int) -> int:
        """A number of files, as full or as small as was asked for."""
        return number // SMALLER if self.small else number

    @contextmanager
    def room(self, name: str) -> Iterator[Path]:
        """A folder for one case, gone after it."""
        made = Path(mkdtemp(prefix=f"{name}-", dir=self.folder))
        try:
            yield made
        finally:
            shutil.rmtree(made, ignore_errors=True)

    def tree(self, verb: str, *args: str | int | Path) -> str:
        """A verb of trees.py, in a process of its own; what it printed."""
        command = [sys.executable, trees.__file__, verb, *map(str, args)]
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=self.clock.left_s(), check=True
        )
        return ended.stdout.strip()

    def copied(self, home: Path, source: Path) -> Path:
        """A side's own folder, with a copy of the source in `to`."""
        home.mkdir()
        self.tree("copy", source, home / "to")
        return home

    def walked(self, folder: Path, *tops: Path) -> Cost:
        """What it costs to look at every file once."""
        return run(
            [sys.executable, trees.__file__, "walk", *tops], self.environment(folder), folder, self.clock
        )[0]

    def acdrun(self, folder: Path, *args: str | Path, checkout: Path, **more: str) -> tuple[Cost, str]:
        """Run the acdrun of a checkout with its state below `folder`; `more` is added to the environment."""
        env = self.environment(folder) | {"ACDRUN_STATE": str(folder / "state")} | more
        env["PYTHONPATH"] = str(checkout)
        command = [*self._python, "-m", "runner", *args]
        return run(command, env, folder, self.clock)

    def rclone(self, program: Path, folder: Path, *args: str | Path, **more: str) -> tuple[Cost, str]:
        """Run an rclone whose configuration and cache are below `folder`."""
        config = folder / "rclone.conf"
        config.touch()
        env = self.environment(folder) | {"RCLONE_CONFIG": str(config)} | more
        return run([program, *args], env, folder, self.clock)

    def s5cmd_told(self, folder: Path, url: str, *args: str | Path) -> tuple[Cost, str]:
        """Run s5cmd against a server; what it cost and printed."""
        assert self.s5cmd is not None
        env = self.environment(folder) | KEYS
        return run([self.s5cmd, "--endpoint-url", url, *args], env, folder, self.clock)

    def s5cmd_run(self, folder: Path, url: str, *args: str | Path) -> Cost:
        """Run s5cmd against a server; what it cost."""
        return self.s5cmd_told(folder, url, *args)[0]

    def environment(self, home: Path) -> dict[str, str]:
        """What every side sees."""
        kept: Mapping[str, str] = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        return {**kept, "HOME": str(home), "COLUMNS": "100"}


def manifest(folder: Path, source: Path | str, destination: Path | str, **more: Any) -> Path:
    """Write a manifest of one pair; `more`: `remotes`, and what else the pair shall have."""
    remotes = more.pop("remotes", {})
    pair = {"source": str(source), "destination": str(destination), "mode": "mirror", **more}
    path = folder / "bench.yaml"
    made = {"version": 1, "name": "bench", "remotes": remotes, "jobs": {"bench": {"pairs": [pair]}}}
    path.write_text(yaml.safe_dump(made, sort_keys=False))
    return path


def same(found: str, wanted: str, who: str) -> None:
    """Hold what a side left behind against what it should have. Raises Wrong."""
    if found != wanted:
        raise Wrong(f"{who} left {found}, not {wanted} (files, digest)")
