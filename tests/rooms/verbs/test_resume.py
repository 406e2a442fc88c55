"""`resume`: what was cut off goes on."""

import sqlite3
from pathlib import Path

import pytest

from tests.rooms.cli.conftest import Acdrun, manifest, write
from tests.rooms.verbs.test_verify import snapshot


def kill(place: Path) -> str:
    """Make the latest journal that of a run that was killed; return its label."""
    journal = max((place / "state/runs").glob("*.journal"))
    with sqlite3.connect(journal) as connection:
        connection.execute("UPDATE run SET state = 'applying', ended = NULL, exit = NULL")
    connection.close()
    return journal.stem


def test_nothing_cut_off_is_said_and_is_no_error(acdrun: Acdrun) -> None:
    assert acdrun("resume") == (0, "nothing was cut off\n", "")
    acdrun("m.yaml")
    assert acdrun("resume") == (0, "nothing was cut off\n", "")
    assert acdrun("resume", "last").out == "run last was not cut off\n"


def test_a_run_whose_budget_was_used_up_is_run_again(acdrun: Acdrun, place: Path) -> None:
    for number in range(200):
        write(place / f"src/many/{number}", "x" * 1000)
    assert acdrun("--max-transfer", "1KB", "m.yaml").code == 11

    said = acdrun("resume")

    assert said.code == 0
    assert "was cut off" in said.err
    assert "photos: upload: " in said.err
    assert snapshot(place / "dst") == snapshot(place / "src")
    assert acdrun("resume").out == "nothing was cut off\n"


def test_an_apply_goes_on_with_its_own_plan(acdrun: Acdrun, place: Path) -> None:
    for number in range(200):
        write(place / f"src/many/{number}", "x" * 1000)
    acdrun("--plan", "--out", "a.plan", "m.yaml")
    assert acdrun("apply", "--max-transfer", "1KB", "a.plan").code == 11
    planned = snapshot(place / "src")
    write(place / "src/later", "not in the plan")

    said = acdrun("resume")

    assert said.code == 0
    assert said.err.startswith("acdrun: apply ")
    assert snapshot(place / "dst") == planned


def test_a_killed_run_is_run_again_and_then_nothing_is_left(acdrun: Acdrun, place: Path) -> None:
    acdrun("m.yaml")
    label = kill(place)
    (place / "dst/one.txt").unlink()

    said = acdrun("resume", label)

    assert said.code == 0
    assert f"run {label} of {place / 'm.yaml'}" in said.err
    assert snapshot(place / "dst") == snapshot(place / "src")
    assert acdrun("resume").out == "nothing was cut off\n"


def test_a_manifest_that_has_changed_since_is_refused(acdrun: Acdrun, place: Path) -> None:
    acdrun("m.yaml")
    kill(place)
    write(place / "m.yaml", manifest().replace("mirror", "copy"))

    said = acdrun("resume")

    assert said.code == 2
    assert "has changed since run" in said.err
    assert f"acdrun {place / 'm.yaml'}" in said.err


@pytest.mark.parametrize("verb", ["copy", "restore"])
def test_a_one_off_is_done_again_from_its_journal(verb: str, acdrun: Acdrun, place: Path) -> None:
    acdrun("m.yaml")
    acdrun("copy", "src", "dst2") if verb == "copy" else acdrun("restore", "m.yaml", "dst2")
    kill(place)
    (place / "dst2/one.txt").unlink()

    assert acdrun("resume").code == 0
    assert (place / "dst2/one.txt").read_text() == "one"


def test_a_later_run_that_ended_well_leaves_nothing_to_resume(acdrun: Acdrun, place: Path) -> None:
    acdrun("--max-transfer", "1KB", "m.yaml")
    kill(place)
    acdrun("m.yaml")

    assert acdrun("resume").out == "nothing was cut off\n"


def test_a_verification_is_done_again_as_it_was_asked_for(acdrun: Acdrun, place: Path) -> None:
    acdrun("m.yaml")
    acdrun("verify", "--sample", "50%", "m.yaml")
    kill(place)

    said = acdrun("resume")

    assert said.code == 0
    assert "part 1 of 2 was read this time" in said.out


def test_a_run_that_does_not_exist_is_a_mistake(acdrun: Acdrun) -> None:
    said = acdrun("resume", "nope")

    assert said.code == 2
    assert "there is no run 'nope'" in said.err
