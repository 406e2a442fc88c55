"""A root for each test, and files to copy there."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.backends.local.crew import Crew
from tests.rooms.local.copies import LARGE


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Forty small files in two folders, and a large one."""
    top = tmp_path / "source"
    for number in range(40):
        path = top / "ab"[number % 2] / f"{number:02}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"%d" % number)
        os.utime(path, ns=(10**18, 10**18 + number))
    (top / "large").write_bytes(os.urandom(LARGE))
    return top


@pytest.fixture
def folders(root: Path) -> Path:
    """The destination with these folders."""
    (root / "a").mkdir()
    (root / "b").mkdir()
    return root


@pytest.fixture
def crew() -> Iterator[Crew]:
    """One process beside this one, once it was asked for."""
    one = Crew(1)
    one.join()
    yield one
    one.leave()
