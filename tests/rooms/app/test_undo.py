"""Undo: what a run took away comes back, what it moved goes back, and nobody else's work is touched."""

import asyncio
from dataclasses import replace

import pytest

from runner.app import find_run
from runner.app.places import scopes
from runner.manifest.rules import Rule
from runner.model.errors import Denied, Locked, NotFound, Unavailable, UsageError
from runner.state.journal import Journal
from runner.state.locks import locked
from tests.lab.faulty import Fault
from tests.lab.worlds import Ended, Files, World

BEFORE: Files = {
    "keep": "k",
    "changed": "old",
    "a/gone": "1",
    "a/b/gone": "22",
    "empty/inner": None,
    "z": "9",
}
AFTER: Files = {"keep": "k", "changed": "the new", "made": "m", "new/x/made": "n"}
LIMITS = {"trash": {"max": "100%"}, "overwrite": {"max": "100%"}}
ACTS = ("restore", "unmove", "discard", "clear")


def mirrored(world: World, before: Files = BEFORE, after: Files = AFTER) -> Ended:
    """A destination with `before`, and a run that mirrored `after` to it."""
    world.write("dst", before, mtime_ns=10**18 + 10**10)
    world.write("src", after)
    ended = world.run(world.pair(guard=LIMITS))
    assert ended.code == 0
    return ended


def state(world: World) -> tuple[dict[str, bytes], set[str]]:
    return world.files("dst"), world.folders("dst")


def acts(ended: Ended) -> list[tuple[str, str, str]]:
    """Every operation that writes: task, path, state."""
    return [(c.task, c.path, c.state) for c in ended.changes if c.task in ACTS]


def text(files: Files) -> dict[str, bytes]:
    return {path: str(data).encode() for path, data in files.items() if data is not None}


@pytest.mark.parametrize("fields", [{}, {"folds": True}, {"algorithms": []}, {"weak": True}], ids=str)
def test_what_was_trashed_and_replaced_is_there_again_and_what_was_made_stays(
    world: World, fields: dict[str, object]
) -> None:
    world.fields["dst"] = fields
    ran = mirrored(world)
    source = world.nodes("src")

    ended = world.undo(ran)

    assert ended.code == 0
    assert world.files("dst") == {**text(BEFORE), "made": b"m", "new/x/made": b"n"}
    assert {"a", "a/b", "empty", "empty/inner"} <= world.folders("dst")
    assert world.trash("dst") == {"changed": [b"the new"]}
    assert world.nodes("src") == source
    assert (ended.header.purpose, ended.header.name) == ("undo", f"undo of {ran.header.id}")


def test_with_created_the_destination_is_what_it_was(world: World) -> None:
    ran = mirrored(world)

    ended = world.undo(ran, created=True)

    assert ended.code == 0
    assert state(world) == (text(BEFORE), {"a", "a/b", "empty", "empty/inner"})
    assert sorted(world.trash("dst")) == ["changed", "made", "new", "new/x", "new/x/made"]


def test_a_second_undo_finds_everything_back_and_writes_nothing(world: World) -> None:
    ran = mirrored(world)
    world.undo(ran, created=True)
    there = world.nodes("dst")

    ended = world.undo(ran, created=True)

    assert ended.code == 0
    assert {op_state for _, _, op_state in acts(ended)} == {"same"}
    assert world.nodes("dst") == there
    assert not {verb for verb, _ in world.opened["dst"].calls} & {"put", "mkdir", "move", "trash", "restore"}


def test_a_plan_shows_what_an_undo_then_does_and_changes_nothing(world: World) -> None:
    ran = mirrored(world)
    before, trash = world.nodes("dst"), world.trash("dst")

    planned = world.undo(ran, planning=True, created=True)

    assert (world.nodes("dst"), world.trash("dst")) == (before, trash)
    assert {op_state for _, _, op_state in acts(planned)} == {"planned"}
    assert not planned.path.exists()
    done = world.undo(ran, created=True)
    assert [one[:2] for one in acts(planned)] == [one[:2] for one in acts(done)]
    assert {op_state for _, _, op_state in acts(done)} == {"done"}


def test_an_undo_can_be_undone(world: World) -> None:
    ran = mirrored(world)
    before = state(world)
    undone = world.undo(ran, created=True)

    ended = world.undo(undone, created=True)

    assert ended.code == 0
    assert state(world) == before


def test_a_name_that_changed_only_its_case_is_as_it_was(world: World) -> None:
    world.fields["dst"] = {"folds": True}
    ran = mirrored(world, {"Readme": "same", "x": "1"}, {"README": "same", "x": "1"})
    assert ran.ops("move", "done") == ["README"]

    first, second = world.undo(ran), world.undo(ran)

    assert (first.ops("unmove", "done"), second.ops("unmove", "same")) == (["Readme"], ["Readme"])
    assert world.files("dst") == {"Readme": b"same", "x": b"1"}


def test_a_folder_that_changed_only_its_case_is_as_it_was(world: World) -> None:
    world.fields["dst"] = {"folds": True}
    ran = mirrored(
        world, {"Photos/Summer/x": "1", "Photos/y": "2"}, {"photos/summer/x": "1", "photos/y": "2"}
    )
    before = state(world)
    assert ran.ops("respell", "done") == ["photos", "photos/summer"]

    first, second = world.undo(ran), world.undo(ran)

    assert (first.code, second.code) == (0, 0)
    assert sorted(first.ops("unmove", "done")) == ["Photos", "photos/Summer"]
    assert sorted(second.ops("unmove", "same")) == ["Photos", "photos/Summer"]
    assert world.files("dst") == {"Photos/Summer/x": b"1", "Photos/y": b"2"}
    assert world.undo(first).code == 0
    assert state(world) == before


def test_a_folder_that_has_another_name_by_now_keeps_it(world: World) -> None:
    world.fields["dst"] = {"folds": True}
    ran = mirrored(world, {"Photos/x": "1"}, {"photos/x": "1"})
    asyncio.run(world.memory("dst").move("photos", "PHOTOS"))

    assert world.undo(ran).code == 3
    assert world.files("dst") == {"PHOTOS/x": b"1"}


def test_what_was_changed_since_is_not_touched_and_the_rest_comes_back(world: World) -> None:
    ran = mirrored(world)
    world.write("dst", {"changed": "by a friend", "z": "another", "made": "edited"})

    ended = world.undo(ran, created=True)

    assert ended.code == 3
    assert sorted(ended.ops("look", "stale")) == ["changed", "made", "z"]
    assert world.files("dst") == {
        **text(BEFORE), "changed": b"by a friend", "z": b"another", "made": b"edited",
    }  # fmt: skip
    assert sorted(world.trash("dst")) == ["changed", "new", "new/x", "new/x/made", "z"]


def test_what_goes_between_the_look_and_the_write_fails_alone_and_is_finished_by_the_next_undo(
    world: World,
) -> None:
    ran = mirrored(world)
    world.spoil("dst", Fault("trash", 1, "before", path="changed", error=Denied("just now")))

    ended = world.undo(ran)

    assert ended.code == 6
    assert world.files("dst")["changed"] == b"the new"
    assert world.files("dst")["a/gone"] == b"1"
    world.spoil("dst")
    assert world.undo(ran).code == 0
    assert world.files("dst")["changed"] == b"old"


def test_a_folder_that_somebody_uses_is_not_taken_away(world: World) -> None:
    ran = mirrored(world)
    world.write("dst", {"new/x/theirs": "t"})

    ended = world.undo(ran, created=True)

    assert ended.code == 3
    assert ended.ops("clear", "stale") == ["new/x"]
    assert world.files("dst") == {**text(BEFORE), "new/x/theirs": b"t"}


def test_what_was_purged_fails_alone_and_keeps_what_stands_there(world: World) -> None:
    ran = mirrored(world)
    for path in ("changed", "a/gone"):
        world.tree("dst").trashed.pop(ran.op("upload" if path == "changed" else "trash", path).ref)

    ended = world.undo(ran)

    assert ended.code == 1
    assert sorted(ended.ops("look", "failed")) == ["a/gone", "changed"]
    assert "not in the trash any more" in ended.troubles[0].message
    assert world.files("dst")["changed"] == b"the new"
    assert world.files("dst")["a/b/gone"] == b"22"


def test_content_that_is_purged_at_the_last_moment_leaves_what_stands_there(world: World) -> None:
    ran = mirrored(world)
    ref = ran.op("upload", "changed").ref
    world.spoil("dst", Fault("restore", 1, "before", path=ref, error=NotFound("purged")))

    ended = world.undo(ran)

    assert (ended.code, ended.ops("restore", "failed")) == (1, ["changed"])
    assert world.files("dst")["changed"] == b"the new"


@pytest.mark.parametrize("verb", ["trash", "restore", "stat", "kept"])
@pytest.mark.parametrize("how", ["before", "after"])
def test_lost_answers_are_looked_up_and_nothing_is_lost(world: World, verb: str, how: str) -> None:
    ran = mirrored(world)
    world.spoil("dst", *(Fault(verb, call, how) for call in (1, 2, 4)))  # type: ignore[arg-type]

    ended = world.undo(ran, created=True)

    assert ended.code == 0
    assert state(world) == (text(BEFORE), {"a", "a/b", "empty", "empty/inner"})


def test_a_folder_whose_trash_was_emptied_is_made_anew(world: World) -> None:
    ran = mirrored(world)
    for folder in ("a", "a/b"):
        world.tree("dst").trashed.pop(ran.op("trash", folder).ref)

    ended = world.undo(ran)

    assert (ended.code, ended.op("restore", "a/b").note) == (0, "made anew")
    assert world.files("dst")["a/b/gone"] == b"22"


def test_a_filter_brings_back_what_it_matches_with_the_folders_above(world: World) -> None:
    ran = mirrored(world)
    rules = (Rule(include="a/b/*"), Rule(include="*/"), Rule(exclude="**"))

    ended = world.undo(ran, rules=rules[:1] + rules[2:])

    assert ended.code == 0
    assert sorted(path for _, path, _ in acts(ended)) == ["a", "a/b", "a/b/gone"]
    assert world.files("dst") == {**text(AFTER), "a/b/gone": b"22"}


def test_one_pair_of_several_is_undone(world: World) -> None:
    world.write("dst", {"one/x": "1", "two/x": "2"})
    world.write("src", {"one/y": "y", "two/y": "y"})
    pairs = [world.ends("mirror", f"src:{name}", f"dst:{name}", guard=LIMITS) for name in ("one", "two")]
    ran = world.run(world.manifest({"job": {"pairs": pairs}}))

    ended = world.undo(ran, pair="job#2")

    assert ended.code == 0
    assert world.files("dst") == {"one/y": b"y", "two/x": b"2", "two/y": b"y"}
    with pytest.raises(UsageError, match="no pair 'jobs'"):
        world.undo(ran, pair="jobs")


def test_more_than_the_guard_of_the_pair_allows_is_not_trashed(world: World) -> None:
    world.write("src", {f"{number}": "x" for number in range(30)})
    ran = world.run(world.pair())

    refused = world.undo(ran, created=True)

    assert refused.code == 4
    assert len(world.files("dst")) == 30
    assert world.undo(ran, created=True, max_trash=29).code == 4
    assert world.undo(ran, created=True, max_trash=30).code == 0
    assert world.files("dst") == {}


def test_an_undo_does_not_begin_while_another_writes_there(world: World) -> None:
    ran, there = mirrored(world), world.nodes("dst")

    with locked(world.state, list(scopes(world.pair())), "another"), pytest.raises(Locked):
        world.undo(ran)

    assert world.nodes("dst") == there


def test_a_source_that_was_emptied_by_a_move_is_filled_again(world: World) -> None:
    world.write("src", {"x": "1", "d/y": "2"})
    world.write("dst", {"x": "old"})
    manifest = world.pair("copy", guard=LIMITS)
    (job,) = manifest.jobs
    moving = replace(job, pairs=tuple(replace(pair, mode="move") for pair in job.pairs))
    ran = world.run(replace(manifest, jobs=(moving,)))
    assert world.files("src") == {}

    ended = world.undo(ran)

    assert ended.code == 0
    assert world.files("src") == {"x": b"1", "d/y": b"2"}
    assert world.files("dst") == {"x": b"old", "d/y": b"2"}
    assert world.trash("src") == {}


def test_a_trash_whose_answer_was_lost_is_found_by_its_content(world: World) -> None:
    world.spoil("dst", *(Fault(verb, 1, "after", error=Unavailable("cut")) for verb in ("trash", "put")))
    ran = mirrored(world)
    assert [c.path for c in ran.changes if c.task in ("trash", "upload") and not c.ref and c.replaces]
    world.spoil("dst")

    ended = world.undo(ran, created=True)

    assert ended.code == 0
    assert state(world) == (text(BEFORE), {"a", "a/b", "empty", "empty/inner"})


def test_the_latest_run_is_the_latest_that_is_no_undo(world: World) -> None:
    with pytest.raises(NotFound):
        world.undo_run("last")
    ran = mirrored(world)
    world.undo(ran)

    ended = world.undo_run("last")

    assert ended.header.name == f"undo of {ran.header.id}"
    assert {op_state for _, _, op_state in acts(ended)} == {"same"}


def test_a_journal_that_nobody_closed_is_closed_and_undone(world: World) -> None:
    ran = mirrored(world)
    journal = Journal(ran.path)
    journal.mark("applying")
    with journal.database.transaction() as connection:  # as a kill leaves it: done, and not written down
        connection.execute("UPDATE op SET state = 'taken', ref = '', stored = '', ours = ''")
        connection.execute("UPDATE run SET ended = NULL, exit = NULL")
    journal.close()

    ended = world.undo(ran, created=True)

    assert ended.code == 0
    assert state(world) == (text(BEFORE), {"a", "a/b", "empty", "empty/inner"})
    closed = find_run(world.state, ran.header.id)
    assert closed.header.exit == 130
    closed.close()


@pytest.mark.parametrize("algorithms", [["md5"], []])
def test_of_several_contents_of_a_path_the_one_that_the_run_replaced_comes_back(
    world: World, algorithms: list[str]
) -> None:
    world.fields = {name: {"algorithms": algorithms} for name in ("src", "dst")}
    for number, content in enumerate(("first", "second", "third", "fourth")):
        world.write("src", {"file": content}, mtime_ns=10**18 + number * 10**10)
        if content == "third":
            world.spoil("dst", Fault("put", 1, "after", error=Unavailable("cut")))
        ran = world.run(world.pair(guard=LIMITS))
        world.spoil("dst")
        if content == "third":
            third = ran
    assert third.op("upload", "file").ref == ""
    world.undo(ran)
    assert world.files("dst") == {"file": b"third"}

    ended = world.undo(third)

    assert ended.code == 0
    assert world.files("dst") == {"file": b"second"}


def test_a_run_followed_by_others_is_undone_where_nothing_has_changed_since(world: World) -> None:
    ran = mirrored(world)
    world.write("src", {"changed": "newer still", "later": "l"}, mtime_ns=10**18 + 10**12)
    world.run(world.pair(guard=LIMITS))

    ended = world.undo(ran, created=True)

    assert (ended.code, ended.ops("look", "stale")) == (3, ["changed"])
    assert world.files("dst") == {**text(BEFORE), "changed": b"newer still", "later": b"l"}
