"""Death at every commit while a drive is written to: the drive is a process of its own, and survives."""

import asyncio
import itertools
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import md5
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from runner import app
from runner.backends import registry
from runner.manifest.load import load
from runner.model.backend import Backend, Setting
from runner.model.exits import Exit
from runner.model.pair import Location
from tests.laws.killing import Guillotine, Killed, Mortal

JOB = """\
version: 1
name: killed
remotes: { cloud: { type: amazon cloud drive, server: embedded } }
jobs:
  one:
    pairs:
      - { source: src, destination: "cloud:x", mode: mirror, guard: { trash: { max: 100% }, overwrite: { max: 100% } } }
"""
BEFORE = {"same": "same", "changed": "older", "lost/a": "lost", "was/b": "moved on the drive"}
AFTER = {"same": "same", "changed": "newer", "new/c": "new", "is/b": "moved on the drive"}

PARTS = 12
"""So many tests share the commits, each takes every twelfth, so that they can be spread over processes."""
FEWEST = 20
"""A run makes more commits than this; fewer were not killed one by one."""


@dataclass(frozen=True)
class Doomed:
    """Opens drives that a dead process reaches no more."""

    kind: Any
    guillotine: Guillotine

    async def open(self, config: object, setting: Setting) -> Backend:
        """The real one, wrapped."""
        inner: Any = Mortal(await self.kind.open(config, setting), self.guillotine)
        return inner  # type: ignore[no-any-return]


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Make the folder hold these files and no others."""
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def run(home: Path, guillotine: Guillotine) -> Exit | None:
    """A run; None when it was killed."""
    whole = registry.backend

    def backend(kind: str) -> Any:
        return Doomed(whole(kind), guillotine) if kind == "amazon cloud drive" else whole(kind)

    try:
        with mock.patch.object(registry, "backend", backend), guillotine.up():
            return asyncio.run(app.run(load(home / "job.yaml"), app.Options(home / "state"))).code
    except Killed:
        return None


async def drive(home: Path) -> tuple[dict[str, str], set[str]]:
    """The MD5 of every file on the drive by path, and of every file in its trash."""
    async with app.place(load(home / "job.yaml"), Location("cloud", "x"), home / "state") as remote:
        files = {
            f"{folder.path}/{node.name}".lstrip("/"): node.checksum.digest
            async for folder in remote.walk()
            for node in folder.nodes
            if node.kind == "file" and node.checksum
        }
        trash = {e.node.checksum.digest async for page in remote.trashed() for e in page if e.node.checksum}
        return files, trash


def digests(files: Mapping[str, str]) -> dict[str, str]:
    """The MD5 of each."""
    return {path: md5(text.encode(), usedforsecurity=False).hexdigest() for path, text in files.items()}


@pytest.mark.slow
@pytest.mark.torture
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # who is killed closes nothing
def test_P2_P3_P6_P9_a_run_to_a_drive_killed_at_any_commit_and_run_again_was_never_killed(
    tmp_path: Path, part: int
) -> None:
    home, before = tmp_path / "home", tmp_path / "before"
    (home / "src").mkdir(parents=True)
    (home / "state").mkdir(mode=0o700)
    (home / "job.yaml").write_text(JOB)
    write(home / "src", BEFORE)
    assert run(home, Guillotine(10**9, after=False)) == 0
    write(home / "src", AFTER)
    home.rename(before)

    for number, after in ((n, after) for n in itertools.count(1 + part, PARTS) for after in (False, True)):
        shutil.copytree(before, home, symlinks=True)  # to the same place, so that it is the same pair
        code = run(home, Guillotine(number, after=after))
        files, trash = asyncio.run(drive(home))
        assert set(digests(BEFORE).values()) <= {*files.values(), *trash}, f"I1 at {number}"

        assert (code if code is not None else run(home, Guillotine(10**9, after=False))) == 0
        files, trash = asyncio.run(drive(home))
        assert files == digests(AFTER), f"I5 at {number}"
        assert set(digests(BEFORE).values()) <= {*files.values(), *trash}
        if code is not None:
            assert number > FEWEST
            return
        shutil.rmtree(home)
