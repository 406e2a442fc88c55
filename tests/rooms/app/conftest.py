"""A world for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.worlds import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Empty, and forgotten afterwards."""
    here = World(tmp_path)
    yield here
    here.forget()
