"""What becomes of a run when its state directory does not hold what it should."""

import contextlib
import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stories.conftest import Machine

LOCAL = """\
version: 1
name: local
jobs:
  photos:
    pairs: [{source: ../photos, destination: ../copy, mode: mirror, checksum: {compare: hash}}]
"""


@pytest.fixture
def job(machine: Machine) -> str:
    """A job that has run once."""
    machine.write({f"{n}.txt": f"content {n}" for n in range(20)})
    (machine.jobs / "local.yaml").write_text(LOCAL)
    assert machine.acdrun("jobs/local.yaml").code == 0
    return "jobs/local.yaml"


def _journal(machine: Machine) -> Path:
    return max((machine.state / "runs").glob("*.journal"))


@pytest.mark.torture
@pytest.mark.parametrize("how", ["cut", "bits", "foreign"])
def test_D5_a_damaged_journal_is_named_and_keeps_no_run_from_its_work(
    machine: Machine, job: str, how: str
) -> None:
    journal = _journal(machine)
    data = bytearray(journal.read_bytes())
    if how == "bits":
        data[4096 : len(data)] = bytes(byte ^ 0x5A for byte in data[4096:])
    journal.write_bytes(
        {"cut": data[:5000], "bits": data, "foreign": bytearray(b"no database at all " * 99)}[how]
    )

    log = machine.acdrun("log", "last")
    machine.write({"new.txt": "new"})
    again = machine.acdrun(job)

    assert log.code == 2
    assert "damaged" in log.err or "was not written by acdrun" in log.err
    assert "Traceback" not in log.err
    assert again.code == 0, again.err
    assert (machine.home / "copy/new.txt").read_text() == "new"
    assert machine.acdrun("history").code == 0


def _copied(machine: Machine) -> dict[str, str]:
    copy = machine.home / "copy"
    return {path.relative_to(copy).as_posix(): path.read_text() for path in copy.rglob("*") if path.is_file()}


def _trashed(machine: Machine) -> set[str]:
    return {path for path in _copied(machine) if path.startswith(".acdrun-trash/")}


@pytest.mark.torture
def test_D5_an_older_copy_of_the_state_makes_no_old_plan_true_again(machine: Machine, job: str) -> None:
    shutil.copytree(machine.state, machine.home / "older")
    machine.write({"changed.txt": "first", "1.txt": "newer than it was"})
    (machine.photos / "2.txt").unlink()
    assert machine.acdrun("--plan", "--out", "it.plan", job).code == 0
    assert machine.acdrun("apply", "it.plan").code == 0
    machine.write({"changed.txt": "second, and longer"})
    (machine.photos / "2.txt").write_text("back again")
    assert machine.acdrun(job).code == 0
    before = _copied(machine)
    shutil.rmtree(machine.state)
    (machine.home / "older").rename(machine.state)

    applied = machine.acdrun("apply", "it.plan")
    there = _copied(machine)
    again = machine.acdrun(job)

    assert applied.code in (3, 5), applied.out + applied.err
    assert there == before, "nothing was written, replaced or trashed"
    assert again.code == 0, again.out + again.err
    assert "nothing to do" in again.out
    assert machine.acdrun("history").code == 0


@pytest.mark.torture
def test_D6_without_any_state_the_next_run_finds_by_content_what_is_there(machine: Machine, job: str) -> None:
    for file in (machine.state / "runs").iterdir():
        file.unlink()
    (machine.state / "hashes.db").unlink()

    again = machine.acdrun(job)

    assert again.code == 0
    assert "nothing to do: 20 files (190B) are the same on both sides, proven by md5" in again.out
    assert not (machine.home / "copy/.acdrun-trash").exists()


@pytest.mark.torture
def test_D6_a_state_that_was_lost_with_part_of_the_source_trashes_nothing_until_somebody_says_so(
    machine: Machine, job: str
) -> None:
    for number in range(12):
        (machine.photos / f"{number}.txt").unlink()
    shutil.rmtree(machine.state)
    before = _copied(machine)
    loose = LOCAL.replace("mode: mirror", "mode: mirror, guard: {trash: {max: 100%}}")
    (machine.jobs / "local.yaml").write_text(loose)

    refused = machine.acdrun(job)
    untouched = _copied(machine)
    (command,) = re.findall(r"acdrun (jobs/local.yaml --accept [0-9a-f]+)", refused.err + refused.out)
    accepted = machine.acdrun(*command.split())

    assert (refused.code, untouched) == (4, before)
    said = " ".join((refused.out + refused.err).split())
    assert "trash.no_history is refuse (default, for the pair at jobs/local.yaml:5:13), but 12 files" in said
    assert "no good run of this pair is on record here" in said
    assert accepted.code == 0, accepted.out + accepted.err
    assert sorted(_copied(machine)) == sorted({f"{n}.txt" for n in range(12, 20)} | _trashed(machine))


@pytest.mark.torture
def test_D6_a_job_whose_runs_never_have_a_state_can_say_so(machine: Machine, job: str) -> None:
    for number in range(12):
        (machine.photos / f"{number}.txt").unlink()
    shutil.rmtree(machine.state)
    guard = "guard: {trash: {max: 100%, no_history: allow}}"
    (machine.jobs / "local.yaml").write_text(LOCAL.replace("mode: mirror", f"mode: mirror, {guard}"))

    ended = machine.acdrun(job)

    assert ended.code == 0, ended.out + ended.err
    assert len(_trashed(machine)) == 12


@pytest.mark.torture
@pytest.mark.parametrize("file", ["journal", "hashes.db"])
def test_D7_what_a_newer_version_wrote_is_refused_and_left_as_it_is(
    machine: Machine, job: str, file: str
) -> None:
    path = _journal(machine) if file == "journal" else machine.state / file
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 999")
    before = path.read_bytes()

    said = machine.acdrun(*(("log", "last") if file == "journal" else (job,)))

    assert said.code == 2
    assert "was written by a newer acdrun" in said.err
    assert path.read_bytes() == before


def test_a_damaged_hash_cache_is_set_aside(machine: Machine, job: str) -> None:
    (machine.state / "hashes.db").write_bytes(os.urandom(9000))

    again = machine.acdrun(job)

    assert again.code == 0, again.err
    assert "nothing to do" in again.out
    assert (machine.state / "hashes.db.damaged").exists()


@contextlib.contextmanager
def _small_disk(place: Path, size: str) -> Iterator[None]:
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(place)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("no small disk can be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", str(place)], check=True)


@pytest.mark.torture
def test_D1_a_run_whose_journal_finds_no_room_ends_in_order_and_says_so(machine: Machine) -> None:
    machine.write({f"{'long name ' * 10}{n:05}/{'x' * 100}.txt": "" for n in range(2500)})
    (machine.jobs / "local.yaml").write_text(LOCAL)
    with _small_disk(machine.state, "5400k"):
        said = machine.acdrun("jobs/local.yaml")
        history = machine.acdrun("history")

    assert said.code == 7, said.out + said.err
    assert "no room to write" in said.err
    assert "7 temporary" in history.out  # and not "interrupted": the last row found room
