"""Runs that go by an index: what it lacks is neither trashed nor hidden."""

from pathlib import Path

import pytest

from runner.app.proving import Asked, verify
from runner.manifest.manifest import Manifest
from runner.model.events import Note
from runner.model.exits import Exit
from runner.state.database import Database
from tests.lab.faulty import Faulty
from tests.lab.worlds import World, contents

FILES = {"a": "a", "f/b": "b", "f/c": "c", "f/g/d": "d"}


def indexed(world: World, *names: str) -> Manifest:
    """Mirror `src:` at `dst:`, with an index of these."""
    world.fields = {name: {"index": {"max_age": "7d"}} for name in names}
    return world.pair(guard={"trash": {"max": "100%"}})


def listed(world: World, name: str) -> int:
    """How many folders of a remote the last run has listed."""
    opened: Faulty = world.opened[name]
    return opened.count("list")


def lose(world: World, *names: str) -> None:
    """The index forgets nodes, as no feed would have it."""
    (file,) = (world.state / "index").glob("*.db")
    database = Database(file, "entries", 1)
    with database.transaction() as connection:
        for name in names:
            connection.execute("DELETE FROM entry WHERE name = ?", (name,))
    database.close()


@pytest.mark.parametrize("name", ["src", "dst"])
def test_a_run_with_nothing_to_do_lists_no_folder(world: World, name: str) -> None:
    manifest = indexed(world, name)
    world.write("src", FILES)
    world.run(manifest)
    world.run(manifest)

    ended = world.run(manifest)

    assert (ended.code, ended.ops("upload"), ended.ops("trash")) == (Exit.CONVERGED, [], [])
    assert world.opened[name].count("changes") == 1
    assert listed(world, name) == 0
    assert world.files("dst") == contents(FILES)


def test_both_ends_may_go_by_an_index_and_what_others_do_is_seen(world: World) -> None:
    manifest = indexed(world, "src", "dst")
    world.write("src", FILES)
    world.run(manifest)
    world.run(manifest)
    world.write("src", {"f/b": "other", "new/x": "x"})
    world.remove("src", "f/g")
    world.remove("dst", "a")
    world.write("dst", {"f/h/extra": "e"})

    ended = world.run(manifest)

    assert ended.code == Exit.CONVERGED
    assert world.files("dst") == contents({"a": "a", "f/b": "other", "f/c": "c", "new/x": "x"})
    assert listed(world, "src") == len(["f", "f/g", "f/h"]), "only where something is to be trashed"


@pytest.mark.parametrize("saved", [False, True], ids=["run", "saved plan"])
def test_what_the_index_of_the_source_lacks_is_not_trashed(world: World, tmp_path: Path, saved: bool) -> None:
    manifest = indexed(world, "src")
    world.write("src", FILES)
    world.run(manifest)
    world.run(manifest)
    lose(world, "b", "g")

    if saved:
        world.plan(manifest, tmp_path / "plan")
        ended = world.apply(tmp_path / "plan")
    else:
        ended = world.run(manifest)

    assert world.files("dst") == contents(FILES)
    assert world.trash("dst") == {}
    assert ended.code == (Exit.STALE if saved else Exit.REFUSED)
    again = world.run(manifest)
    assert (again.code, listed(world, "src")) == (Exit.CONVERGED, 3)
    assert any(isinstance(event, Note) and "begun anew: 2 entries" in event.message for event in again.told)
    assert (world.run(manifest).code, world.files("dst")) == (Exit.CONVERGED, contents(FILES))


def test_what_the_index_of_the_destination_lacks_is_found_there(world: World) -> None:
    manifest = indexed(world, "dst")
    world.write("src", FILES)
    world.run(manifest)
    world.run(manifest)
    lose(world, "b", "g")

    ended = world.run(manifest)

    assert (ended.code, world.files("dst"), world.trash("dst")) == (Exit.CONVERGED, contents(FILES), {})
    again = world.run(manifest)
    assert (again.code, listed(world, "dst")) == (Exit.CONVERGED, 3), "the index is compared after that"


def test_a_plan_may_ask_for_fresh_listings(world: World) -> None:
    manifest = indexed(world, "dst")
    world.write("src", FILES)
    world.run(manifest)
    world.run(manifest)
    lose(world, "b")

    assert world.plan(manifest).ops("upload") == ["f/b"]
    ended = world.plan(manifest, fresh=True)

    assert ended.ops("upload") == []
    assert any(isinstance(event, Note) and "begun anew" in event.message for event in ended.told)


def test_a_verification_believes_no_index(world: World) -> None:
    manifest = indexed(world, "dst")
    world.write("src", FILES)
    world.run(manifest)
    world.run(manifest)

    ended = world._told(lambda options: verify(manifest, options, Asked()), {})

    assert ended.code == Exit.CONVERGED
    assert listed(world, "dst") == 3


@pytest.mark.torture
def test_D7_an_index_of_a_newer_version_is_refused(world: World) -> None:
    manifest = indexed(world, "dst")
    world.write("src", FILES)
    world.run(manifest)
    (file,) = (world.state / "index").glob("*.db")
    database = Database(file, "entries", 1)
    database._connection.execute("PRAGMA user_version = 2")
    database.close()

    with pytest.raises(Exception, match="newer acdrun"):
        world.run(manifest)


def test_deleting_the_index_costs_a_listing_and_nothing_else(world: World) -> None:
    manifest = indexed(world, "dst")
    world.write("src", FILES)
    world.run(manifest)
    world.run(manifest)
    for file in (world.state / "index").iterdir():
        file.unlink()

    ended = world.run(manifest)

    assert (ended.code, ended.ops("upload"), listed(world, "dst")) == (Exit.CONVERGED, [], 3)
    world.run(manifest)
    assert listed(world, "dst") == 0
