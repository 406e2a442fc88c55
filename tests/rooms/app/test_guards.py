"""Guards: what looks like an accident changes nothing anywhere."""

from typing import Any

import pytest

from runner.model.errors import Denied, Unavailable
from tests.lab import Fault
from tests.lab.worlds import World

FAR = "far:"
TWENTY = {f"f{number:02}": "x" for number in range(20)}


def refused(world: World, guard: dict[str, Any]) -> str:
    """Run a mirror with this guard, that has to be refused with nothing changed; returns the objection."""
    before = world.nodes("dst"), world.trash("dst")
    ended = world.run(world.pair("mirror", guard=guard))
    assert ended.code == 4
    assert (world.nodes("dst"), world.trash("dst")) == before
    assert {change.state for change in ended.changes} <= {"held"}
    return ended.stage("accept", "", "job").why


@pytest.mark.torture
def test_G1_a_missing_source_is_refused(world: World) -> None:
    world.write("dst", {"a": "1"})

    ended = world.run(world.pair("mirror", source="src:not/there", guard={"source": {"empty": "allow"}}))

    assert ended.code == 4
    assert world.files("dst") == {"a": b"1"}


@pytest.mark.torture
def test_G2_an_empty_source_is_refused_while_the_destination_holds_something(world: World) -> None:
    world.write("dst", {"a": "1"})

    assert "the source is empty" in refused(world, {})


def test_an_empty_source_may_be_allowed(world: World) -> None:
    world.write("dst", {"a": "1"})

    ended = world.run(world.pair("mirror", guard={"source": {"empty": "allow"}}))

    assert ended.code == 0
    assert world.files("dst") == {}
    assert world.trash("dst") == {"a": [b"1"]}


def test_nothing_to_nowhere_is_fine(world: World) -> None:
    assert world.run().code == 0


@pytest.mark.torture
@pytest.mark.parametrize(
    ("limits", "word"),
    [
        ({"max": "10%", "always": 0}, "trash.max"),
        ({"max": "100%", "max_files": 2}, "trash.max_files"),
        ({"max": "14%", "always": 2}, "trash.max"),
    ],
)
def test_G3_more_trash_than_the_limit_is_refused(world: World, limits: dict[str, Any], word: str) -> None:
    world.write("src", dict(list(TWENTY.items())[3:]))
    world.write("dst", TWENTY)

    assert word in refused(world, {"trash": limits})


@pytest.mark.parametrize(
    "limits", [{"max": "15%", "always": 0}, {"max": "1%", "always": 3}, {"max_files": 3}]
)
def test_as_much_trash_as_the_limit_is_fine(world: World, limits: dict[str, Any]) -> None:
    world.write("src", dict(list(TWENTY.items())[3:]))
    world.write("dst", TWENTY)

    guard = {"trash": limits | {"no_history": "allow"}}

    assert world.run(world.pair("mirror", guard=guard)).code == 0


@pytest.mark.torture
def test_G3_the_share_is_of_bytes_too(world: World) -> None:
    world.write("src", TWENTY)
    world.write("dst", {**TWENTY, "big": "x" * 1000})

    assert "trash.max" in refused(world, {"trash": {"max": "10%", "always": 0}})


@pytest.mark.torture
@pytest.mark.parametrize("mode", ["mirror", "copy"])
def test_G8_more_overwrites_than_the_limit_are_refused(world: World, mode: str) -> None:
    world.write("src", dict.fromkeys(TWENTY, "y"))
    world.write("dst", TWENTY)

    ended = world.run(world.pair(mode, guard={"overwrite": {"max": "99%", "always": 19}}))

    assert ended.code == 4
    assert "overwrite.max" in ended.stage("accept", "", "job").why
    assert set(world.files("dst").values()) == {b"x"}


def test_files_found_the_same_by_hashing_count_as_no_overwrites(world: World) -> None:
    world.fields["dst"] = {"algorithms": []}
    world.write("src", TWENTY)
    world.write("dst", TWENTY)

    ended = world.run(world.pair("mirror", guard={"overwrite": {"max": "1%", "always": 0}}))

    assert ended.code == 0


def test_fewer_files_than_the_source_must_hold_are_refused(world: World) -> None:
    world.write("src", {"a": "1"})

    said = refused(world, {"source": {"min_files": 2}})

    assert "source.min_files is 2 (" in said
    assert "world.yaml:1:" in said
    assert "but only 1 are there" in said


@pytest.mark.torture
@pytest.mark.parametrize("here", [True, False])
def test_S9_a_source_without_its_sentinel_is_refused(world: World, here: bool) -> None:
    world.write("src", {"a": "1", "deep/.mounted": ""} if here else {"a": "1"})
    guard = {"source": {"sentinel": "deep/.mounted"}}

    if here:
        assert world.run(world.pair("mirror", guard=guard)).code == 0
    else:
        ended = world.run(world.pair("mirror", guard=guard))
        assert ended.code == 4
        assert "sentinel" in ended.stage("guard").why
        assert world.files("dst") == {}


def test_every_objection_is_said_at_once(world: World) -> None:
    world.write("dst", TWENTY)

    said = refused(world, {"source": {"min_files": 5}, "trash": {"max_files": 1}})

    assert said.count("; ") == 4


@pytest.mark.parametrize("jobs", ["one", "two"])
def test_a_refused_pair_leaves_all_pairs_unchanged(world: World, jobs: str) -> None:
    world.fields[FAR[:-1]] = {}
    world.write("src", {"a": "1"})
    bad, fine = World.ends(guard={"source": {"min_files": 2}}), World.ends(destination=FAR)
    both = (
        {"one": {"pairs": [fine, bad]}} if jobs == "one" else {"a": {"pairs": [fine]}, "b": {"pairs": [bad]}}
    )

    ended = world.run(world.manifest(both))

    assert ended.code == 4
    assert world.files("dst") == world.files("far") == {}


@pytest.mark.parametrize("error", [Denied("no"), Unavailable("down")])
def test_a_pair_that_cannot_be_listed_holds_back_itself_alone(
    world: World, error: Denied | Unavailable
) -> None:
    world.fields["bad"] = world.fields["far"] = {}
    world.write("src", {"a": "1"})
    world.write("bad", {"b": "2"})
    world.write("far", {"c": "3"})
    world.spoil("bad", Fault("list", 0, path="", error=error))
    pairs = [World.ends(source="bad:", destination="far:"), World.ends()]

    ended = world.run(world.manifest({"job": {"pairs": pairs}}))

    assert ended.code == error.exit
    assert world.files("far") == {"c": b"3"}
    assert world.files("dst") == {"a": b"1"}


def test_the_side_that_could_not_be_listed_is_the_one_that_failed(world: World) -> None:
    world.write("src", {"a": "1"})
    world.spoil("dst", Fault("list", 0, path="", error=Denied("no")))

    ended = world.run()

    assert (ended.stage("list", side="source").state, ended.stage("list", side="destination").state) == (
        "done",
        "failed",
    )


@pytest.mark.torture
@pytest.mark.parametrize("error", [Denied("no"), Unavailable("down")])
def test_S8_a_folder_of_the_source_that_cannot_be_listed_stops_all_trash_of_its_pair(
    world: World, error: Denied | Unavailable
) -> None:
    world.fields["far"] = {}
    world.write("src", {"a": "1", "shut/b": "2", "shut/deep/c": "3"})
    for name in ("dst", "far"):
        world.write(name, {"shut/b": "old", "shut/x": "4", "shut/deep/y": "5", "gone": "6"})
    world.spoil("src", Fault("list", 1, path="shut", error=error))

    ended = world.run(
        world.manifest(
            {"job": {"pairs": [World.ends()]}, "next": {"pairs": [World.ends(destination="far:")]}}
        )
    )

    files = {name: world.files(name) for name in ("dst", "far")}
    spared = next(name for name in files if files[name]["shut/b"] == b"old")
    other = ({"dst", "far"} - {spared}).pop()
    assert ended.code == 3
    assert files[spared] == {"a": b"1", "shut/b": b"old", "shut/x": b"4", "shut/deep/y": b"5", "gone": b"6"}
    assert files[other] == {"a": b"1", "shut/b": b"2", "shut/deep/c": b"3"}


def test_a_folder_of_the_destination_that_cannot_be_listed_gets_nothing_and_stops_the_trash(
    world: World,
) -> None:
    world.write("src", {"a": "1", "shut/b": "2", "shut/deep/c": "3"})
    world.write("dst", {"shut/x": "4", "gone": "5"})
    world.spoil("dst", Fault("list", 0, path="shut", error=Denied("no")))

    ended = world.run()

    assert ended.code == 3
    assert world.files("dst") == {"a": b"1", "shut/x": b"4", "gone": b"5"}


def test_unreadable_entries_can_be_made_to_fail_the_run(world: World) -> None:
    world.write("src", {"a": "1", "shut/b": "2"})
    world.spoil("src", Fault("list", 0, path="shut", error=Denied("no")))

    assert world.run(world.pair("mirror", unreadable="fail")).code == 1
