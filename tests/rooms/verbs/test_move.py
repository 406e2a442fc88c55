"""`move`: nothing leaves the source before its copy is proven, whatever fails, whenever it is killed."""

import itertools
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runner.manifest.manifest import Manifest
from runner.model.backend import Backend
from runner.model.content import Content
from runner.model.errors import Denied, Unreadable
from runner.model.exits import Exit
from runner.report.summary import summary
from runner.report.text import run_lines
from runner.state.account import Account
from runner.state.journal import Journal
from tests.lab.faulty import Fault
from tests.lab.worlds import Ended, World, contents
from tests.laws.killing import Guillotine, Killed, Mortal
from tests.rooms.cli.conftest import Acdrun, write

FILES = {"a/x": "1", "a/y": "2", "b/c/d": "4", "same": "s", "empty": None}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def moving(here: World, **more: Any) -> Manifest:
    """`src:` to `dst:` as `move` asks for it, which no manifest can."""
    whole = here.pair("copy", **more)
    (job,) = whole.jobs
    return replace(whole, jobs=(replace(job, pairs=tuple(replace(p, mode="move") for p in job.pairs)),))


def move(here: World, **more: Any) -> Ended:
    return here.run(moving(here, **more))


class Changing:
    """Lets something happen to a backend just before the first node is trashed."""

    def __init__(self, act: Callable[[Backend, str], Awaitable[None]]) -> None:
        self._act: Callable[[Backend, str], Awaitable[None]] | None = act

    def around(self, inner: Backend) -> Backend:
        """The backend, with that in its way."""
        self.inner, self.can = inner, inner.can
        return self  # type: ignore[return-value]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def trash(self, path: str, *, expect: str | None = None) -> str:
        """Act, then trash."""
        act, self._act = self._act, None
        if act is not None:
            await act(self.inner, path)
        return await self.inner.trash(path, expect=expect)


def test_every_file_goes_over_and_then_to_the_sources_trash_and_folders_stay(world: World) -> None:
    world.write("src", FILES)
    world.write("dst", {"same": "s", "other": "o"})

    ended = move(world)

    assert ended.code == 0
    assert world.files("dst") == {**contents(FILES), "other": b"o"}
    assert world.files("src") == {}
    assert world.folders("src") == {"a", "b", "b/c", "empty"}
    assert world.trash("src") == {path: [data] for path, data in contents(FILES).items()}
    assert all(ended.op("retire", path).ref for path in contents(FILES))


def test_a_second_move_finds_nothing_to_do(world: World) -> None:
    world.write("src", FILES)
    move(world)

    again = move(world, guard={"source": {"empty": "allow"}})

    assert again.code == 0
    assert again.changes == []


def test_a_failing_upload_keeps_every_source_file(world: World) -> None:
    world.write("src", FILES)
    world.spoil("dst", Fault("put", 0, path="a/y", error=Denied("no")))

    ended = move(world)

    assert ended.code == Exit.DENIED
    assert world.files("src") == contents(FILES)
    assert world.trash("src") == {}
    assert ended.stage("retire").state == "held"
    assert sorted(ended.ops("retire", "held")) == sorted(contents(FILES))
    with closing(Journal(ended.path)) as journal:
        told = [line.text for line in run_lines(summary(journal), ended.code, Account(journal).troubles())]
    assert "  everything is kept in the source: upload did not succeed" in told


def test_a_listing_with_a_gap_on_either_side_keeps_every_source_file(world: World) -> None:
    for side in ("src", "dst"):
        world.write("src", FILES)
        world.write("dst", FILES)
        world.spoil(side, Fault("list", 0, path="b", error=Unreadable("io")))

        move(world)

        assert world.files("src") == contents(FILES)
        world.spoil(side)


def test_an_unchanged_file_is_taken_only_when_its_content_is_proven(world: World) -> None:
    world.fields = {"src": {"algorithms": []}, "dst": {"algorithms": []}}
    world.write("src", {"same": "s", "liar": "1", "bigger": "22"})
    world.write("dst", {"same": "s", "liar": "2"})

    ended = move(world, checksum={"compare": "size"})

    assert world.files("src") == {"liar": b"1"}
    assert world.files("dst") == {"same": b"s", "liar": b"2", "bigger": b"22"}
    assert ended.code == Exit.INCOMPLETE
    (trouble,) = ended.troubles
    assert (trouble.path, trouble.message) == (
        "liar",
        "kept: its copy has the same size and time, and other content",
    )


def test_a_source_file_that_changed_after_it_was_sent_stays(world: World) -> None:
    world.write("src", {"x": "old", "y": "y"})

    async def meddle(backend: Backend, path: str) -> None:
        await backend.put("x", Content.of(b"new"), expect=(await backend.stat("x")).generation)

    changing = Changing(meddle)
    world.wrap = lambda name, inner: changing.around(inner) if name == "src" else inner

    ended = move(world)

    assert ended.op("retire", "x").state == "stale"
    assert world.files("src") == {"x": b"new"}
    assert world.files("dst") == {"x": b"old", "y": b"y"}


def test_a_copy_that_changed_after_it_was_listed_keeps_the_source(world: World) -> None:
    world.write("src", {"same": "s", "z": "z"})
    world.write("dst", {"same": "s"})

    async def meddle(backend: Backend, path: str) -> None:
        there = await backend.stat("same")
        await backend.put("same", Content.of(b"x"), expect=there.generation)

    world.spoil("dst", Fault("put", 1, "meddle", path="z", meddle=meddle))

    ended = move(world)

    assert world.files("src") == {"same": b"s"}
    assert ended.op("retire", "same").state == "stale"
    assert ended.code == Exit.INCOMPLETE


def test_what_is_blocked_or_left_out_stays(world: World) -> None:
    world.fields = {"dst": {"folds": True}}
    world.write("src", {"a/Name": "1", "a/name": "2", "a/x.tmp": "3", "b": "4"})

    move(world, filter=[{"exclude": "*.tmp"}])

    assert world.files("src") == {"a/Name": b"1", "a/name": b"2", "a/x.tmp": b"3"}


def test_a_name_that_differs_in_case_is_renamed_there_and_then_taken(world: World) -> None:
    world.fields = {"dst": {"folds": True}}
    world.write("src", {"Readme": "same"})
    world.write("dst", {"README": "same"})

    ended = move(world)

    assert ended.code == 0
    assert world.files("dst") == {"Readme": b"same"}
    assert world.files("src") == {}


def test_a_plan_of_a_move_changes_nothing_and_is_applied_exactly(world: World) -> None:
    world.write("src", FILES)
    path = world.folder / "move.plan"

    planned = world.plan(moving(world), path)
    before = world.files("src"), world.files("dst")
    world.write("src", {"later": "l"})
    applied = world.apply(path)

    assert (planned.code, before) == (0, (contents(FILES), {}))
    assert applied.code == 0
    assert world.files("src") == {"later": b"l"}
    assert world.files("dst") == contents(FILES)


def test_the_summary_counts_what_leaves_the_source(world: World) -> None:
    world.write("src", FILES)

    ended = move(world)

    with closing(Journal(ended.path)) as journal:
        (pair,) = summary(journal).pairs
    assert (pair.leaving.number, pair.retired.number, pair.trashed.number) == (4, 4, 0)


@pytest.mark.slow
@pytest.mark.torture
@pytest.mark.parametrize("algorithms", [["md5"], []])
def test_i2_a_move_killed_at_any_commit_loses_nothing_and_is_finished_by_the_next(
    algorithms: list[str], tmp_path: Path
) -> None:
    for number, after in ((number, after) for number in itertools.count(1) for after in (False, True)):
        here = World(tmp_path / f"{number}-{after}")
        here.fields = {"src": {"algorithms": algorithms}, "dst": {"algorithms": algorithms}}
        here.write("src", FILES)
        here.write("dst", {"same": "s", "a/x": "old"})
        early: list[str] = []

        def looks_on(path: str, here: World = here, early: list[str] = early) -> None:
            if here.files("dst") != contents(FILES):
                early.append(path)

        guillotine = Guillotine(number, after=after)
        here.wrap = lambda name, inner, g=guillotine, look=looks_on: Mortal(  # type: ignore[misc]
            inner, g, look if name == "src" else None
        )
        finished = True
        try:
            with guillotine.up():
                move(here)
        except Killed:
            finished = False
        left = {**here.files("dst"), **here.files("src")}
        assert left == contents(FILES), "a file is on neither side"
        here.wrap = lambda name, inner: inner
        ended = move(here, guard={"source": {"empty": "allow"}})

        assert ended.code == 0
        assert (here.files("src"), here.files("dst")) == ({}, contents(FILES))
        assert early == []
        here.forget()
        if finished:
            return


def test_the_command_moves_and_says_so(mem: Acdrun, place: Path) -> None:
    planned = mem("move", "--plan", "src", "mem:a")
    kept = mem("ls", "src").out
    moved = mem("move", "src", "mem:a")

    assert "- 3 files (2.94KiB) to the trash of the source, once each copy is proven" in planned.out
    assert "3 taken out of the source" in planned.out
    assert kept.count("\n") == 3
    assert "took 3 files (2.94KiB) out of the source; they are in its trash" in moved.out
    assert mem("ls", "src").out == ""
    assert (
        mem("trash", "restore", "src", "one.txt", "sub").out
        == "+ one.txt\n+ sub/two.txt\n+ sub/deep/three.txt\n"
    )


def test_one_file_is_moved_alone(mem: Acdrun, place: Path) -> None:
    assert mem("move", "src/sub/two.txt", "mem:a").code == 0

    assert mem("ls", "src").out == "        3 one.txt\n     3000 sub/deep/three.txt\n"


def test_no_manifest_can_ask_for_a_move(acdrun: Acdrun, place: Path) -> None:
    write(place / "m.yaml", (place / "m.yaml").read_text().replace("mirror", "move"))

    ended = acdrun("validate", "m.yaml")

    assert ended.code == 2
