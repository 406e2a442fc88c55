"""What goes wrong on the way: it is tried again, told, held against the trash, and the rest goes on."""

from typing import cast

import pytest

from runner.backends.memory import Memory
from runner.model.backend import Backend
from runner.model.content import Content
from runner.model.errors import Damaged, Denied, LoginNeeded, NoSpace, Unavailable, Unclear, Unsynced
from runner.model.events import Problem
from runner.model.node import Node
from tests.lab import Fault, Faulty
from tests.lab.worlds import World

LOST = {"lost": "0"}


class Rotting(Faulty):
    """What is stored here is something else as soon as it is stored."""

    async def put(self, path: str, content: Content, *, expect: str | None) -> Node:
        """Store it and let it rot."""
        node = await super().put(path, content, expect=expect)
        assert isinstance(self.inner, Memory)
        self.inner.tree.contents[node.generation] = b"?"
        return node


async def meddle(backend: Backend, path: str) -> None:
    """Somebody else writes there meanwhile."""
    node = await backend.stat(path)
    await backend.put(path, Content.of(b"meddled"), expect=node.generation)


@pytest.mark.torture
def test_G5_a_failed_upload_holds_the_trash_and_nothing_else(world: World) -> None:
    world.write("src", {"a": "1", "b/c": "2", "d": "3"})
    world.write("dst", LOST)
    world.spoil("dst", Fault("put", 0, path="d", error=Denied("no")))

    ended = world.run()

    assert ended.code == 6
    assert world.files("dst") == {"a": b"1", "b/c": b"2", "lost": b"0"}
    assert (ended.op("upload", "d").state, ended.op("trash", "lost").state) == ("failed", "held")
    assert [(t.path, t.kind, t.exit) for t in ended.troubles] == [("d", "denied", 6)]


def test_a_folder_that_cannot_be_made_holds_what_belongs_in_it(world: World) -> None:
    world.write("src", {"a/b/c": "1", "a/d": "2", "e/f": "3"})
    world.spoil("dst", Fault("mkdir", 0, path="a", error=Denied("no")))

    ended = world.run()

    assert ended.code == 6
    assert world.files("dst") == {"e/f": b"3"}
    assert ended.op("mkdir", "a/b").state == ended.op("upload", "a/b/c").state == "held"
    assert ended.op("upload", "a/d").state == "held"


@pytest.mark.parametrize("failures", [1, 2])
def test_what_fails_for_a_while_is_tried_again_and_counted(world: World, failures: int) -> None:
    world.write("src", {"a": "1", "b": "2"})
    world.write("dst", LOST)
    world.spoil("dst", *(Fault("put", call, path="a") for call in range(1, failures + 1)))

    ended = world.run()

    assert ended.code == 0
    assert world.files("dst") == {"a": b"1", "b": b"2"}
    assert (ended.op("upload", "a").tries, ended.op("upload", "b").tries) == (failures + 1, 1)
    assert [event.again for event in ended.told if isinstance(event, Problem)] == [True] * failures


def test_after_the_last_attempt_it_has_failed(world: World) -> None:
    world.write("src", {"a": "1"})
    world.spoil("dst", Fault("put", 0, path="a"))

    ended = world.run()

    assert ended.code == 7
    assert world.opened["dst"].count("put") == 3
    assert (ended.op("upload", "a").state, ended.op("upload", "a").tries) == ("failed", 3)


def test_what_cannot_succeed_later_is_not_tried_again(world: World) -> None:
    world.write("src", {"a": "1"})
    world.spoil("dst", Fault("put", 0, path="a", error=Denied("no")))

    world.run()

    assert world.opened["dst"].count("put") == 1


def test_all_others_have_their_turn_before_anything_is_tried_again(world: World) -> None:
    world.write("src", {f"f{number:03}": "x" for number in range(40)})
    world.spoil("dst", Fault("put", 1, path="f000"))

    world.run()

    puts = [path for verb, path in world.opened["dst"].calls if verb == "put"]
    assert sorted(puts[:-1]) == [f"f{number:03}" for number in range(40)]
    assert puts[-1] == "f000"


def test_a_used_up_budget_ends_the_tries_and_holds_what_waits(world: World) -> None:
    world.write("src", {"a/b": "1", "c": "2"})
    world.spoil("dst", Fault("mkdir", 0, path="a"))
    retry = {"attempts": 50, "backoff": "1h..1h", "budget": "1m"}

    ended = world.run(world.pair("mirror", retry=retry))

    assert ended.code == 7
    assert (ended.op("mkdir", "a").state, ended.op("upload", "a/b").state) == ("failed", "held")
    assert world.files("dst") == {"c": b"2"}


@pytest.mark.torture
def test_N3_an_upload_whose_answer_was_lost_is_found_and_not_sent_again(world: World) -> None:
    world.write("src", {"a": "1"})
    world.spoil("dst", Fault("put", 1, "after"))

    ended = world.run()

    assert ended.code == 0
    assert ended.op("upload", "a").note == "found complete"
    assert len(world.tree("dst").contents) == 1


@pytest.mark.torture
def test_N3_a_lost_answer_to_an_overwrite_keeps_one_old_version_in_the_trash(world: World) -> None:
    world.write("src", {"a": "new"})
    world.write("dst", {"a": "old"})
    world.spoil("dst", Fault("put", 1, "after"))

    ended = world.run()

    assert ended.code == 0
    assert (world.files("dst"), world.trash("dst")) == ({"a": b"new"}, {"a": [b"old"]})


def test_a_move_whose_answer_was_lost_is_found(world: World) -> None:
    world.fields["dst"] = {"folds": True}
    world.write("src", {"File": "1"})
    world.write("dst", {"file": "1"})
    world.spoil("dst", Fault("move", 1, "after"))

    ended = world.run()

    assert (ended.code, ended.op("move", "File").note) == (0, "found complete")
    assert world.files("dst") == {"File": b"1"}


def test_trash_whose_answer_was_lost_is_not_looked_for_twice(world: World) -> None:
    world.write("src", {"a": "1"})
    world.write("dst", {"a": "1", "lost": "0"})
    world.spoil("dst", Fault("trash", 1, "after"))

    ended = world.run()

    assert (ended.code, ended.op("trash", "lost").note) == (0, "was gone already")
    assert world.trash("dst") == {"lost": [b"0"]}


@pytest.mark.torture
@pytest.mark.parametrize(
    ("theirs", "code", "state"), [("1", 0, "done"), ("2", 3, "stale"), ("other", 3, "stale")]
)
def test_N16_what_somebody_else_put_there_is_adopted_when_equal_and_left_when_not(
    world: World, theirs: str, code: int, state: str
) -> None:
    world.write("src", {"a": "1"})
    world.write("dst", LOST)

    async def put_first(backend: Backend, path: str) -> None:
        await backend.put(path, Content.of(theirs.encode()), expect=None)

    world.spoil("dst", Fault("put", 1, "meddle", meddle=put_first))
    ended = world.run()

    assert (ended.code, ended.op("upload", "a").state) == (code, state)
    assert world.files("dst")["a"] == theirs.encode()
    assert ("lost" in world.files("dst")) == (state == "stale")


@pytest.mark.torture
def test_S1_a_source_that_changes_while_it_is_read_is_tried_again_then_told(world: World) -> None:
    world.write("src", {"a": "before", "fine": "1"})
    world.write("dst", LOST)
    world.spoil("src", Fault("read", 0, "meddle", path="a", meddle=meddle))

    ended = world.run()

    assert ended.code == 3
    assert world.files("dst") == {"fine": b"1", "lost": b"0"}
    assert (ended.op("upload", "a").kind, ended.op("upload", "a").tries) == ("changed", 3)


@pytest.mark.torture
def test_S5_a_source_file_that_vanishes_before_it_is_read_is_told_and_holds_the_trash(world: World) -> None:
    world.write("src", {"a": "1", "fine": "2"})
    world.write("dst", LOST)

    plan = world.plan(out=world.folder / "saved.plan")
    world.remove("src", "a")
    ended = world.apply(plan.path)

    assert ended.code not in (0, 5)
    assert world.files("dst") == {"fine": b"2", "lost": b"0"}


@pytest.mark.torture
def test_N18_no_space_stops_further_uploads_and_holds_the_trash(world: World) -> None:
    world.write("src", {f"f{number:03}": "x" for number in range(60)})
    world.write("dst", LOST)
    world.spoil("dst", Fault("put", 5, error=NoSpace("full")))

    ended = world.run()

    assert ended.code == 7
    assert world.opened["dst"].count("put") < 12
    assert world.files("dst")["lost"] == b"0"
    assert set(ended.ops("upload", "held")) | set(ended.ops("upload", "done")) | set(
        ended.ops("upload", "failed")
    ) == set(world.files("src"))


@pytest.mark.torture
@pytest.mark.parametrize("error", [LoginNeeded("no token"), Unsynced("the disk did not say so")])
def test_D2_what_no_other_upload_could_survive_stops_the_stage(
    world: World, error: LoginNeeded | Unsynced
) -> None:
    world.write("src", {f"f{number:03}": "x" for number in range(60)})
    world.spoil("dst", Fault("put", 5, error=error))

    ended = world.run()

    assert ended.code == error.exit
    assert world.opened["dst"].count("put") < 12


def test_a_login_that_is_needed_to_list_is_told(world: World) -> None:
    world.write("src", {"a/b": "1"})
    world.write("dst", {"a/c": "2"})
    world.spoil("dst", Fault("list", 2, error=LoginNeeded("no token")))

    ended = world.run()

    assert ended.code == 6
    assert world.files("dst") == {"a/c": b"2"}


@pytest.mark.torture
def test_N9_an_upload_that_is_never_stored_as_sent_is_damage(world: World) -> None:
    world.write("src", {"a": "1", "fine": "2"})
    world.write("dst", LOST)
    world.spoil("dst", Fault("put", 0, path="a", error=Damaged("stored other bytes")))

    ended = world.run()

    assert (ended.code, ended.op("upload", "a").tries) == (9, 3)
    assert world.files("dst") == {"fine": b"2", "lost": b"0"}


@pytest.mark.torture
def test_N11_bytes_that_stand_there_wrong_after_an_upload_are_damage_and_no_drift(world: World) -> None:
    world.write("src", {"a": "1"})
    world.write("dst", LOST)
    world.spoil("dst", Fault("put", 0, "wrong digest", path="a"), Fault("stat", 0, "wrong digest", path="a"))

    ended = world.run()

    assert (ended.code, ended.op("upload", "a").kind) == (9, "damaged")
    assert world.files("dst")["lost"] == b"0"


@pytest.mark.torture
def test_N9_what_was_withdrawn_and_did_not_get_its_old_content_back_is_sent_again(world: World) -> None:
    world.write("dst", {"a": "old"}, mtime_ns=10**18 + 10**10)
    world.write("src", {"a": "the new"})
    world.spoil("dst", Fault("put", 1, "wrong digest", path="a"), Fault("restore", 1))

    ended = world.run(world.pair("mirror", guard={"overwrite": {"max": "100%"}}))

    assert (ended.code, ended.op("upload", "a").tries) == (0, 2)
    assert world.files("dst") == {"a": b"the new"}
    assert b"old" in world.trash("dst")["a"]
    assert world.undo(ended).code == 0
    assert world.files("dst") == {"a": b"old"}


@pytest.mark.parametrize("sample", ["100%", "50%", "0%"])
def test_reading_back_covers_the_sample_and_is_written_down(world: World, sample: str) -> None:
    files = {f"f{number:03}": str(number) for number in range(60)}
    world.write("src", files)

    ended = world.run(world.pair("mirror", checksum={"verify": "readback", "sample": sample}))

    number = len(ended.ops("verify", "done"))
    assert ended.code == 0
    assert {"100%": number == 60, "50%": 15 < number < 45, "0%": number == 0}[sample]
    assert {change.proof for change in ended.changes if change.task == "verify"} <= {"read back"}


def test_a_plan_and_its_run_read_back_the_same_sample(world: World) -> None:
    world.write("src", {f"f{number:03}": str(number) for number in range(60)})
    manifest = world.pair("mirror", checksum={"verify": "readback", "sample": "30%"})

    planned = world.plan(manifest).ops("verify")

    assert planned == world.run(manifest).ops("verify", "done") != []


@pytest.mark.torture
def test_bytes_that_read_back_wrong_are_damage_and_hold_the_trash(world: World) -> None:
    world.write("src", {"a": "1"})
    world.write("dst", LOST)
    world.wrap = lambda name, inner: cast(Backend, Rotting(inner)) if name == "dst" else inner

    ended = world.run(world.pair("mirror", checksum={"verify": "readback"}))

    assert (ended.code, ended.op("verify", "a").state) == (9, "failed")
    assert world.files("dst")["lost"] == b"0"


@pytest.mark.parametrize("error", [Unavailable("down"), Unclear("lost")])
def test_a_hash_that_cannot_be_had_holds_its_upload_and_the_trash(world: World, error: Unavailable) -> None:
    world.fields["dst"] = {"algorithms": []}
    world.write("src", {"a": "1", "new": "2"})
    world.write("dst", {"a": "2", "lost": "0"}, mtime_ns=5)
    world.spoil("dst", Fault("read", 0, path="a", error=error))

    ended = world.run()

    assert ended.code == 7
    assert ended.op("upload", "a").state == "held"
    assert world.files("dst") == {"a": b"2", "lost": b"0", "new": b"2"}
