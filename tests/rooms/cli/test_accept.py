"""What a refusal says, and the one command that accepts one plan."""

import json
import re
from pathlib import Path

import pytest

from tests.rooms.cli.conftest import Acdrun, manifest, write

LIMITED = "guard:\n  trash: { max_files: 2 }"


@pytest.fixture
def shrunk(acdrun: Acdrun, place: Path) -> None:
    """Three of four files are gone from the source since the last good run, and two may be trashed."""
    write(place / "src/kept.txt", "kept")
    write(place / "m.yaml", manifest(LIMITED))
    assert acdrun("m.yaml").code == 0
    for path in [path for path in (place / "src").rglob("*.txt") if path.name != "kept.txt"]:
        path.unlink()


def fingerprint(text: str) -> str:
    """What the refusal says to type."""
    found = re.search(r"acdrun m\.yaml --accept ([0-9a-f]{12})\b", text)
    assert found
    return found[1]


@pytest.mark.torture
@pytest.mark.usefixtures("shrunk")
def test_G3_a_refusal_names_line_numbers_last_run_and_the_command_that_accepts_the_plan(
    acdrun: Acdrun, place: Path
) -> None:
    plan, run = acdrun("--plan", "m.yaml"), acdrun("m.yaml")

    assert plan.code == run.code == 4
    for out in (plan.out, run.out):
        assert (
            "trash.max_files is 2 (m.yaml:10:20), but 3 files (2.94KiB) of 4 files (2.94KiB) would be" in out
        )
        assert re.search(r"the last good run, \S+ \(\d{4}-\d\d-\d\d \d\d:\d\d UTC\), listed 4 files", out)
    assert "plan: 0 new, 0 changed, 3 trashed;" in plan.out
    assert fingerprint(plan.out) == fingerprint(run.out)

    accepted = acdrun("m.yaml", "--accept", fingerprint(run.out))

    assert accepted.code == 0
    assert "guard accepted: trash.max_files is 2" in accepted.out
    assert [path.name for path in (place / "dst").rglob("*.txt") if ".acdrun" not in str(path)] == [
        "kept.txt"
    ]


@pytest.mark.usefixtures("shrunk")
def test_a_plan_that_changed_since_is_refused_again(acdrun: Acdrun, place: Path) -> None:
    mark = fingerprint(acdrun("m.yaml").out)
    (place / "src/kept.txt").unlink()
    write(place / "src/other.txt", "other")

    ended = acdrun("m.yaml", "--accept", mark)

    assert ended.code == 4
    assert (
        "this is not the plan that was accepted, it has changed; if exactly this plan is meant" in ended.out
    )
    assert fingerprint(ended.out) != mark
    assert (place / "dst/kept.txt").exists()


@pytest.mark.usefixtures("shrunk")
def test_a_refused_plan_is_saved_only_when_it_is_accepted(acdrun: Acdrun, place: Path) -> None:
    refused = acdrun("--plan", "--out", "p", "m.yaml")
    there = (place / "p").exists()
    accepted = acdrun("--plan", "--out", "p", "--accept", fingerprint(refused.out), "m.yaml")
    again = acdrun("--plan", "--accept", fingerprint(refused.out), "m.yaml")

    assert (refused.code, there, accepted.code) == (4, False, 0)
    assert "it was not saved" in refused.out
    assert f"to do it:  acdrun m.yaml --accept {fingerprint(refused.out)}\n" in again.out
    assert acdrun("apply", "p").code == 0
    assert not (place / "dst/one.txt").exists()


@pytest.mark.usefixtures("shrunk")
def test_records_carry_every_check_and_the_fingerprint(acdrun: Acdrun) -> None:
    records = [json.loads(line) for line in acdrun("--json", "--plan", "m.yaml").out.splitlines()]

    (pair,) = [record for record in records if record["record"] == "plan"]
    (total,) = [record for record in records if record["record"] == "summary"]
    assert [check["limit"] for check in pair["checks"] if check["level"] == "refused"] == ["trash.max_files"]
    assert total["refused"] == [fingerprint(acdrun("m.yaml").out)]


def test_what_no_option_accepts_is_said_so(acdrun: Acdrun, place: Path) -> None:
    write(place / "m.yaml", manifest("guard: { source: { sentinel: .mounted, min_files: 9 } }"))

    ended = acdrun("m.yaml")

    assert ended.code == 4
    assert "--accept" not in ended.out
    assert "no option accepts this" in ended.out


@pytest.mark.parametrize("words", [("--accept", "xyz", "m.yaml"), ("--accept", "0" * 12, "m.yaml", "n.yaml")])
def test_what_cannot_be_accepted_is_a_mistake(acdrun: Acdrun, place: Path, words: tuple[str, ...]) -> None:
    write(place / "n.yaml", manifest())

    assert acdrun(*words).code == 2
    assert not (place / "dst").exists()
