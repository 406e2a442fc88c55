"""SIGKILL on the real process at random times, a short storm; `ci/storm` is the long one."""

import random
from pathlib import Path

import pytest

from tests.simulation.storm import storm


@pytest.mark.slow
@pytest.mark.torture
@pytest.mark.parametrize(("kind", "kills"), [("local", 7), ("served", 8)])
def test_P4_P5_P6_a_storm_of_kills_loses_nothing(kind: str, kills: int, tmp_path: Path) -> None:
    figures = storm(kind, kills, tmp_path, random.Random(4), files=120)

    assert figures.kills >= kills
    assert figures.clean, str(figures) + "; ".join(figures.failed)
