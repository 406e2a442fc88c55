"""Names that the drive cannot tell apart: seen before a byte moves, renamed where that is wanted, never lost."""

import hashlib
import shutil

import pytest

from runner.plan.alias import alias
from tests.stories.conftest import NIGHTLY, Machine

RENAMING = NIGHTLY.replace("mode: mirror", "mode: mirror, case: rename")


def stored(machine: Machine) -> dict[str, str]:
    """Path below the pair's root to MD5 of every live file."""
    with machine.drive() as drive:
        return {path.removeprefix("photos/"): md5 for path, md5 in drive.files().items()}


def md5(content: str) -> str:
    """By the standard library alone."""
    return hashlib.md5(content.encode()).hexdigest()


@pytest.mark.torture
def test_X4_twins_are_refused_by_default_and_the_plan_says_so_before_a_byte_moves(machine: Machine) -> None:
    job = machine.nightly()
    machine.write({"File.jpg": "one", "file.jpg": "two", "fine.jpg": "3"})

    plan = machine.acdrun("--plan", job)
    said = machine.acdrun(job)

    assert "! File.jpg: blocked: the destination cannot tell it from 'file.jpg'" in plan.out
    assert (plan.code, said.code) == (3, 3)
    assert stored(machine) == {"fine.jpg": md5("3")}


@pytest.mark.torture
def test_X4_twins_are_stored_apart_where_that_is_the_policy(machine: Machine) -> None:
    job = machine.nightly(RENAMING)
    machine.write({"File.jpg": "one", "file.jpg": "two", "d/\u00e9": "nfc", "d/e\u0301": "nfd"})

    plan = machine.acdrun("--plan", job)
    said = machine.acdrun(job)
    again = machine.acdrun(job)

    assert f"+   file.jpg (as {alias('file.jpg')})  3B" in plan.out
    assert (plan.code, said.code) == (0, 0)
    assert stored(machine) == {
        "File.jpg": md5("one"), alias("file.jpg"): md5("two"),
        "d/e\u0301": md5("nfd"), f"d/{alias(chr(0xe9))}": md5("nfc"),
    }  # fmt: skip
    assert "nothing to do" in again.out
    assert "2 files stored under an alias" in said.out


RESPELLED = [("photos", "Photos"), ("A/m/B", "a/M/b"), ("cafe\u0301", "caf\u00e9"), ("x/D", "x/d")]


@pytest.mark.torture
def test_X5_folders_that_only_changed_their_spelling_are_renamed_and_nothing_is_sent(
    machine: Machine,
) -> None:
    job = machine.nightly()
    machine.write({f"{old}/{number}.jpg": old for old, _ in RESPELLED for number in range(3)})
    machine.acdrun(job)
    with machine.drive() as drive:
        before = {node["id"] for node in drive.nodes("kind:FILE")}
    shutil.rmtree(machine.photos)
    machine.write({f"{new}/{number}.jpg": old for old, new in RESPELLED for number in range(3)})

    plan = machine.acdrun("--plan", job)
    said = machine.acdrun(job)
    again = machine.acdrun(job)

    assert (plan.code, said.code, again.code) == (0, 0, 0)
    assert "> 6 folders moved" in plan.out
    assert ">   photos/ → Photos/" in plan.out
    assert ">   a/M/B/ → a/M/b/" in plan.out
    assert "0 new, 0 changed, 6 moved, 0 trashed; 0B to send" in plan.out
    assert "moved 6 folders" in said.out
    assert "nothing to do" in again.out
    with machine.drive() as drive:
        assert {node["id"] for node in drive.nodes("kind:FILE")} == before
        assert drive.trashed() == []
        assert drive.files() == {
            f"photos/{new}/{number}.jpg": md5(old) for old, new in RESPELLED for number in range(3)
        }
