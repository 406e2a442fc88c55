"""Every job file that ships can be planned on any machine."""

from pathlib import Path

import pytest

from tests.stories.conftest import CHECKOUT, Machine

JOBS = sorted((CHECKOUT / "jobs").glob("*.yaml"))


@pytest.mark.parametrize("job", JOBS, ids=lambda path: path.stem)
def test_a_job_that_ships_can_be_planned(machine: Machine, job: Path) -> None:
    said = machine.acdrun("--plan", str(job))

    assert said.code == 0, said.err
    assert "plan:" in said.out
