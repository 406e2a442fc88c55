"""`acdrun undo` as it is typed, and what it prints."""

import json
from pathlib import Path

import pytest

from tests.golden import same_as_golden
from tests.rooms.cli.conftest import Acdrun, manifest, write


@pytest.fixture
def spoilt(acdrun: Acdrun, place: Path) -> str:
    """A run that trashed one file, replaced one and made one; returns its label."""
    write(place / "m.yaml", manifest("guard: { trash: { max: 100% } }"))
    assert acdrun("m.yaml").code == 0
    (place / "src/one.txt").unlink()
    write(place / "src/sub/two.txt", "spoilt")
    write(place / "src/sub/four.txt", "4")
    assert acdrun("m.yaml").code == 0
    return str(json.loads(acdrun("history", "--json").out.splitlines()[0])["run"])


def test_a_plan_an_undo_and_a_second_one_read_as_a_person_wants_them(
    acdrun: Acdrun, place: Path, spoilt: str
) -> None:
    said = acdrun("log", spoilt).out.splitlines()[-1] + "\n"
    for argv in (("--plan", "last"), ("last",), ("last",), ("--created", "last")):
        said += f"$ acdrun undo {' '.join(argv)}\n" + acdrun("undo", *argv).out

    same_as_golden("undo", said, place)
    assert {str(p.relative_to(place / "dst")) for p in (place / "dst").rglob("*.txt")
            if ".acdrun-trash" not in p.parts} == {"one.txt", "sub/two.txt", "sub/deep/three.txt"}  # fmt: skip


def test_a_plan_that_found_something_to_do_can_end_with_ten(acdrun: Acdrun, spoilt: str) -> None:
    assert acdrun("undo", "--plan", "--detailed-exitcode", spoilt).code == 10
    assert acdrun("undo", spoilt).code == 0
    assert acdrun("undo", "--plan", "--detailed-exitcode", spoilt).code == 0


def test_records_tell_every_path_and_what_became_of_it(acdrun: Acdrun, spoilt: str) -> None:
    records = [json.loads(line) for line in acdrun("undo", "--json", spoilt).out.splitlines()]

    done = {
        (r["task"], r["path"]): r["state"] for r in records if r["record"] == "change" and r["task"] != "look"
    }
    assert done == {("restore", "one.txt"): "done", ("restore", "sub/two.txt"): "done"}
    (pair,) = [r for r in records if r["record"] == "pair"]
    assert pair["done"]["restored"]["files"] == pair["done"]["reverted"]["files"] == 1
    assert records[-1]["exit"] == 0


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["nothing"], "there is no run 'nothing'"),
        ([], "the following arguments are required: RUN"),
        (["--detailed-exitcode", "last"], "--detailed-exitcode goes with --plan"),
        (["--max-trash", "3", "last"], "goes with --created"),
        (["--pair", "photo", "last"], "the run has no pair 'photo'"),
        (["--only", "[", "last"], "the filter is not valid"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_meant_is_refused(acdrun: Acdrun, spoilt: str, argv: list[str], says: str) -> None:
    ended = acdrun("undo", *argv)

    assert ended.code == 2
    assert says in ended.err


def test_quiet_says_nothing_when_all_is_well_and_names_what_is_not(
    acdrun: Acdrun, place: Path, spoilt: str
) -> None:
    write(place / "dst/sub/two.txt", "mine")

    ended = acdrun("undo", "-q", spoilt)

    assert ended.code == 3
    assert "sub/two.txt: stale: changed since that run" in ended.out
    assert "brought back" not in ended.out
    write(place / "dst/sub/two.txt", "mine")
    assert (place / "dst/one.txt").read_text() == "one"


def test_more_than_the_guard_allows_names_the_command_that_does_it(acdrun: Acdrun, place: Path) -> None:
    for number in range(20):
        write(place / f"src/{number}.txt", "x")
    acdrun("m.yaml")

    ended = acdrun("undo", "--created", "last")

    assert ended.code == 4
    assert "acdrun undo --created 20" in ended.out
    assert "--max-trash N" in ended.out
    assert len(list((place / "dst").glob("*.txt"))) == 21
    assert acdrun("undo", "--created", "--max-trash", "23", "last").code == 0
    assert not list((place / "dst").glob("*.txt"))


def test_it_finds_the_places_of_the_run_from_wherever_it_is_typed(
    acdrun: Acdrun, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = manifest("guard: { trash: { max: 100% } }", top="remotes: { disk: { type: local, path: disk } }")
    write(place / "m.yaml", text.replace("destination: dst", "destination: 'disk:'"))
    assert acdrun("m.yaml").code == 0
    (place / "src/one.txt").unlink()
    assert acdrun("m.yaml").code == 0
    (place / "elsewhere").mkdir()
    monkeypatch.chdir(place / "elsewhere")

    assert acdrun("undo", "last").code == 0

    assert (place / "disk/one.txt").read_text() == "one"
    assert list((place / "elsewhere").iterdir()) == []
