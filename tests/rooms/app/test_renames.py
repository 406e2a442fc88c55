"""A file that only changed its place in the source is moved at the destination, and not sent."""

import asyncio
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runner.backends.memory import Memory
from runner.model.backend import Backend
from runner.model.errors import Unclear, Unreadable
from runner.model.exits import Exit
from runner.model.node import Node
from tests.lab.faulty import Fault
from tests.lab.worlds import Ended, World, steps, write

FREE: dict[str, Any] = {"trash": {"max": "100%"}, "source": {"empty": "allow"}}
OLD_NS = 10**18


def moves(ended: Ended, state: str | None = None) -> dict[str, str]:
    """New path by old one."""
    return {c.origin: c.path for c in ended.changes if c.task == "move" and state in (None, c.state)}


def disk(folder: Path, files: dict[str, str], mtime_ns: int = OLD_NS) -> Path:
    """Put files, last modified long ago, into a folder of this machine."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
        os.utime(folder / path, ns=(mtime_ns, mtime_ns))
    return folder


def on_disk(folder: Path) -> dict[str, str]:
    """Every file below a folder but the trash."""
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".acdrun-trash" not in path.parts
    }


def test_a_renamed_file_is_moved_and_nothing_is_sent_or_trashed(world: World) -> None:
    world.write("src", {"new name": "content", "keep": "1"})
    world.write("dst", {"old name": "content", "keep": "1"})

    ended = world.run()

    assert ended.code == 0
    assert moves(ended, "done") == {"old name": "new name"}
    assert ended.ops("upload") == ended.ops("trash") == []
    assert world.files("dst") == {"new name": b"content", "keep": b"1"}
    assert world.trash("dst") == {}
    assert world.opened["dst"].count("put") == world.opened["dst"].count("trash") == 0


def test_a_renamed_folder_is_moved_file_by_file_and_its_empty_shell_is_trashed(world: World) -> None:
    files = {f"{folder}/{n}": f"{folder} {n}" for folder in ("a", "a/b") for n in range(5)}
    world.write("dst", {f"2015/{path}": data for path, data in files.items()} | {"keep": "1"})
    world.write("src", {f"2016/{path}": data for path, data in files.items()} | {"keep": "1"})

    ended = world.run()

    assert ended.code == 0
    assert len(moves(ended, "done")) == 10
    assert sorted(ended.ops("trash", "done")) == ["2015", "2015/a", "2015/a/b"]
    assert world.files("dst") == world.files("src")
    assert world.folders("dst") == world.folders("src")
    assert world.opened["dst"].count("put") == 0


def test_what_stays_behind_in_a_folder_is_trashed_as_ever_and_then_the_folder(world: World) -> None:
    world.write("dst", {"old/moved": "1", "old/gone": "22", "keep": "333"})
    world.write("src", {"moved": "1", "keep": "333"})

    ended = world.run()

    assert ended.code == 0
    assert steps(ended, ("move", "trash", "upload")) == [
        ("move", "moved", "done"),
        ("trash", "old", "done"),
        ("trash", "old/gone", "done"),
    ]
    assert world.folders("dst") == set()


def test_of_several_equal_files_those_of_one_name_belong_together_and_each_is_used_once(world: World) -> None:
    world.write("dst", {"old/a": "same", "old/b": "same", "keep": "1"})
    world.write("src", {"new/z": "same", "new/b": "same", "new/c": "same", "keep": "1"})

    ended = world.run(world.pair("mirror", guard=FREE))

    assert moves(ended, "done") == {"old/b": "new/b", "old/a": "new/c"}
    assert ended.ops("upload", "done") == ["new/z"]
    assert world.files("dst") == world.files("src")


def test_the_same_size_alone_and_empty_files_make_no_rename(world: World) -> None:
    world.write("dst", {"old": "1234", "empty": "", "keep": "1"})
    world.write("src", {"new": "5678", "empty too": "", "keep": "1"})

    ended = world.run()

    assert moves(ended) == {}
    assert sorted(ended.ops("upload", "done")) == ["empty too", "new"]
    assert sorted(ended.ops("trash", "done")) == ["empty", "old"]


@pytest.mark.parametrize(
    ("mode", "more"), [("copy", {}), ("mirror", {"renames": "ignore"})], ids=["copy", "switched off"]
)
def test_only_a_mirror_that_may_detects_renames(world: World, mode: str, more: dict[str, Any]) -> None:
    world.write("dst", {"old": "content"})
    world.write("src", {"new": "content"})

    ended = world.run(world.pair(mode, **more))

    assert ended.code == 0
    assert moves(ended) == {}
    assert ended.ops("upload", "done") == ["new"]


def test_a_destination_that_cannot_move_gets_an_upload(world: World) -> None:
    world.wrap = _without_moves
    world.write("dst", {"old": "content"})
    world.write("src", {"new": "content"})

    ended = world.run()

    assert ended.code == 0
    assert steps(ended) == [("trash", "old", "done"), ("upload", "new", "done")]


def _without_moves(name: str, backend: Backend) -> Backend:
    backend.can = replace(backend.can, moves=False)
    return backend


def _near(name: str, backend: Backend) -> Backend:
    backend.can = replace(backend.can, near=name == "dst")
    return backend


@pytest.mark.parametrize("near", [True, False])
def test_a_destination_without_digests_is_read_only_where_that_costs_no_transfer(
    world: World, near: bool
) -> None:
    world.fields = {"src": {"algorithms": []}, "dst": {"algorithms": [], "mtime_ns": None}}
    world.wrap = _near if near else world.wrap
    world.write("dst", {"old": "content", "other": "length"})
    world.write("src", {"new": "content"})

    planned = world.plan()

    reads = world.opened["dst"].calls, world.opened["src"].count("read")
    assert moves(planned) == ({"old": "new"} if near else {})
    assert [call for call in reads[0] if call[0] == "read"] == ([("read", "old")] if near else [])
    assert reads[1] == int(near)


def test_a_plan_of_many_new_files_of_one_size_reads_few_of_them_for_one_that_is_lost(world: World) -> None:
    world.fields = {"src": {"algorithms": []}}
    world.write("dst", {"old": "0000", "keep": "1"})
    world.write("src", {f"{n}": f"{n:04}" for n in range(1, 200)} | {"keep": "1"})

    planned = world.plan()

    assert len(planned.ops("upload", "planned")) == 199
    read = [path for verb, path in world.opened["src"].calls if verb == "read" and path != "keep"]
    assert len(read) == 16


@pytest.mark.parametrize("compare", ["auto", "hash", "size", "time"])
def test_between_two_disks_a_second_run_finds_nothing_to_do(
    world: World, tmp_path: Path, compare: str
) -> None:
    here = disk(tmp_path / "here", {"2015/a": "one", "2015/b": "two", "keep": "1"})
    there = tmp_path / "there"
    manifest = world.pair("mirror", source=str(here), destination=str(there), checksum={"compare": compare})
    world.run(manifest)
    (here / "2015").rename(here / "2016")
    (here / "2016/b").rename(here / "c")

    second, third = world.run(manifest), world.run(manifest)

    assert (second.code, third.code) == (0, 0)
    assert moves(second, "done") == {"2015/a": "2016/a", "2015/b": "c"}
    assert second.ops("upload", "done") == []
    assert [change for change in third.changes if change.state != "same" and change.task != "hash"] == []
    assert on_disk(there) == on_disk(here)


def test_where_time_makes_a_file_changed_one_of_another_time_is_sent(world: World, tmp_path: Path) -> None:
    here, there = disk(tmp_path / "here", {"new": "content"}), tmp_path / "there"
    disk(there, {"old": "content"}, OLD_NS - 10**12)

    manifest = world.pair("mirror", source=str(here), destination=str(there), checksum={"compare": "time"})
    ended, again = world.run(manifest), world.run(manifest)

    assert steps(ended) == [("trash", "old", "done"), ("upload", "new", "done")]
    assert steps(again) == []


def local_to_memory(world: World, tmp_path: Path, files: dict[str, str]) -> tuple[Path, Any]:
    """A folder of this machine that was mirrored to `dst:` before."""
    here = disk(tmp_path / "here", files)
    manifest = world.pair("mirror", source=str(here))
    assert world.run(manifest).code == 0
    return here, manifest


def test_a_file_of_this_disk_that_was_read_before_is_recognised_unread_and_read_before_it_is_moved(
    world: World, tmp_path: Path
) -> None:
    here, manifest = local_to_memory(world, tmp_path, {"old": "content", "keep": "1"})
    (here / "old").rename(here / "new")

    planned = world.plan(manifest)
    unread = world.opened[""].count("read")
    ended = world.run(manifest)

    assert moves(planned) == moves(ended, "done") == {"old": "new"}
    assert (unread, world.opened[""].count("read")) == (0, 1)
    assert world.files("dst") == {"new": b"content", "keep": b"1"}


def test_a_renamed_file_whose_content_was_changed_behind_its_times_is_not_moved_and_then_sent(
    world: World, tmp_path: Path
) -> None:
    here, manifest = local_to_memory(world, tmp_path, {"old": "content", "keep": "1", "lost": "22"})
    (here / "lost").unlink()
    (here / "old").rename(here / "new")
    with (here / "new").open("r+") as file:
        file.write("CONTENT")
    os.utime(here / "new", ns=(OLD_NS, OLD_NS))

    first = world.run(manifest)

    assert first.code == Exit.INCOMPLETE
    assert first.op("move", "new").state == "stale"
    assert world.files("dst") == {"old": b"content", "keep": b"1", "lost": b"22"}
    second = world.run(manifest)
    assert second.code == 0
    assert second.ops("upload", "done") == ["new"]
    assert world.files("dst") == {"new": b"CONTENT", "keep": b"1"}


def test_a_plan_whose_renamed_file_has_vanished_from_the_source_leaves_the_old_place_alone(
    world: World,
) -> None:
    world.write("dst", {"old": "content", "gone": "1"})
    world.write("src", {"new": "content", "keep": "22"})
    plan = world.plan(out=world.folder / "saved.plan").path
    world.remove("src", "new")

    ended = world.apply(plan)

    assert ended.op("move", "new").state == "failed"
    assert ended.op("move", "new").kind == "unreadable"
    assert world.files("dst")["old"] == b"content"
    assert ended.ops("trash", "held") == ["gone"]


def test_an_old_place_that_is_no_longer_what_was_planned_stays_and_nothing_is_trashed(world: World) -> None:
    world.write("dst", {"old": "content", "gone": "1"})
    world.write("src", {"new": "content"})
    plan = world.plan(world.pair("mirror", guard=FREE), out=world.folder / "saved.plan").path
    world.write("dst", {"old": "another"})

    ended = world.apply(plan)

    assert ended.code == Exit.STALE
    assert ended.op("move", "new").state == "stale"
    assert world.files("dst") == {"old": b"another", "gone": b"1"}


def test_a_new_place_that_is_not_what_was_moved_there_is_damage_and_nothing_is_trashed(world: World) -> None:
    world.write("dst", {"old": "content", "gone": "1"})
    world.write("src", {"new": "content"})
    world.spoil("dst", Fault("stat", 0, "wrong digest", path="new"))

    ended = world.run(world.pair("mirror", guard=FREE))

    assert ended.code == Exit.DAMAGED
    assert ended.op("move", "new").kind == "damaged"
    assert world.trash("dst") == {}
    assert world.files("dst")["gone"] == b"1"


@pytest.mark.parametrize("algorithms", [["md5"], []])
def test_a_move_whose_answer_was_lost_is_looked_up_and_not_repeated(
    world: World, algorithms: list[str]
) -> None:
    world.fields = {"dst": {"algorithms": algorithms}}
    world.wrap = _near
    world.write("dst", {"old": "content"})
    world.write("src", {"new": "content"})
    world.spoil("dst", Fault("move", 1, "after"))

    ended = world.run()

    assert ended.code == 0
    assert (ended.op("move", "new").state, ended.op("move", "new").note) == ("done", "found complete")
    assert world.files("dst") == {"new": b"content"}


def test_a_stranger_at_the_new_place_is_not_taken_for_a_move_whose_answer_was_lost(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = Memory.move

    async def move(self: Memory, path: str, to: str, *, expect: str | None = None) -> Node:
        await true(self, path, to, expect=expect)
        await self.trash(to)
        await write(self, {to: "CONTENT"})
        raise Unclear("lost")

    monkeypatch.setattr(Memory, "move", move)
    world.write("dst", {"old": "content", "gone": "1"})
    world.write("src", {"new": "content"})

    ended = world.run(world.pair("mirror", guard=FREE))

    assert ended.code == Exit.DAMAGED
    assert world.files("dst") == {"new": b"CONTENT", "gone": b"1"}
    monkeypatch.undo()
    assert world.run(world.pair("mirror", guard=FREE)).code == 0
    assert world.files("dst") == {"new": b"content"}


def test_a_source_that_cannot_be_read_is_no_rename_and_tells_of_itself_once(world: World) -> None:
    world.fields = {"src": {"algorithms": []}}
    world.write("dst", {"old": "content", "keep": "1"})
    world.write("src", {"new": "content", "keep": "1"})
    world.spoil("src", Fault("read", 0, "before", path="new", error=Unreadable("no")))

    ended = world.run()

    assert moves(ended) == {}
    assert [(t.task, t.path) for t in ended.troubles] == [("upload", "new")]
    assert world.files("dst")["old"] == b"content"


def test_what_is_held_back_from_the_trash_is_not_moved_either(world: World) -> None:
    world.write("dst", {"old": "content", "clash/in": "x", "keep": "1"})
    world.write("src", {"new": "content", "clash": "a file", "keep": "1"})

    ended = world.run(world.pair("mirror", guard=FREE))

    assert ended.code == Exit.INCOMPLETE
    assert moves(ended) == {}
    assert world.files("dst") == {"old": b"content", "new": b"content", "clash/in": b"x", "keep": b"1"}


def test_renames_are_no_trash_to_the_guard_which_tells_both_numbers(world: World) -> None:
    world.write("dst", {f"old/{n}": f"content {n}" for n in range(40)})
    world.write("src", {f"new/{n}": f"content {n}" for n in range(40)})
    allowed = world.run(world.pair("mirror", guard={"trash": {"max_files": 0, "always": 0}}))
    world.write("dst", {"more/1": "1", "more/2": "2", "x": "moved again"})
    world.write("src", {"y": "moved again"})

    refused = world.run(world.pair("mirror", guard={"trash": {"max_files": 1}}))

    assert allowed.code == 0
    assert refused.code == Exit.REFUSED
    (said,) = [check.text for check in refused.checks("job") if check.level == "refused"]
    assert "2 files (2B) of 43 files" in said
    assert "would be trashed (3 without renames)" in said
    assert world.files("dst")["x"] == b"moved again"


def test_readback_is_not_asked_of_what_is_not_sent(world: World) -> None:
    world.write("dst", {"old": "content"})
    world.write("src", {"new": "content"})

    ended = world.run(world.pair("mirror", checksum={"verify": "readback"}))

    assert ended.code == 0
    assert moves(ended, "done") == {"old": "new"}
    assert ended.ops("verify") == []


def test_a_stop_ends_the_reading_for_renames_at_once(world: World) -> None:
    ended_early = []

    async def forever(backend: Backend, _: str) -> None:
        try:
            await asyncio.sleep(600)
        except asyncio.CancelledError:
            ended_early.append(True)
            raise

    world.fields = {"src": {"algorithms": []}}
    world.write("dst", {"old": "content"})
    world.write("src", {"new": "content"})
    world.spoil("src", Fault("read", 1, "meddle", meddle=forever))

    ended = world.run(deadline_s=1.0)

    assert ended.code == Exit.BUDGET
    assert world.files("dst") == {"old": b"content"}
    assert ended_early in ([True], [])
