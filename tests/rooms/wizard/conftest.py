"""A home for each test, and terminals in it."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runner.manifest.keep import Keep
from tests.rooms.wizard.terminal import Terminal

CHECKOUT = Path(__file__).parents[3]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home of one's own."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def file(home: Path) -> Path:
    """Where the program keeps the user's remotes."""
    return home / "config" / "acdrun" / "remotes.yaml"


@pytest.fixture
def keep(home: Path, file: Path) -> Keep:
    """The user's remotes, as the program itself keeps them."""
    (home / "state").mkdir(mode=0o700)
    return Keep(home / "state", file)


@pytest.fixture
def config(home: Path) -> Iterator[Callable[..., Terminal]]:
    """`acdrun config ARGS` in a terminal."""
    opened: list[Terminal] = []
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "ACDRUN_STATE": str(home / "state"),
        "PYTHONPATH": str(CHECKOUT),
    }

    def start(*args: str) -> Terminal:
        opened.append(Terminal(["config", *args], environment, home))
        return opened[-1]

    yield start
    for terminal in opened:
        terminal.close()
