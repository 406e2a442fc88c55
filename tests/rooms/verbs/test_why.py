"""`why`: which rule decides about a path."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.rooms.cli.conftest import Acdrun, manifest, write

FILTERED = """\
filter:
  - exclude: "*.tmp"
  - exclude: "/cache/"
  - include: "*.txt"
"""


def why(acdrun: Acdrun, path: str) -> dict[str, Any]:
    """The one record about the path."""
    said = acdrun("why", "--json", "m.yaml", path)
    assert said.code == 0, said
    (record,) = [one for one in map(json.loads, said.out.splitlines()) if one["record"] == "why"]
    return dict(record)


def test_the_rule_and_its_line_are_named(acdrun: Acdrun, place: Path) -> None:
    write(place / "m.yaml", manifest(FILTERED))
    write(place / "src/x.tmp", "x")
    write(place / "src/cache/deep/y.txt", "y")

    left_out, below, taken = why(acdrun, "x.tmp"), why(acdrun, "cache/deep/y.txt"), why(acdrun, "one.txt")

    assert (left_out["admitted"], left_out["rule"]) == (False, 'exclude: "*.tmp"')
    assert left_out["rule_place"] == "m.yaml:10:13"
    assert (below["admitted"], below["rule"]) == (False, 'exclude: "/cache/"')
    assert (taken["admitted"], taken["rule"]) == (True, 'include: "*.txt"')


@pytest.mark.parametrize(
    ("path", "sign", "reason", "would"),
    [
        ("one.txt", "=", "same size and time", "do nothing with it"),
        ("sub", "=", "folder on both sides", "do nothing with it"),
        ("new/deep/n.txt", "+", "new", "send it"),
        ("new", "+", "new folder", "make it"),
        ("gone/deep/g.txt", "-", "not in the source any more", "move it to the trash"),
        ("sub/two.txt", "~", "size differs", "send it"),
    ],
)
def test_what_a_run_would_do_is_what_its_rules_say(
    path: str, sign: str, reason: str, would: str, acdrun: Acdrun, place: Path
) -> None:
    acdrun("m.yaml")
    write(place / "src/new/deep/n.txt", "n")
    write(place / "dst/gone/deep/g.txt", "g")
    write(place / "src/sub/two.txt", "longer than before")

    said = why(acdrun, path)

    assert (said["sign"], said["reason"], said["would"]) == (sign, reason, would)


def test_what_is_blocked_says_by_what(acdrun: Acdrun, place: Path) -> None:
    write(place / "dst/sub", "a file where a folder is to be")

    blocked, below = why(acdrun, "sub"), why(acdrun, "sub/two.txt")

    assert blocked["would"] == "be blocked: a folder here, a file there"
    assert "below something that is blocked" in below["would"]


def test_a_link_is_named_as_what_it_is(acdrun: Acdrun, place: Path) -> None:
    (place / "src/link").symlink_to("one.txt")

    assert why(acdrun, "link")["would"] == "leave it out: it is a link or special file (links: skip)"


def test_a_path_is_found_by_its_place_on_either_side(acdrun: Acdrun, place: Path) -> None:
    acdrun("m.yaml")

    paths = {
        why(acdrun, text)["path"]
        for text in ("sub/two.txt", str(place / "src/sub/two.txt"), "./dst/sub/two.txt")
    }

    assert paths == {"sub/two.txt"}


def test_a_path_that_no_pair_covers_is_a_mistake(acdrun: Acdrun, place: Path) -> None:
    said = acdrun("why", "m.yaml", "/somewhere/else")

    assert said.code == 2
    assert f"its places: {place}/dst, {place}/src" in said.err


def test_a_root_has_no_rule(acdrun: Acdrun, place: Path) -> None:
    assert acdrun("why", "m.yaml", "").code == 2
    assert "is the root of a pair" in acdrun("why", "m.yaml", str(place / "src")).err


def test_a_path_that_is_nowhere_is_said_to_be_nowhere(acdrun: Acdrun) -> None:
    said = acdrun("why", "m.yaml", "no/such/thing")

    assert said.code == 0
    assert "it is on neither side" in said.out


def test_a_source_that_is_gone_is_told_and_nothing_is_concluded_from_it(acdrun: Acdrun, place: Path) -> None:
    acdrun("m.yaml")
    (place / "src").rename(place / "away")

    said = acdrun("why", "m.yaml", "one.txt")

    assert said.code == 3
    assert "the source does not exist, which a run refuses" in said.out
    assert "a run   would" not in said.out


def test_only_the_folders_on_the_way_are_listed(
    acdrun: Acdrun, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from runner.remote.remote import Remote

    write(place / "src/other/x", "x")
    listed, inner = [], Remote.list

    def spy(self: Remote, folder: str = "") -> Any:
        listed.append(folder)
        return inner(self, folder)

    monkeypatch.setattr(Remote, "list", spy)

    why(acdrun, "sub/deep/three.txt")

    assert set(listed) == {"", "sub", "sub/deep"}


def test_nothing_is_written(acdrun: Acdrun, place: Path) -> None:
    why(acdrun, "one.txt")

    assert not (place / "dst").exists()
    assert acdrun("history").out == "no runs yet\n"
