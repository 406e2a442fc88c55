"""Names that a destination cannot tell apart: twins get aliases where that is the policy, spellings are renamed."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from runner.model.errors import Denied
from runner.model.exits import Exit
from runner.model.pair import Case
from runner.plan.alias import alias
from runner.plan.compare import Proof, compare
from runner.remote.remote import Remote
from runner.remote.walk import everything
from tests.lab.faulty import Fault
from tests.lab.worlds import Ended, World


@pytest.fixture(autouse=True)
def folding(world: World) -> None:
    world.fields = {"dst": {"folds": True}}


def renaming(world: World, mode: str = "mirror", **more: Any) -> Ended:
    """Run it with `case: rename`."""
    return world.run(world.pair(mode, case="rename", **more))


def told(ended: Ended) -> dict[str, str]:
    """What could not be kept in step, and why."""
    return {trouble.path: trouble.message for trouble in ended.troubles}


TWINS = [("File.txt", "file.txt"), ("\u00e9", "e\u0301"), ("STRASSE", "stra\u00dfe"), (".A", ".a")]
OPEN_HANDED: Any = {"trash": {"max": "100%"}, "overwrite": {"max": "100%"}}


@pytest.mark.torture
@pytest.mark.parametrize("twins", TWINS)
def test_X4_of_twins_one_keeps_its_name_and_the_other_is_stored_under_an_alias(
    world: World, twins: tuple[str, str]
) -> None:
    first, second = sorted(twins)
    world.write("src", {f"d/{first}": "1", f"d/{second}": "22", "fine": "3"})

    ended = renaming(world)
    again = renaming(world)

    assert ended.code == 0
    assert world.files("dst") == {f"d/{first}": b"1", f"d/{alias(second)}": b"22", "fine": b"3"}
    assert ended.op("upload", f"d/{second}").target == f"d/{alias(second)}"
    assert (again.code, again.changes) == (0, [])


@pytest.mark.torture
def test_X4_who_is_there_under_its_own_name_keeps_it(world: World) -> None:
    world.write("src", {"A": "1", "a": "22"})
    world.write("dst", {"a": "22"})

    ended = renaming(world)

    assert ended.ops("upload") == ["A"]
    assert world.files("dst") == {"a": b"22", alias("A"): b"1"}
    assert world.trash("dst") == {}


@pytest.mark.torture
@pytest.mark.parametrize("algorithms", [["md5"], []])
def test_X4_a_changed_twin_is_replaced_under_its_alias_and_the_old_content_kept(
    world: World, algorithms: list[str]
) -> None:
    world.fields["dst"]["algorithms"] = algorithms
    world.write("src", {"A": "1", "a": "22"})
    renaming(world, checksum={"compare": "hash"})
    world.write("src", {"a": "33"})

    ended = renaming(world, checksum={"compare": "hash", "verify": "readback"}, guard=OPEN_HANDED)

    assert ended.code == 0
    assert world.files("dst") == {"A": b"1", alias("a"): b"33"}
    assert world.trash("dst") == {alias("a"): [b"22"]}


def test_a_twin_that_is_gone_is_trashed_and_the_other_gets_its_own_name_back(world: World) -> None:
    world.write("src", {"A": "1", "a": "22", "fine": "3"})
    renaming(world)
    world.remove("src", "A")

    first = renaming(world, guard=OPEN_HANDED)
    second = renaming(world)

    assert world.trash("dst") == {"A": [b"1"]}
    assert first.ops("upload") == first.ops("move") == []
    assert (second.ops("move"), second.op("move", "a").origin) == (["a"], alias("a"))
    assert second.op("move", "a").reason == "its own name is free again"
    assert second.ops("upload") == []
    assert world.files("dst") == {"a": b"22", "fine": b"3"}
    assert renaming(world).changes == []


def test_an_alias_whose_file_is_gone_is_trashed_like_any_other(world: World) -> None:
    world.write("src", {"A": "1", "a": "22", "fine": "3"})
    renaming(world)
    world.remove("src", "a")

    ended = renaming(world, guard=OPEN_HANDED)

    assert ended.ops("trash") == [alias("a")]
    assert world.files("dst") == {"A": b"1", "fine": b"3"}


def test_an_alias_that_is_the_name_of_something_else_is_blocked(world: World) -> None:
    world.write("src", {"A": "1", "a": "22", alias("a").upper(): "mine", "B": "4", "b": "55"})
    world.write("dst", {alias("b").upper(): "theirs"})

    ended = renaming(world)

    assert ended.code == 3
    assert told(ended) == {name: f"its alias '{alias(name)}' is the name of something else" for name in "ab"}
    assert world.files("dst") == {
        "A": b"1", "B": b"4", alias("a").upper(): b"mine", alias("b").upper(): b"theirs",
    }  # fmt: skip


def test_an_alias_that_the_filter_leaves_out_is_blocked(world: World) -> None:
    world.write("src", {"A": "1", "a": "22"})

    ended = renaming(world, filter=[{"include": "[Aa]"}, {"exclude": "*"}])

    assert told(ended) == {"a": f"the filter leaves out its alias '{alias('a')}'"}
    assert world.files("dst") == {"A": b"1"}


@pytest.mark.parametrize("name", ["A", "a"])
def test_what_a_filter_leaves_out_keeps_its_name_and_its_alias_there(world: World, name: str) -> None:
    world.write("src", {"A": "1", "a": "22"})
    renaming(world)
    world.write("src", {name: "x" * 100})

    ended = renaming(world, filter=[{"exclude": {"larger_than": "50B"}}])

    assert (ended.code, ended.changes) == (0, [])
    assert world.files("dst") == {"A": b"1", alias("a"): b"22"}


@pytest.mark.torture
@pytest.mark.parametrize("source", [{"D/x": "1", "d/y": "2"}, {"D/x": "1", "d": "2"}])
def test_X4_twins_among_which_is_a_folder_are_refused_whatever_the_policy(
    world: World, source: dict[str, str]
) -> None:
    world.write("src", {**source, "fine": "3"})
    world.write("dst", {"d/y": "old"} if "d/y" in source else {"d": "old"})

    ended = renaming(world)

    assert ended.code == 3
    assert told(ended) == {
        "D": "the destination cannot tell it from 'd'",
        "d": "the destination cannot tell it from 'D'",
    }
    assert world.trash("dst") == {}
    assert {data for path, data in world.files("dst").items() if path != "fine"} == {b"old"}


@pytest.mark.parametrize("copied", [False, True])
def test_a_move_takes_aliased_files_out_of_the_source_once_they_are_proven(
    world: World, copied: bool
) -> None:
    world.write("src", {"A": "1", "a": "22"})
    if copied:
        renaming(world, "copy")
    whole = world.pair("copy", case="rename")
    (job,) = whole.jobs
    moving = replace(whole, jobs=(replace(job, pairs=tuple(replace(p, mode="move") for p in job.pairs)),))

    ended = world.run(moving)

    assert ended.code == 0
    assert world.files("src") == {}
    assert world.files("dst") == {"A": b"1", alias("a"): b"22"}


@pytest.mark.parametrize("how", ["after", "before"])
def test_an_aliased_upload_whose_answer_was_lost_is_looked_up_where_it_is(world: World, how: Any) -> None:
    world.write("src", {"A": "1", "a": "22"})
    world.spoil("dst", Fault("put", 1, how, path=alias("a")))

    ended = renaming(world)

    assert ended.code == 0
    assert world.files("dst") == {"A": b"1", alias("a"): b"22"}
    assert world.trash("dst") == {}


@pytest.mark.torture
def test_X4_two_folders_that_a_folding_place_holds_after_all_are_left_as_they_are(world: World) -> None:
    """Some services ignore case and mind composition: it cannot be said which of the two is meant."""
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    world.fields = {}
    world.write("src", {f"{composed}/x": "1", "fine": "2"})
    world.write("dst", {f"{composed}/x": "old", f"{decomposed}/y": "3"})
    world.wrap = claims_to_fold

    ended = world.run(world.pair("mirror", guard=OPEN_HANDED))

    assert ended.code == 3
    assert told(ended) == {composed: f"the destination has both {decomposed!r} and {composed!r} for it"}
    assert world.files("dst") == {f"{composed}/x": b"old", f"{decomposed}/y": b"3", "fine": b"2"}


def test_two_such_folders_that_the_source_lacks_are_trashed_each_with_its_own_content(world: World) -> None:
    world.fields = {}
    world.write("src", {"fine": "2"})
    world.write("dst", {"caf\u00e9/x": "1", "cafe\u0301/x": "3", "cafe\u0301/y/z": "4"})
    world.wrap = claims_to_fold

    ended = world.run(world.pair("mirror", guard=OPEN_HANDED))

    assert ended.code == 0
    assert world.files("dst") == {"fine": b"2"}
    assert world.folders("dst") == set()


def claims_to_fold(name: str, backend: Any) -> Any:
    """The destination says that it folds, and yet takes one name beside another of its kind."""
    backend.can = replace(backend.can, folds=name == "dst")
    backend._key = lambda path: path.rpartition("/")[2]
    return backend


SPELLED = [
    ({"Photos/2024/x": "1", "Photos/y": "2"}, {"photos/2024/x": "1", "photos/y": "2"}, ["Photos"]),
    ({"A/B/x": "1"}, {"a/b/x": "1"}, ["A", "A/B"]),
    ({"A/m/B/x": "1"}, {"a/m/b/x": "1"}, ["A", "A/m/B"]),
    ({"\u00e9/x": "1"}, {"e\u0301/x": "1"}, ["\u00e9"]),
    ({"D/x": "1", "d-b/y": "2", "E/f/z": "3"}, {"d/x": "1", "D-B/y": "2", "e/F/z": "3"}, ["D", "d-b", "E", "E/f"]),
]  # fmt: skip


@pytest.mark.torture
@pytest.mark.parametrize("mode", ["mirror", "copy"])
@pytest.mark.parametrize(("source", "destination", "respelled"), SPELLED)
def test_X5_a_folder_of_another_spelling_is_renamed_and_nothing_is_sent_or_trashed(
    world: World, mode: str, source: dict[str, str], destination: dict[str, str], respelled: list[str]
) -> None:
    world.write("src", source)
    world.write("dst", destination)

    ended = world.run(world.pair(mode))

    assert ended.code == 0
    assert sorted(ended.ops("respell", "done")) == sorted(respelled)
    assert len(ended.changes) == len(respelled)
    assert world.files("dst") == world.files("src")
    assert world.folders("dst") == world.folders("src")
    assert world.trash("dst") == {}
    assert world.run(world.pair(mode)).changes == []


@pytest.mark.torture
@pytest.mark.parametrize("algorithms", [["md5"], []])
def test_X5_what_changed_below_a_renamed_folder_is_kept_in_step_in_the_same_run(
    world: World, algorithms: list[str]
) -> None:
    world.fields["dst"]["algorithms"] = algorithms
    world.write("src", {"D/new/x": "1", "D/changed": "22", "D/same": "s", "D/Name": "n", "fine": "3"})
    world.write("dst", {"d/changed": "2", "d/same": "s", "d/name": "n", "d/gone/Deep/x": "4", "d/z": "5"})

    ended = world.run(world.pair("mirror", checksum={"compare": "hash"}, guard=OPEN_HANDED))

    assert ended.code == 0
    assert world.files("dst") == world.files("src")
    assert world.folders("dst") == world.folders("src")
    assert ended.ops("respell") == ["D"]
    assert ended.ops("move") == ["D/Name"]
    assert sorted(ended.ops("upload", "done")) == ["D/changed", "D/new/x", "fine"]
    writes = [call for call in world.opened["dst"].calls if call[0] in ("put", "mkdir", "move", "trash")]
    assert writes[0] == ("move", "d")
    again = world.run()
    assert (again.code, {change.state for change in again.changes} - {"done", "same"}) == (0, set())
    assert again.ops("upload", "done") == again.ops("move") == again.ops("respell") == []


def test_a_folder_that_cannot_be_renamed_holds_back_the_trash_but_not_what_is_below(world: World) -> None:
    world.write("src", {"D/x": "new", "D/E/y": "y"})
    world.write("dst", {"d/x": "old", "d/e/y": "y", "gone": "1"})
    world.spoil("dst", Fault("move", 0, path="d", error=Denied("no")))

    ended = world.run(world.pair("mirror", guard=OPEN_HANDED))
    world.spoil("dst")

    assert ended.code == Exit.DENIED
    assert ended.op("respell", "D/E").state == "held"
    assert world.files("dst") == {"d/x": b"new", "d/e/y": b"y", "gone": b"1"}
    assert world.run(world.pair("mirror", guard=OPEN_HANDED)).code == 0
    assert world.files("dst") == world.files("src")


def test_a_rename_of_a_folder_whose_answer_was_lost_is_looked_up(world: World) -> None:
    world.write("src", {"D/x": "1"})
    world.write("dst", {"d/x": "1"})
    world.spoil("dst", Fault("move", 1, "after"))

    ended = world.run()

    assert ended.code == 0
    assert world.folders("dst") == {"D"}


def test_a_saved_plan_with_a_renamed_folder_and_an_alias_is_applied(world: World) -> None:
    world.write("src", {"D/x": "1", "D/X": "22", "D/y": "3"})
    world.write("dst", {"d/x": "1", "d/gone": "4"})
    manifest = world.pair("mirror", case="rename", guard=OPEN_HANDED)

    planned = world.plan(manifest, world.folder / "saved.plan")
    applied = world.apply(planned.path)

    assert applied.code == 0
    assert world.files("dst") == {"D/x": b"1", f"D/{alias('X')}": b"22", "D/y": b"3"}
    assert world.run(manifest).changes == []


@pytest.mark.parametrize("proof", ["checksum", "reading", "size"])
def test_a_comparison_finds_files_under_their_aliases_where_the_pair_gives_them(
    world: World, proof: Proof
) -> None:
    world.write("src", {"d/A": "1", "d/a": "22", "d/b": "3"})
    renaming(world)
    world.write("src", {"d/b": "33"})

    async def compared(case: Case) -> dict[str, str]:
        places = (Remote(name, world.memory(name)) for name in ("src", "dst"))
        found = compare(*places, admits=everything, proof=proof, case=case)
        return {one.path: one.sign async for one in found}

    assert asyncio.run(compared("rename")) == {"d/A": "=", "d/a": "=", "d/b": "*"}
    assert asyncio.run(compared("refuse")) == {"d/A": "=", "d/a": "+", f"d/{alias('a')}": "-", "d/b": "*"}


def test_where_case_counts_nothing_is_renamed_and_nobody_needs_an_alias(world: World) -> None:
    world.fields = {}
    world.write("src", {"D/x": "1", "A": "2", "a": "3"})
    world.write("dst", {"d/x": "1"})

    ended = renaming(world, guard=OPEN_HANDED, renames="ignore")

    assert ended.code == 0
    assert world.files("dst") == world.files("src")
    assert ended.ops("respell") == ended.ops("move") == []
