"""Pairs with a store of keys: no folder is made or missed there, and the second run plans nothing."""

import contextlib

import pytest

from runner.backends.memory_keys import _STORES, Store
from runner.model.checksum import Checksum
from runner.model.exits import Exit
from runner.model.node import Node
from runner.state.account import Account
from runner.state.journal import Journal
from tests.lab.faulty import Fault
from tests.lab.worlds import Ended, World, steps

TREE = {"a/b/one": "1", "a/two": "2", "a-b": "3", "a.b/four": "4", "a/empty": None, "empty/below": None}
KEYS = {"a/b/one": b"1", "a/two": b"2", "a-b": b"3", "a.b/four": b"4"}


@pytest.fixture
def flat(world: World) -> World:
    """A world whose destination is a store of keys."""
    world.fields["dst"] = {"type": "memory keys"}
    return world


def store(world: World, name: str = "dst") -> Store:
    """What the keys of a remote lead to."""
    return _STORES.setdefault(f"{world.tag}-{name}", Store())


def keys(world: World, name: str = "dst") -> dict[str, bytes]:
    """Content by key."""
    there = store(world, name)
    return {key: there.contents[node.generation] for key, node in there.objects.items()}


def put(world: World, name: str, objects: dict[str, str]) -> None:
    """Objects as another tool writes them."""
    there = store(world, name)
    for key, text in objects.items():
        generation, data = str(next(there.serial)), text.encode()
        there.contents[generation] = data
        there.objects[key] = Node(
            key.rpartition("/")[2], "file", len(data), 10**18, Checksum.of("md5", data), generation=generation
        )


def unkept(ended: Ended) -> int:
    """How many empty folders the journal counted."""
    with contextlib.closing(Journal(ended.path)) as journal:
        return Account(journal).counts(ended.stage("match").id)["unkept"].number


def test_a_tree_goes_to_a_store_and_the_second_run_plans_nothing(flat: World) -> None:
    flat.write("src", TREE)

    first, second = flat.run(), flat.plan()

    assert first.code == Exit.CONVERGED
    assert keys(flat) == KEYS
    assert {task for task, _, _ in steps(first)} == {"upload"}
    assert second.code == Exit.CONVERGED
    assert steps(second) == []


def test_empty_folders_are_counted_once_and_never_planned(flat: World) -> None:
    flat.write("src", TREE)

    for _ in range(2):
        ended = flat.run()
        assert unkept(ended) == 2
        assert ended.troubles == []


def test_a_source_with_nothing_but_empty_folders_plans_nothing(flat: World) -> None:
    flat.write("src", {"a/b": None})

    ended = flat.plan(flat.pair("copy"))

    assert (ended.code, steps(ended)) == (Exit.CONVERGED, [])


def test_a_mirror_trashes_files_and_no_folders_and_the_undo_brings_them_back(flat: World) -> None:
    flat.write("src", TREE)
    flat.run()
    flat.remove("src", "a/b")
    flat.write("src", {"a/two": "another"})

    ended = flat.run(flat.pair(guard={"trash": {"max": "100%"}}))
    after = keys(flat)
    undone = flat.undo(ended)

    assert ended.code == Exit.CONVERGED
    assert steps(ended) == [("trash", "a/b/one", "done"), ("upload", "a/two", "done")]
    assert after == {"a/two": b"another", "a-b": b"3", "a.b/four": b"4"}
    assert undone.code == Exit.CONVERGED
    assert keys(flat) == KEYS


def test_a_store_comes_back_to_a_tree_of_folders(world: World) -> None:
    world.fields["src"] = {"type": "memory keys"}
    put(world, "src", {key: data.decode() for key, data in KEYS.items()})

    first, second = world.run(), world.plan()

    assert first.code == second.code == Exit.CONVERGED
    assert world.files("dst") == KEYS
    assert world.folders("dst") == {"a", "a/b", "a.b"}
    assert steps(second) == []


def test_a_renamed_file_is_moved_within_the_store(flat: World) -> None:
    flat.write("src", {"old/name": "content", "keep": "1"})
    flat.run()
    flat.remove("src", "old")
    flat.write("src", {"new/name": "content"})

    ended = flat.run()

    assert ended.ops("move", "done") == ["new/name"]
    assert ended.ops("upload") == ended.ops("trash") == ended.ops("mkdir") == []
    assert keys(flat) == {"new/name": b"content", "keep": b"1"}


def test_keys_that_no_path_can_be_are_told_and_left_alone(world: World) -> None:
    world.fields["src"] = {"type": "memory keys"}
    odd = {
        "a//b": "1", "/lead": "2", "x/../y": "3", "twin": "4", "twin/below": "5", "mark/": "", "full/": "6",
        "a//c/d": "7", "good": "8",
    }  # fmt: skip
    put(world, "src", odd)

    ended = world.run()

    assert ended.code == Exit.INCOMPLETE
    assert world.files("dst") == {"good": b"8"}
    assert sorted(trouble.path for trouble in ended.troubles) == [
        "(no name)", "a/(no name)", "full/(no name)", "twin", "x/\\x2e\\x2e",
    ]  # fmt: skip
    assert set(keys(world, "src")) == set(odd)


def test_what_blocks_a_key_holds_back_the_trash_there(flat: World) -> None:
    flat.write("src", {"keep": "1"})
    put(flat, "dst", {"extra": "2", "a//b": "3"})

    ended = flat.run(flat.pair(guard={"trash": {"max": "100%"}}))

    assert ended.code == Exit.INCOMPLETE
    assert keys(flat) == {"keep": b"1", "extra": b"2", "a//b": b"3"}


def test_a_path_that_is_too_long_for_the_store_is_told_in_the_plan(flat: World) -> None:
    folder = "/".join(["long" * 50] * 5)
    flat.write("src", {f"{folder}/{'x' * 19}": "fits", f"{folder}/{'y' * 20}": "does not"})

    ended = flat.plan(flat.manifest({"job": {"pairs": [flat.ends()]}}))

    assert ended.ops("upload") == [f"{folder}/{'x' * 19}"]
    (trouble,) = ended.troubles
    assert "1,024 bytes" in trouble.message


def test_a_filter_leaves_out_files_and_folders_of_a_store(flat: World) -> None:
    put(flat, "dst", {"a/skip/1": "1", "a/skip/2": "2", "a/x.tmp": "3", "gone": "4"})
    flat.write("src", {"a/new": "5"})

    manifest = flat.pair(
        filter=[{"exclude": "skip/"}, {"exclude": "*.tmp"}], guard={"trash": {"max": "100%"}}
    )
    ended = flat.run(manifest)

    assert ended.code == Exit.CONVERGED
    assert set(keys(flat)) == {"a/skip/1", "a/skip/2", "a/x.tmp", "a/new"}


def test_a_store_below_a_prefix_has_less_room_for_paths(flat: World) -> None:
    flat.write("src", {"x" * 1000: "1"})

    fits = flat.plan(flat.manifest({"job": {"pairs": [flat.ends(destination="dst:" + "p" * 23)]}}))
    too_long = flat.plan(flat.manifest({"job": {"pairs": [flat.ends(destination="dst:" + "p" * 24)]}}))

    assert fits.ops("upload") == ["x" * 1000]
    assert too_long.ops("upload") == []


def test_a_listing_that_breaks_off_plans_nothing(flat: World) -> None:
    flat.write("src", {"one": "1"})
    put(flat, "dst", {"two": "2"})
    flat.spoil("dst", Fault("list", 0, "after"))

    ended = flat.run()

    assert ended.code != Exit.CONVERGED
    assert keys(flat) == {"two": b"2"}
    assert ended.ops("upload") == []
