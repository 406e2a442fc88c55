"""`status`: how every pair stands."""

import json
from pathlib import Path
from typing import Any

from runner.state.locks import Scope, locked
from tests.rooms.cli.conftest import Acdrun, manifest, write
from tests.rooms.verbs.test_resume import kill

TWO = "      - { source: src/sub, destination: other, mode: mirror }\n"


def records(out: str) -> list[dict[str, Any]]:
    """The pairs of `status --json`."""
    return [one for one in map(json.loads, out.splitlines()) if one["record"] == "status"]


def test_before_anything_ran_there_is_nothing_to_tell(acdrun: Acdrun) -> None:
    assert acdrun("status") == (0, "no runs yet\n", "")
    assert "never run" in acdrun("status", "m.yaml").out
    assert acdrun("status", "--max-age", "1d").code == 1


def test_each_pair_has_its_line(acdrun: Acdrun, place: Path) -> None:
    write(place / "m.yaml", manifest() + TWO)
    acdrun("m.yaml")
    acdrun("verify", "--pair", "photos", "m.yaml")

    said = acdrun("status")

    head, one, two = said.out.splitlines()
    assert head.split()[:2] == ["pair", "last"]
    assert one.split()[:3] == ["photos", "0", "converged"]
    assert "3 (2.94KiB)" in one
    assert "never" not in one
    assert two.split()[:3] == ["photos#2", "0", "converged"]
    assert "never" in two


def test_an_old_good_run_is_an_alarm_for_monitoring(acdrun: Acdrun, place: Path) -> None:
    acdrun("m.yaml")

    assert acdrun("status", "--max-age", "26h", "m.yaml").code == 0
    late = acdrun("status", "--max-age", "0s", "-q", "m.yaml")
    assert late.code == 1
    assert "photos of " in late.err
    assert "last good run: " in late.err


def test_a_repair_counts_neither_as_a_run_nor_as_a_verification(acdrun: Acdrun, place: Path) -> None:
    acdrun("m.yaml")
    (place / "dst/one.txt").unlink()
    (before,) = records(acdrun("status", "--json").out)
    acdrun("verify", "--repair", "m.yaml")

    (after,) = records(acdrun("status", "--json").out)

    assert (after["run"], after["purpose"]) == (before["run"], "run")
    assert after["verified"]["exit"] == 9


def test_a_failed_run_does_not_make_the_last_good_one_younger(acdrun: Acdrun, place: Path) -> None:
    acdrun("m.yaml")
    (good,) = records(acdrun("status", "--json").out)
    write(place / "m.yaml", manifest("guard: { source: { min_files: 100 } }"))
    acdrun("m.yaml")

    (now,) = records(acdrun("status", "--json").out)

    assert (now["word"], now["exit"]) == ("4 refused", 4)
    assert now["good"] == good["good"] == good["created"]


def test_a_run_that_was_killed_is_interrupted_and_one_that_holds_its_lock_is_not(
    acdrun: Acdrun, place: Path
) -> None:
    acdrun("m.yaml")
    label = kill(place)

    (dead,) = records(acdrun("status", "--json").out)
    with locked(place / "state", [Scope("local", "anywhere")], label):
        (alive,) = records(acdrun("status", "--json").out)

    assert (dead["word"], dead["interrupted"], dead["running"]) == ("interrupted", True, None)
    assert (alive["word"], alive["interrupted"]) == ("running now", False)
    assert alive["running"].startswith("process ")


def test_a_run_that_is_going_on_is_not_resumed(acdrun: Acdrun, place: Path) -> None:
    acdrun("m.yaml")
    label = kill(place)

    with locked(place / "state", [Scope("local", "anywhere")], label):
        assert acdrun("resume").out == "nothing was cut off\n"
        said = acdrun("resume", label)

    assert said.code == 2
    assert f"run {label} is going on" in said.err
