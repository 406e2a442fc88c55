"""The barrier: what was planned is trashed only where everything before it went well and nothing moved on."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from runner.model.backend import Backend
from runner.model.content import Content
from runner.model.errors import Denied
from runner.model.node import Node
from runner.model.task import Context
from runner.tasks import barrier
from tests.lab import Fault
from tests.lab.faulty import Meddle
from tests.lab.worlds import World

MANY = {f"{number // 50}/f{number:03}": "x" for number in range(250)}
LOOSE = {"trash": {"max": "100%", "max_files": 10_000, "no_history": "allow"}}
PHOTOS = World.ends(source="src:photos", guard=LOOSE)


def under(folder: str, files: Mapping[str, str]) -> dict[str, str]:
    """The files one folder deeper."""
    return {f"{folder}/{path}": data for path, data in files.items()}


def meanwhile(world: World, act: Meddle) -> None:
    """Have that happen once the last file is sent, which is called "new"."""

    def wrap(name: str, inner: Backend) -> Backend:
        put = inner.put

        async def and_then(path: str, content: Content, *, expect: str | None) -> Node:
            node = await put(path, content, expect=expect)
            if path.endswith("new"):
                await act(inner, path)
            return node

        vars(inner)["put"] = and_then if name == "dst" else put
        return inner

    world.wrap = wrap


def changing(*paths: str) -> Meddle:
    """Somebody replaces these files at the destination."""

    async def act(backend: Backend, _: str) -> None:
        for path in paths:
            await backend.trash(path)
            await backend.put(path, _content(), expect=None)

    return act


def _content() -> Content:
    return Content.of(b"theirs")


@pytest.mark.torture
def test_G5_one_upload_that_failed_keeps_all_that_was_to_be_trashed(world: World) -> None:
    doomed = {f"old{number:03}": "x" for number in range(500)}
    world.write("src", {"a": "1", "b": "2"})
    world.write("dst", doomed)
    world.spoil("dst", Fault("put", 0, path="b", error=Denied("no")))

    ended = world.run(world.pair("mirror", guard=LOOSE))

    assert ended.code == Denied.exit
    assert len(ended.ops("trash", "held")) == 500
    assert world.trash("dst") == {}
    assert len(world.files("dst")) == 501


@pytest.mark.torture
def test_G3_whoever_changes_many_files_meanwhile_keeps_all_of_the_trash(world: World) -> None:
    world.write("src", {"new": "1"})
    world.write("dst", MANY)
    meanwhile(world, changing("0/f000", "1/f050", "4/f249"))

    ended = world.run(world.pair("mirror", guard=LOOSE))

    assert ended.code == 4
    assert ended.ops("trash", "stale") == ["0/f000", "1/f050", "4/f249"]
    assert len(ended.ops("trash", "held")) == len(ended.ops("trash")) - 3
    assert "3 files to be trashed changed since: 0/f000, 1/f050, 4/f249" in ended.op("barrier", "").note
    assert world.files("dst").items() >= {"new": b"1", "0/f000": b"theirs", "0/f001": b"x"}.items()


def test_a_few_changed_files_stay_and_the_rest_is_trashed(world: World) -> None:
    world.write("src", {"new": "1"})
    world.write("dst", MANY)
    meanwhile(world, changing("0/f000", "4/f249"))

    ended = world.run(world.pair("mirror", guard=LOOSE))

    assert ended.code == 3
    assert world.files("dst") == {"new": b"1", "0/f000": b"theirs", "4/f249": b"theirs"}
    assert sorted(ended.ops("trash", "held")) == ["0", "4"], "folders that are not empty stay"


@pytest.mark.torture
def test_G3_a_hundred_changed_files_are_too_many_whatever_their_share(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(barrier, "MOST_DRIFT", 1)
    world.write("src", {"new": "1"})
    world.write("dst", MANY)
    meanwhile(world, changing("0/f000", "4/f249"))

    assert world.run(world.pair("mirror", guard=LOOSE)).code == 4
    assert len(world.files("dst")) == 251


def test_what_is_gone_already_is_no_drift(world: World) -> None:
    world.write("src", {"new": "1"})
    world.write("dst", MANY)

    async def act(backend: Backend, _: str) -> None:
        for number in range(1, 5):
            await backend.trash(str(number))
        await backend.trash("0/f000")

    meanwhile(world, act)

    ended = world.run(world.pair("mirror", guard=LOOSE))

    assert ended.code == 0
    assert world.files("dst") == {"new": b"1"}


@pytest.mark.torture
def test_D10_drift_in_the_trash_list_of_a_saved_plan_stops_before_anything_is_trashed(world: World) -> None:
    world.write("src", {"a": "1"})
    world.write("dst", MANY)
    plan = world.plan(world.pair("mirror", guard=LOOSE), out=world.folder / "saved.plan").path
    world.write("dst", {"1/f070": "theirs"})

    ended = world.apply(plan)

    assert ended.code == 5
    assert ended.ops("upload", "done") == ["a"]
    assert ended.ops("trash", "stale") == ["1/f070"]
    assert "1/f070" in ended.op("barrier", "").note
    assert world.trash("dst") == {}
    assert world.files("dst") == {"a": b"1", **dict.fromkeys(MANY, b"x"), "1/f070": b"theirs"}


def test_each_folder_is_listed_once_more_and_only_where_something_goes(world: World) -> None:
    world.write("src", {"a": "1", "keep/x": "x", "2/f100": "x"})
    world.write("dst", {**MANY, "keep/x": "x"})

    world.run(world.pair("mirror", guard=LOOSE))

    listed = [path for verb, path in world.opened["dst"].calls if verb == "list"]
    assert sorted(listed) == sorted(["", "keep", *"01234", *"01234"])


def test_a_run_that_removes_nothing_makes_no_further_request(world: World) -> None:
    world.write("src", {"a": "1"})
    world.write("dst", {"b": "2"})

    ended = world.run(world.pair("copy"))

    calls = [verb for name in ("src", "dst") for verb, _ in world.opened[name].calls]
    assert (ended.code, ended.ops("barrier")) == (0, [])
    assert (calls.count("list"), calls.count("identity")) == (2, 2)


@pytest.mark.torture
@pytest.mark.parametrize("how", ["gone", "another", "emptied", "unmarked"])
@pytest.mark.parametrize("mode", ["mirror", "move"])
def test_S9_a_source_that_vanishes_before_the_barrier_takes_nothing_with_it(
    world: World, how: str, mode: str
) -> None:
    world.write("src", {"photos/new": "1", "photos/.mounted": ""})
    world.write("dst", {"lost": "0", ".mounted": ""})
    source = world.memory("src")

    async def vanish(_: Backend, __: str) -> None:
        if how in ("gone", "another"):
            await source.trash("photos")
        if how == "another":
            await source.mkdir("photos")
            await source.put("photos/.mounted", _content(), expect=None)
        if how == "emptied":
            await source.trash("photos/new")
        if how in ("emptied", "unmarked"):
            await source.trash("photos/.mounted")

    meanwhile(world, vanish)
    guard = {**LOOSE, "source": {"sentinel": ".mounted"}}

    manifest = world.manifest({"job": {"pairs": [{**PHOTOS, "guard": guard}]}})
    if mode == "move":  # no manifest can ask for it, only the command line
        (job,) = manifest.jobs
        moving = tuple(replace(pair, mode="move") for pair in job.pairs)
        manifest = replace(manifest, jobs=(replace(job, pairs=moving),))

    ended = world.run(manifest)

    said = {
        "gone": "does not exist",
        "another": "is not the place",
        "emptied": "is empty now",
        "unmarked": "sentinel",
    }
    assert ended.code == 4
    assert said[how] in ended.op("barrier", "").note
    assert world.files("dst").keys() >= {"lost", "new"}
    assert world.trash("dst") == {}
    assert not ended.ops("trash", "done") and not ended.ops("retire", "done")


def test_a_destination_that_is_replaced_before_the_barrier_loses_nothing(world: World) -> None:
    world.write("src", {"new": "1"})
    world.write("dst", {"to/lost": "0"})

    async def replaced(backend: Backend, _: str) -> None:
        await backend.move("to", "was")
        await backend.mkdir("to")
        await backend.put("to/lost", _content(), expect=None)

    meanwhile(world, replaced)
    ended = world.run(world.pair("mirror", destination="dst:to", guard=LOOSE))

    assert ended.code != 0
    assert world.files("dst").items() >= {"was/lost": b"0", "to/lost": b"theirs"}.items()
    assert not ended.ops("trash", "done")


@pytest.mark.torture
def test_N12_a_folder_that_cannot_be_listed_again_keeps_all_of_the_trash(world: World) -> None:
    world.write("src", {"a": "1"})
    world.write("dst", MANY)
    world.spoil("dst", Fault("list", 2, path="3", error=Denied("no")))

    ended = world.run(world.pair("mirror", guard=LOOSE))

    assert ended.code == Denied.exit
    assert len(world.files("dst")) == 251


def test_a_barrier_that_was_killed_after_it_gave_files_up_still_holds_the_trash(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It writes down what changed before it can say what follows from that."""
    world.write("src", {"a": "1"})
    world.write("dst", MANY)
    plan = world.plan(world.pair("mirror", guard=LOOSE), out=tmp_path / "saved.plan").path
    world.write("dst", {"1/f070": "theirs"})
    whole = barrier.Barrier._drift

    async def killed(self: barrier.Barrier, ctx: Context) -> tuple[int, list[str]]:
        await whole(self, ctx)
        raise KeyboardInterrupt

    monkeypatch.setattr(barrier.Barrier, "_drift", killed)
    with pytest.raises(KeyboardInterrupt):
        world.apply(plan)
    monkeypatch.setattr(barrier.Barrier, "_drift", whole)

    ended = world.apply(plan)

    assert ended.code == 5
    assert world.trash("dst") == {}


def test_a_barrier_that_was_cut_off_is_looked_through_again(world: World, tmp_path: Path) -> None:
    world.write("src", {"a": "1"})
    world.write("dst", MANY)
    plan = world.plan(world.pair("mirror", guard=LOOSE), out=tmp_path / "saved.plan").path
    stopped = world.apply(plan, most_bytes=1)
    world.write("dst", {"1/f070": "theirs"})

    ended = world.apply(plan)

    assert (stopped.code, ended.code) == (11, 5)
    assert world.trash("dst") == {}
