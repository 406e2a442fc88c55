"""What a pair comes to, seen in its plan: who is sent, trashed, moved, blocked, left alone."""

from typing import Any

import pytest

from tests.lab.worlds import Ended, World


def blocked(ended: Ended) -> dict[str, str]:
    """The entries that cannot be kept in step, with the kind of their trouble."""
    return {trouble.path: trouble.kind for trouble in ended.troubles}


def excluding(world: World, *rules: object, **more: Any) -> Ended:
    """Mirror with a filter that leaves these out."""
    return world.run(world.pair("mirror", filter=[{"exclude": rule} for rule in rules], **more))


def test_what_a_filter_leaves_out_is_never_trashed_nor_are_folders_that_hold_it(world: World) -> None:
    world.write("src", {"keep": "1"})
    world.write("dst", {"old/x.tmp": "2", "old/y": "3", "old/in/z": "4", "top.tmp": "5", "cache/a": "6"})

    ended = excluding(world, "*.tmp", "cache/")

    assert ended.code == 0
    assert world.files("dst") == {"keep": b"1", "old/x.tmp": b"2", "top.tmp": b"5", "cache/a": b"6"}
    assert world.folders("dst") == {"old", "cache"}


@pytest.mark.torture
def test_G7_a_file_that_grew_out_of_the_filter_is_not_taken_for_lost(world: World) -> None:
    world.write("src", {"keep": "1", "big": "x" * 100})
    world.write("dst", {"keep": "1", "big": "x" * 10})

    ended = excluding(world, {"larger_than": "50B"})

    assert ended.code == 0
    assert world.files("dst")["big"] == b"x" * 10
    assert world.trash("dst") == {}


def test_a_folder_whose_name_the_filter_leaves_out_at_the_source_alone_is_not_taken_for_lost(
    world: World,
) -> None:
    world.write("src", {"keep": "1", "x": "file"})
    world.write("dst", {"keep": "1", "x/a": "2"})

    ended = excluding(world, {"smaller_than": "10B"}, guard={"source": {"empty": "allow"}})

    assert ended.code == 0
    assert world.trash("dst") == {}


def test_where_case_does_not_count_a_left_out_name_hides_its_other_spelling_only(world: World) -> None:
    world.fields["dst"] = {"folds": True}
    world.write("src", {"A": "x" * 100, "b": "1"})
    world.write("dst", {"a": "2", "old": "3"})

    ended = excluding(world, {"larger_than": "50B"})

    assert ended.code == 0
    assert world.files("dst") == {"a": b"2", "b": b"1"}


def test_a_left_out_twin_does_not_hide_the_one_that_takes_part(world: World) -> None:
    world.fields["dst"] = {"folds": True}
    world.write("src", {"A": "x" * 100, "a": "1"})
    world.write("dst", {"a": "2"})

    ended = excluding(world, {"larger_than": "50B"})

    assert ended.code == 0
    assert world.files("dst") == {"a": b"1"}


def test_folders_are_trashed_after_what_they_hold(world: World) -> None:
    world.write("src", {"keep": "1"})
    world.write("dst", {"a/b/c": "2", "a/d": "3"})

    ended = world.run()

    order = [path for verb, path in world.opened["dst"].calls if verb == "trash"]
    assert ended.code == 0
    assert set(order) == {"a", "a/b", "a/b/c", "a/d"}
    assert order.index("a/b/c") < order.index("a/b") < order.index("a")
    assert order.index("a/d") < order.index("a")


def test_copy_never_trashes(world: World) -> None:
    world.write("src", {"a": "1"})
    world.write("dst", {"b": "2", "c/d": "3"})

    ended = world.run(world.pair("copy"))

    assert ended.ops("trash") == []
    assert world.files("dst") == {"a": b"1", "b": b"2", "c/d": b"3"}


@pytest.mark.parametrize(
    ("source", "destination"),
    [
        ({"x": "f", "a": "1"}, {"x/in": "2", "x/deep/er": "3"}),
        ({"x/in": "2", "x/deep/er": "3", "a": "1"}, {"x": "f"}),
    ],
)
def test_a_file_here_and_a_folder_there_is_blocked_and_nothing_below_is_touched(
    world: World, source: dict[str, str], destination: dict[str, str]
) -> None:
    world.write("src", source)
    world.write("dst", destination)

    ended = world.run()

    assert ended.code == 3
    assert blocked(ended) == {"x": "blocked"}
    assert world.files("dst") == {"a": b"1", **{path: data.encode() for path, data in destination.items()}}
    assert world.trash("dst") == {}


@pytest.mark.torture
@pytest.mark.parametrize(("one", "other"), [("File", "file"), ("\u00e9", "e\u0301")])
def test_X4_twins_are_both_blocked_where_the_destination_cannot_tell_them_apart(
    world: World, one: str, other: str
) -> None:
    world.fields["dst"] = {"folds": True}
    world.write("src", {one: "1", other: "2", "fine": "3"})
    world.write("dst", {one: "old"})

    ended = world.run()

    assert ended.code == 3
    assert blocked(ended) == {one: "blocked", other: "blocked"}
    assert world.files("dst") == {one: b"old", "fine": b"3"}
    assert world.trash("dst") == {}


def test_twin_folders_are_blocked_with_all_below_them(world: World) -> None:
    world.fields["dst"] = {"folds": True}
    world.write("src", {"D/a": "1", "d/b": "2", "fine": "3"})
    world.write("dst", {"d/b": "old", "d/c": "4"})

    ended = world.run()

    assert ended.code == 3
    assert set(blocked(ended)) == {"D", "d"}
    assert world.files("dst") == {"d/b": b"old", "d/c": b"4", "fine": b"3"}


def test_twins_are_fine_where_case_counts(world: World) -> None:
    world.write("src", {"File": "1", "file": "2"})

    ended = world.run()

    assert ended.code == 0
    assert world.files("dst") == {"File": b"1", "file": b"2"}


@pytest.mark.torture
@pytest.mark.parametrize("algorithms", [["md5"], []])
def test_X5_a_rename_of_case_alone_is_a_move(world: World, algorithms: list[str]) -> None:
    world.fields = {"src": {"algorithms": algorithms}, "dst": {"folds": True}}
    world.write("src", {"d/File": "1"})
    world.write("dst", {"d/file": "1"})

    ended = world.run()

    assert ended.code == 0
    assert (ended.ops("move"), ended.ops("upload"), ended.ops("trash")) == (["d/File"], [], [])
    assert world.files("dst") == {"d/File": b"1"}
    assert world.run().changes == []


@pytest.mark.torture
@pytest.mark.parametrize("algorithms", [["md5"], []])
def test_X5_another_case_with_other_bytes_of_that_size_is_never_called_in_step(
    world: World, algorithms: list[str]
) -> None:
    world.fields = {"src": {"algorithms": algorithms}, "dst": {"folds": True}}
    world.write("src", {"File": "new", "fine": "1"})
    world.write("dst", {"file": "old", "lost": "2"})

    ended = world.run()

    assert ended.code == 3
    assert world.files("dst")["file"] == b"old"
    assert world.files("dst")["fine"] == b"1"
    assert [trouble.path for trouble in ended.troubles] == ["File"]


def test_another_case_with_another_time_is_blocked_where_times_decide(world: World) -> None:
    world.fields["dst"] = {"folds": True}
    world.write("src", {"File": "new"}, mtime_ns=2 * 10**18)
    world.write("dst", {"file": "old"})

    ended = world.run(world.pair("mirror", checksum={"compare": "time"}))

    assert ended.code == 3
    assert world.files("dst") == {"file": b"old"}


def test_the_same_bytes_are_recognised_by_hashing_what_carries_no_checksum(world: World) -> None:
    world.fields["dst"] = {"algorithms": []}
    world.write("src", {"same": "1", "other": "new"})
    world.write("dst", {"same": "1", "other": "old"}, mtime_ns=5)

    ended = world.run(world.pair("mirror", checksum={"compare": "hash"}))

    assert ended.ops("hash") == ["other", "same"]
    assert ended.ops("upload", "done") == ["other"]
    assert ended.ops("upload", "same") == ["same"]


def test_a_side_whose_listing_carries_checksums_is_never_read_to_compare(world: World) -> None:
    world.fields["dst"] = {"algorithms": []}
    world.write("src", {"same": "1"})
    world.write("dst", {"same": "1"}, mtime_ns=5)

    world.run(world.pair("mirror", checksum={"compare": "hash"}))

    assert world.opened["src"].count("read") == 0
    assert world.opened["dst"].count("read") == 1


def test_what_was_hashed_once_is_known_the_next_time(world: World) -> None:
    world.fields["dst"] = {"algorithms": []}
    world.write("src", {"same": "1"})
    world.write("dst", {"same": "1"}, mtime_ns=5)
    manifest = world.pair("mirror", checksum={"compare": "hash"})
    world.run(manifest)

    second = world.run(manifest)

    assert second.changes == []
    assert world.opened["dst"].count("read") == 0


def test_digests_of_two_algorithms_are_not_compared_with_each_other(world: World) -> None:
    world.fields = {"src": {"algorithms": ["md5"]}, "dst": {"algorithms": ["sha256", "md5"]}}
    world.write("src", {"same": "1"})
    world.write("dst", {"same": "1"})

    ended = world.run()

    assert ended.ops("upload", "same") == ["same"]


def test_the_destinations_own_folder_is_made_with_all_above_it(world: World) -> None:
    world.write("src", {"a/b": "1"})

    ended = world.run(world.pair("mirror", destination="dst:far/away"))

    assert ended.code == 0
    assert world.files("dst") == {"far/away/a/b": b"1"}


def test_a_file_that_is_too_large_for_the_destination_is_blocked(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    world.write("src", {"big": "12345", "fine": "1"})

    def small(name: str, backend: Any) -> Any:
        backend.can = replace(backend.can, max_size=4)
        return backend

    world.wrap = small
    ended = world.run()

    assert ended.code == 3
    assert blocked(ended) == {"big": "blocked"}
    assert world.files("dst") == {"fine": b"1"}
