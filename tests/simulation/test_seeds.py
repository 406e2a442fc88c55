"""Whole runs, hundreds of histories: what was promised holds after every step of each.

`ci/simulate` lives thousands of them. A seed that fails there gets a name here.
"""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.simulation.life import Broken
from tests.simulation.stage import simulate, trace

SEEDS = 140
PART = 20


@pytest.mark.torture
@pytest.mark.parametrize("first", range(0, SEEDS, PART))
def test_p_every_history_keeps_the_promises(first: int) -> None:
    """P1 to P9, P14, N3, N4, N6, N9, N11, N12, N13, N15, N16, S1, S5, G2, G5, L6: whichever the seeds meet."""
    for seed in range(first, first + PART):
        simulate(seed)


@pytest.mark.torture
def test_p_the_simulation_meets_what_it_is_there_for() -> None:
    met: Counter[str] = Counter()
    for seed in (7, 17, 1084, 1100, *range(1000, 1050)):
        met += simulate(seed)

    wanted = {
        *(f"death: {when} {what}" for when in ("before", "after") for what in ("commit", "effect")),
        *(f"put: {kind}" for kind in ("before", "half", "late", "after", "wrong digest", "rot")),
        *(f"list: {kind}" for kind in ("before", "half", "twice", "stale")),
        *(f"effect: {verb}" for verb in ("put", "mkdir", "move", "trash", "restore")),
        *("power cut", "two at once", "src edited", "dst edited", "exit: 0", "exit: 3", "exit: 4"),
        *("src renamed", "accepted", "verified", "damaged files"),
    }
    assert wanted <= met.keys(), f"never met: {sorted(wanted - met.keys())}"


def test_a_seed_is_one_history_in_every_process() -> None:
    ours = [trace(seed).trace for seed in (1, 10, 27, 1791)]
    code = (
        "from tests.simulation.stage import trace; print([trace(seed).trace for seed in (1, 10, 27, 1791)])"
    )
    theirs = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    ).stdout

    assert theirs.strip() == str(ours)


def test_a_broken_promise_names_its_seed_and_the_steps_before() -> None:
    from tests.simulation.mutations import MUTATIONS

    (rule,) = [one for one in MUTATIONS if one.rule == "an overwrite keeps the old content"]
    with rule.patch(), pytest.raises(Broken) as caught:
        simulate(0)

    assert "seed 0: I1: lost" in str(caught.value)
    assert "dst put" in str(caught.value)
