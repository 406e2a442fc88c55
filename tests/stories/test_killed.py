"""kill -9 in the middle of a run, and the run after it."""

import hashlib
import signal
import sqlite3
import time
from pathlib import Path

from tests.stories.conftest import Machine

FILES = 2000
UNDER_WAY = 512
"""Uploads at once, to which a drive may take: the most that a kill may cost."""


def stored(machine: Machine) -> int:
    """How many files the drive has on its disk, asked of nobody."""
    return sum(1 for path in (machine.state / "emulator/cloud/content").rglob("*") if path.is_file())


def uploads(machine: Machine) -> int:
    """How many uploads all journals together know to be done."""
    total = 0
    for journal in machine.state.glob("runs/*.journal"):
        with sqlite3.connect(journal) as connection:
            query = (
                "SELECT count(*) FROM op JOIN stage ON stage.id = op.stage"
                " WHERE task = 'upload' AND op.state = 'done'"
            )
            total += connection.execute(query).fetchone()[0]
        connection.close()
    return total


def wait_for(machine: Machine, files: int) -> None:
    deadline = time.monotonic() + 60
    while stored(machine) < files:
        assert time.monotonic() < deadline, "the run does not get on"
        time.sleep(0.02)


def test_a_killed_upload_of_2000_files_is_finished_by_the_next_run(machine: Machine, tmp_path: Path) -> None:
    job = machine.nightly()
    machine.write({f"{number // 100:02}/{number}.jpg": f"picture {number}" * 50 for number in range(FILES)})
    process = machine.start(job)
    wait_for(machine, 300)

    process.send_signal(signal.SIGKILL)
    process.communicate()
    time.sleep(0.5)  # the server winds down; nothing tells us when
    at_kill = stored(machine)
    said = machine.acdrun(job)

    assert 300 <= at_kill < FILES
    assert said.code == 0
    expected = {
        f"photos/{path.relative_to(machine.photos)}": hashlib.md5(path.read_bytes()).hexdigest()
        for path in machine.photos.rglob("*.jpg")
    }
    with machine.drive() as drive:
        assert drive.files() == expected
        assert drive.trashed() == []
    # What is on the drive's disk was sent once each: nothing was stored twice, and nothing sent again.
    assert stored(machine) == FILES
    assert FILES - UNDER_WAY - 500 <= uploads(machine) <= FILES
    assert machine.acdrun(job).out.count("nothing to do") == 1


def test_a_run_that_was_cut_off_is_named_by_the_next_one(machine: Machine) -> None:
    job = machine.nightly()
    machine.write({f"{number}.jpg": "x" * 2000 for number in range(600)})
    process = machine.start(job)
    wait_for(machine, 50)
    process.send_signal(signal.SIGKILL)
    process.communicate()

    said = machine.acdrun(job)
    history = machine.acdrun("history")

    assert said.code == 0
    assert "cut off" in said.err
    assert "130" in history.out or "interrupted" in history.out


def test_ctrl_c_finishes_what_is_under_way_and_says_so(machine: Machine) -> None:
    job = machine.nightly()
    machine.write({f"{number}.jpg": "x" * 2000 for number in range(2000)})
    process = machine.start(job)
    wait_for(machine, 50)

    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "SIGINT" in err
    assert "Traceback" not in out + err
    assert machine.acdrun(job).code == 0
