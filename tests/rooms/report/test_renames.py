"""How renames are told: folder by folder, with what need not be sent."""

import json
from pathlib import Path

import pytest

from runner.model.path import moved_from
from tests.rooms.cli.conftest import Acdrun, acdrun, place, write

__all__ = ["acdrun", "place"]


@pytest.mark.parametrize(
    ("old", "new", "folders"),
    [
        ("2015/a/x", "2016/a/x", ("2015/", "2016/")),
        ("2015/x", "old/2015/x", ("./", "old/")),
        ("a/b/x", "x", ("a/b/", "./")),
        ("a/x", "a/y", ("a/", "a/")),
        ("x", "y", ("./", "./")),
        ("a/x", "b/y", ("a/", "b/")),
        ("a/b/a/x", "a/x", ("a/b/", "./")),
    ],
)
def test_a_move_is_told_by_the_highest_folders_that_differ(
    old: str, new: str, folders: tuple[str, str]
) -> None:
    assert (moved_from(old, new), moved_from(new, old)) == folders


def rename_all(place: Path) -> None:
    """Two folders move, thirty files get new names where they are, and one moves alone."""
    (place / "src/2015").rename(place / "src/2016")
    for number in range(30):
        (place / f"src/flat/{number}.jpg").rename(place / f"src/flat/trip {number}.jpg")
    (place / "src/2016/a/0").rename(place / "src/alone")


def test_many_moves_are_told_folder_by_folder_and_what_finds_no_line_is_counted(
    acdrun: Acdrun, place: Path
) -> None:
    for number in range(30):
        write(place / f"src/flat/{number}.jpg", f"picture {number}")
        write(place / f"src/2015/a/{number}", f"text {number}")
        write(place / f"src/{number}/in/only", f"number {number}")
    acdrun("m.yaml")
    rename_all(place)

    plan = acdrun("--plan", "m.yaml").out
    for number in range(30):
        (place / f"src/{number}").rename(place / f"src/n{number}")
    more = acdrun("--plan", "m.yaml").out
    told = [json.loads(line) for line in acdrun("--plan", "--json", "m.yaml").out.splitlines()]
    every = acdrun("--plan", "-v", "m.yaml").out

    assert "  > 60 files (490B) moved, not sent again\n" in plan
    assert (
        "  >   flat/  30 files, 290B\n  >   2015/ → 2016/  29 files, 194B\n  >   2015/a/0 → alone  6B\n"
        in plan
    )
    assert more.count("\n  >   ") == 7
    assert "  >   … 27 more, 232B (-v shows all)\n" in more
    assert [r["bytes_not_sent"] for r in told if r["record"] in ("plan", "summary")] == [750, 750]
    assert next(r["renamed"] for r in told if r["record"] == "plan") == {"files": 90, "bytes": 750}
    assert "  >   2015/a/0 → alone  6B  renamed in the source\n" in every
