"""Rules of a run of which each is broken alone: what the barrier waits for, what is looked up, what is left alone."""

from typing import Any

import pytest

from runner.model.backend import Backend
from runner.model.checksum import Checksum
from runner.model.content import Content
from runner.model.errors import Blocked, Denied, NotFound
from runner.model.hidden import LEASES
from runner.model.node import Node
from runner.tasks import barrier
from tests.lab.faulty import Fault
from tests.lab.worlds import World
from tests.rooms.app.test_barrier import changing, meanwhile

LOOSE: dict[str, Any] = {
    "trash": {"max": "100%", "max_files": 10_000, "no_history": "allow"},
    "source": {"empty": "allow"},
    "overwrite": {"max": "100%"},
}


def nothing_trashed(world: World, **more: Any) -> None:
    """Run a mirror that has something to trash and meets an error."""
    ended = world.run(world.pair("mirror", guard=LOOSE, **more))

    assert ended.code != 0
    assert "gone" in world.files("dst")
    assert not ended.ops("trash", "done")


@pytest.mark.torture
def test_G5_a_folder_that_cannot_be_made_keeps_all_that_was_to_be_trashed(world: World) -> None:
    world.write("src", {"empty": None, "a": "1"})
    world.write("dst", {"gone": "2"})
    world.spoil("dst", Fault("mkdir", 0, path="empty", error=Denied("no")))

    nothing_trashed(world)


@pytest.mark.torture
def test_G5_a_file_that_cannot_be_moved_keeps_all_that_was_to_be_trashed(world: World) -> None:
    world.write("src", {"new": "renamed", "a": "1"})
    world.write("dst", {"old": "renamed", "gone": "2"})
    world.spoil("dst", Fault("move", 0, error=Denied("no")))

    nothing_trashed(world, checksum={"compare": "hash"})
    assert "old" in world.files("dst")


@pytest.mark.torture
def test_G5_a_folder_that_cannot_be_respelled_keeps_all_that_was_to_be_trashed(world: World) -> None:
    world.fields["dst"] = {"folds": True}
    world.write("src", {"Folder": None, "a": "1"})
    world.write("dst", {"folder": None, "gone": "2"})
    world.spoil("dst", Fault("move", 0, error=Denied("no")))

    nothing_trashed(world)


@pytest.mark.torture
def test_G5_bytes_that_cannot_be_read_back_keep_all_that_was_to_be_trashed(world: World) -> None:
    world.fields["dst"] = {"algorithms": []}
    world.write("src", {"a": "1"})
    world.write("dst", {"gone": "2"})
    world.spoil("dst", Fault("read", 0, path="a", error=Denied("no")))

    nothing_trashed(world, checksum={"compare": "time", "verify": "readback"})


@pytest.mark.torture
@pytest.mark.parametrize("side", ["src", "dst"])
def test_N12_a_folder_that_cannot_be_listed_keeps_all_that_was_to_be_trashed(world: World, side: str) -> None:
    world.write("src", {"f/x": "1", "a": "1"})
    world.write("dst", {"f/x": "1", "gone": "2"})
    world.spoil(side, Fault("list", 0, path="f", error=Denied("no")))

    nothing_trashed(world)


@pytest.mark.torture
def test_I6_what_is_blocked_keeps_all_that_was_to_be_trashed(world: World) -> None:
    world.write("src", {"a": None, "b": "1"})
    world.write("dst", {"a": "a file where a folder should be", "gone": "2"})

    ended = world.run(world.pair("mirror", guard=LOOSE))

    assert Blocked.exit in (ended.code, 3)
    assert "gone" in world.files("dst")


@pytest.mark.torture
def test_unknown_is_not_absent_a_path_that_cannot_be_looked_at_is_not_sent_to(world: World) -> None:
    """After a lost answer the look fails too: that is no proof that nothing is there."""
    world.write("src", {"a": "1"})
    world.spoil("dst", Fault("put", 1, "after"), Fault("stat", 0, path="a", error=Denied("no")))

    ended = world.run(world.pair("copy"))

    assert ended.op("upload", "a").kind == "denied"


@pytest.mark.torture
def test_N3_a_folder_that_was_respelled_is_found_where_its_old_name_leads_nowhere(world: World) -> None:
    world.fields["dst"] = {"folds": True}
    world.write("src", {"Folder/x": "1"})
    world.write("dst", {"folder/x": "1"})
    world.spoil(
        "dst", Fault("move", 1, "after"), Fault("move", 2, error=NotFound("no such node", path="folder"))
    )

    ended = world.run()

    assert ended.code == 0
    assert world.folders("dst") == {"Folder"}


@pytest.mark.torture
def test_N9_what_somebody_else_stored_meanwhile_is_not_withdrawn_for_what_was_stored_wrong(
    world: World,
) -> None:
    world.write("src", {"a": "sent!"})

    def wrap(remote: str, inner: Backend) -> Backend:
        whole = inner.put

        async def put(path: str, content: Content, *, expect: str | None) -> Node:
            node = await whole(path, content, expect=expect)
            await whole(path, Content.of(b"their"), expect=node.generation)
            return node._replace(checksum=Checksum.of("md5", b"something else"))

        if remote == "dst":
            vars(inner)["put"] = put
        return inner

    world.wrap = wrap
    ended = world.run(world.pair("copy"))

    assert ended.code == 9
    assert world.files("dst") == {"a": b"their"}


@pytest.mark.torture
def test_G3_more_than_a_hundred_changed_files_keep_all_of_the_trash(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(barrier, "MOST_SHARE", 1.0)
    names = [f"gone{number:03}" for number in range(110)]
    world.write("src", {"new": "1"})
    world.write("dst", dict.fromkeys(names, "0"))

    meanwhile(world, changing(*names[:101]))

    ended = world.run(world.pair("mirror", guard=LOOSE))

    assert ended.code == 4
    assert "101 files to be trashed changed since" in ended.op("barrier", "").note
    assert world.files("dst").keys() >= set(names)


@pytest.mark.torture
def test_G4_a_destination_that_became_another_place_meanwhile_is_told_by_the_barrier(world: World) -> None:
    world.write("src", {"new": "1"})
    world.write("dst", {"to/gone": "0"})

    async def swapped(backend: Backend, _: str) -> None:
        await backend.move("to", "was")
        await backend.mkdir("to")

    meanwhile(world, swapped)
    ended = world.run(world.pair("mirror", destination="dst:to", guard=LOOSE))

    assert ended.code == 4
    assert "the destination is not the place" in ended.op("barrier", "").note
    assert world.files("dst").keys() >= {"was/gone"}


@pytest.mark.torture
def test_L2_a_run_holds_its_lease_while_it_writes(world: World) -> None:
    world.fields["dst"] = {"lock": "remote"}
    world.write("src", {"a": "1"})
    seen: list[set[str]] = []

    def wrap(remote: str, inner: Backend) -> Backend:
        whole = inner.put

        async def put(path: str, content: Content, *, expect: str | None) -> Node:
            if path == "a":
                seen.append({node.name for node in world.tree("dst").children["root"].values()})
            return await whole(path, content, expect=expect)

        if remote == "dst":
            vars(inner)["put"] = put
        return inner

    world.wrap = wrap

    assert world.run(world.pair("copy")).code == 0
    assert seen == [{LEASES}]
