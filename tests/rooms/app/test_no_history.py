"""A plan that trashes much while no good run of its pair is on record: a first run, or a lost state directory."""

import shutil
from typing import Any

import pytest

from runner.model.errors import Denied
from tests.lab import Fault
from tests.lab.worlds import Ended, World

KEPT = {f"kept{number:03}": "x" for number in range(200)}
GONE = {f"gone{number:02}": "y" for number in range(11)}


def said(ended: Ended) -> str:
    """What the door of the only job was told."""
    return ended.stage("accept", "", "job").why


def lose_the_state(world: World) -> None:
    """As a new machine has none."""
    shutil.rmtree(world.state)


@pytest.mark.torture
def test_D6_a_mirror_that_lost_its_state_and_part_of_its_source_trashes_nothing_unasked(world: World) -> None:
    world.write("src", KEPT | GONE)
    world.run()
    world.remove("src", *GONE)
    lose_the_state(world)

    ended = world.run()
    there = world.files("dst")
    accepted = world.run(accepted=frozenset(ended.refused))

    assert (ended.code, accepted.code) == (4, 0)
    assert said(ended).startswith(
        "the guard of 'job' refused: trash.no_history is refuse (default, for the pair at"
    )
    assert "), but 11 files (11B) of 211 files (211B) would be trashed, while no good run of" in said(ended)
    assert set(there) == {*KEPT, *GONE}
    assert sorted(world.trash("dst")) == sorted(GONE)


def test_what_was_accepted_once_is_a_good_run_on_record(world: World) -> None:
    world.write("src", KEPT)
    world.write("dst", KEPT | GONE)
    world.run(accepted=frozenset(world.run().refused))
    world.write("dst", {f"another{number}": "x" for number in range(12)})

    assert world.run().code == 0


@pytest.mark.parametrize(("number", "code"), [(3, 0), (4, 4)])
def test_a_few_files_are_trashed_without_a_history(world: World, number: int, code: int) -> None:
    world.write("src", KEPT)
    world.write("dst", KEPT | dict(list(GONE.items())[:number]))

    assert world.run(world.pair(guard={"trash": {"always": 3}})).code == code


@pytest.mark.torture
def test_D6_where_no_run_has_a_history_the_manifest_can_say_so(world: World) -> None:
    world.write("src", KEPT)
    world.write("dst", KEPT | GONE)

    ended = world.run(world.pair(guard={"trash": {"no_history": "allow"}}))

    assert ended.code == 0
    assert sorted(world.trash("dst")) == sorted(GONE)


@pytest.mark.parametrize("other", [{"source": "src:in"}, {"destination": "dst:in"}])
def test_the_history_of_another_pair_is_none(world: World, other: dict[str, Any]) -> None:
    world.write("src", KEPT | {f"in/{name}": text for name, text in KEPT.items()})
    assert world.run().code == 0
    for number in range(11):
        world.write("dst", {f"in/gone{number}": "y"})

    ended = world.run(world.pair(**other))

    assert "trash.no_history" in said(ended)


def test_a_run_that_was_no_good_one_is_no_history(world: World) -> None:
    world.write("src", KEPT)
    world.write("dst", GONE)
    world.spoil("dst", Fault("put", 0, path="kept000", error=Denied("no")))
    fine = {"trash": {"max": "100%", "no_history": "allow"}}
    assert world.run(world.pair(guard=fine)).code == Denied.exit
    world.spoil("dst")

    ended = world.run(world.pair(guard={"trash": {"max": "100%"}}))

    assert "trash.no_history" in said(ended)
    assert set(GONE) <= set(world.files("dst"))


def test_renamed_files_are_not_counted(world: World) -> None:
    world.write("src", KEPT | {f"new{name}": f"content of {name}" for name in GONE})
    world.write("dst", KEPT | {name: f"content of {name}" for name in GONE})

    ended = world.run()

    assert ended.code == 0
    assert len(ended.ops("move", "done")) == len(GONE)


def test_an_undo_needs_no_history(world: World) -> None:
    world.write("src", KEPT)
    ended = world.run()
    (world.state / "pairs.db").unlink()

    undone = world.undo(ended, created=True, max_trash=1000)

    assert undone.code == 0
    assert world.files("dst") == {}


@pytest.mark.parametrize("mode", ["plan", "saved"])
def test_a_plan_is_refused_as_the_run_would_be(world: World, mode: str) -> None:
    world.write("src", KEPT)
    world.write("dst", KEPT | GONE)
    out = world.folder / "saved.plan"

    planned = world.plan(out=out) if mode == "saved" else world.plan()

    assert planned.code == 4
    assert planned.refused == world.run().refused
    assert not out.exists()
