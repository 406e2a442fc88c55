"""The wrong source was mirrored last night: `undo` brings back what stood there before."""

import hashlib
import json
import shutil
import signal
import time
from pathlib import Path

import pytest

from tests.stories.conftest import Machine

TO_DRIVE = """\
version: 1
name: nightly
remotes:
  cloud: {type: amazon cloud drive, server: embedded}
jobs:
  photos:
    pairs:
      - source: ../photos
        destination: DESTINATION
        mode: mirror
        checksum: {compare: hash}
        retry: {attempts: 3, backoff: 10ms..50ms}
        guard: {trash: {max: 100%}, overwrite: {max: 100%}}
"""


def tree(folder: Path) -> dict[str, bytes | None]:
    """Every file and folder below, but for the trash; None for a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
        if ".acdrun-trash" not in path.parts
    }


def md5s(files: dict[str, bytes | None]) -> dict[str, str]:
    return {
        f"photos/{path}": hashlib.md5(data).hexdigest() for path, data in files.items() if data is not None
    }


def wrong_night(
    machine: Machine, job: str, *, trashed: int = 50, replaced: int = 20
) -> dict[str, bytes | None]:
    """Mirror a tree; spoil it and mirror that. Returns the tree as it was; the last run is the wrong one."""
    files = {f"2023/{number % 5}/{number}.jpg": f"lost {number}" for number in range(trashed)}
    files |= {f"2024/{number}.jpg": f"good {number}" for number in range(replaced)}
    machine.write({**files, "2024/keep.jpg": "keep", "2024/Name.jpg": "named"})
    assert machine.acdrun(job).code == 0
    before = tree(machine.photos)
    shutil.rmtree(machine.photos / "2023")
    machine.write({f"2024/{number}.jpg": f"spoilt {number}!" for number in range(replaced)})
    if (
        "destination: cloud:" in (machine.jobs / "nightly.yaml").read_text()
    ):  # names that the drive takes for one
        (machine.photos / "2024/Name.jpg").rename(machine.photos / "2024/NAME.jpg")
    machine.write({"2025/made.jpg": "made"})
    said = machine.acdrun(job)
    assert said.code == 0, said
    assert f"trashed {trashed}" in said.out
    assert "to take it back: acdrun undo 20" in said.out
    return before


def test_a_mirror_to_the_drive_is_undone_and_the_drive_is_what_it_was(machine: Machine) -> None:
    job = machine.nightly(TO_DRIVE.replace("DESTINATION", "cloud:photos"))
    before = wrong_night(machine, job)

    planned = machine.acdrun("undo", "--plan", "--created", "last")
    undone = machine.acdrun("undo", "--created", "last")
    again = machine.acdrun("undo", "--created", "last")

    assert (planned.code, undone.code, again.code) == (0, 0, 0)
    assert "50 back from the trash, 20 back to the old content, 1 moved back, 1 to the trash" in planned.out
    for line in (
        "brought back 50 files",
        "6 folders",
        "gave 20 files their old content",
        "moved 1 file back",
        "trashed 1 file",
    ):
        assert line in undone.out
    assert "nothing to do" in again.out
    with machine.drive() as drive:
        assert drive.files() == md5s(before)
        assert len(drive.trashed()) == 20 + 2
    assert "undo of 20" in machine.acdrun("history").out


def test_a_mirror_to_a_disk_is_undone_byte_by_byte(machine: Machine) -> None:
    job = machine.nightly(TO_DRIVE.replace("DESTINATION", "../backup"))
    before = wrong_night(machine, job)
    backup = machine.home / "backup"

    only = machine.acdrun("undo", "--only", "2023/1/*", "last")
    assert sorted(path for path in tree(backup) if path.startswith("2023")) == [
        "2023", "2023/1", *sorted(f"2023/1/{number}.jpg" for number in range(1, 50, 5)),
    ]  # fmt: skip
    undone = machine.acdrun("undo", "--created", "last")

    assert (only.code, undone.code) == (0, 0)
    assert tree(backup) == before
    log = machine.acdrun("log", [line.split()[0] for line in machine.acdrun("history").out.splitlines()][3])
    assert "to take it back: acdrun undo 20" in log.out


def test_what_was_edited_since_is_left_alone_and_told(machine: Machine) -> None:
    job = machine.nightly(TO_DRIVE.replace("DESTINATION", "../backup"))
    before = wrong_night(machine, job, trashed=3, replaced=3)
    backup = machine.home / "backup"
    (backup / "2024/1.jpg").write_text("edited by hand")
    shutil.rmtree(backup / ".acdrun-trash" / sorted((backup / ".acdrun-trash").iterdir())[0].name / "2023/0")

    undone = machine.acdrun("undo", "--created", "last")
    told = machine.acdrun("undo", "--created", "--json", "last")

    assert undone.code == told.code == 1
    assert "2024/1.jpg: stale: changed since that run" in undone.out
    assert "2023/0/0.jpg: not found: its old content is not in the trash any more" in undone.out
    left = {"2023/0/0.jpg": None, "2024/1.jpg": b"edited by hand"}
    assert {path: data for path, data in tree(backup).items() if path not in left} == {
        path: data for path, data in before.items() if path not in left
    }
    assert (backup / "2024/1.jpg").read_bytes() == b"edited by hand"
    records = [json.loads(line) for line in told.out.splitlines()]
    assert (records[0]["purpose"], records[-1]["exit"]) == ("undo", 1)
    assert {r["path"] for r in records if r["record"] == "problem"} == {"2023/0/0.jpg", "2024/1.jpg"}


@pytest.mark.torture
def test_P9_an_undo_that_is_killed_is_finished_by_the_next_one(machine: Machine) -> None:
    job = machine.nightly(TO_DRIVE.replace("DESTINATION", "cloud:photos"))
    before = wrong_night(machine, job, trashed=80, replaced=40)
    process = machine.start("undo", "--created", "last")
    deadline = time.monotonic() + 80
    while process.poll() is None and under_way(machine) < 5:
        assert time.monotonic() < deadline, "the undo does not get on"
        time.sleep(0.05)

    process.send_signal(signal.SIGKILL)
    process.communicate()
    time.sleep(0.5)  # the server winds down; nothing tells us when
    said = machine.acdrun("undo", "--created", "last")
    again = machine.acdrun("undo", "--created", "last")

    assert process.returncode == -signal.SIGKILL
    assert (said.code, again.code) == (0, 0)
    assert "was cut off" in said.err
    assert "taken back already" in said.out
    assert "nothing to do" in again.out
    with machine.drive() as drive:
        assert drive.files() == md5s(before)


def under_way(machine: Machine) -> int:
    """How far the latest undo has come, in operations of its journal that are done and write."""
    import sqlite3

    done = 0
    for journal in machine.state.glob("runs/*.journal"):
        try:
            with sqlite3.connect(journal, timeout=5) as connection:
                query = (
                    "SELECT count(*) FROM op JOIN stage ON stage.id = op.stage WHERE op.state = 'done'"
                    " AND task = 'restore' AND (SELECT purpose FROM run) = 'undo'"
                )
                done += connection.execute(query).fetchone()[0]
        except sqlite3.OperationalError:
            continue
        finally:
            connection.close()
    return done
