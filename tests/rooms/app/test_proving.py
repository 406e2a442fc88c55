"""Verifications of places with digests, and of places that do not answer."""

from typing import Any

from runner.app.proving import Asked, verify
from runner.backends.memory import Memory
from runner.model.backend import Backend
from runner.model.errors import Unreadable
from tests.lab.faulty import Fault
from tests.lab.worlds import Ended, World

FILES = {"a": "aa", "b/c": "cc", "b/d": "dd"}


def verified(world: World, asked: Asked | None = None, **more: Any) -> Ended:
    """Verify a mirror of `src:` at `dst:`."""
    return world._told(lambda options: verify(world.pair(), options, asked or Asked()), more)


def rot(world: World, path: str) -> None:
    """Other bytes below the same listing."""
    node = dict(world.nodes("dst"))[path]
    data = world.tree("dst").contents[node.generation]
    world.tree("dst").contents[node.generation] = bytes([data[0] ^ 1]) + data[1:]


def test_listed_digests_prove_without_reading(world: World) -> None:
    world.write("src", FILES)
    world.run()

    ended = verified(world)

    assert (ended.code, ended.ops("prove")) == (0, [])
    assert world.opened["dst"].count("read") == 0


def test_what_a_listing_hides_is_found_by_reading(world: World) -> None:
    world.write("src", FILES)
    world.run()
    rot(world, "b/c")

    quick, whole = verified(world), verified(world, Asked(read=True))

    assert quick.code == 0
    assert whole.code == 9
    assert [(trouble.path, trouble.kind) for trouble in whole.troubles] == [("b/c", "damaged")]
    assert whole.ops("prove", "done") == ["a", "b/d"]


def test_bytes_that_the_source_itself_belies_are_never_sent(world: World) -> None:
    world.write("src", FILES)
    node = dict(world.nodes("src"))["b/c"]
    world.tree("src").contents[node.generation] = b"cx"

    ended = world.run()

    assert ended.code == 9
    assert set(world.files("dst")) == {"a", "b/d"}
    assert ended.op("upload", "b/c").kind == "damaged"


def test_a_file_that_cannot_be_read_is_incomplete_and_no_damage(world: World) -> None:
    world.write("src", FILES)
    world.run()
    world.spoil("dst", Fault("read", 0, path="b/d", error=Unreadable("the disk does not answer")))

    ended = verified(world, Asked(read=True))

    assert ended.code == 3
    assert [(trouble.path, trouble.kind) for trouble in ended.troubles] == [("b/d", "unreadable")]


def test_a_part_that_cannot_be_listed_is_neither_missing_nor_extra(world: World) -> None:
    world.write("src", FILES)
    world.run()
    world.spoil("dst", Fault("list", 0, path="b", error=Unreadable("no")))

    ended = verified(world)

    assert ended.code == 3
    assert {trouble.kind for trouble in ended.troubles} == {"unreadable"}


def test_a_source_that_is_gone_is_refused_and_is_no_alarm_of_extras(world: World) -> None:
    world.write("src", {"in/a": "a"})
    manifest = world.manifest({"job": {"pairs": [world.ends(source="src:in")]}})
    world.run(manifest)
    world.remove("src", "in")

    ended = world._told(lambda options: verify(manifest, options, Asked()), {})

    assert ended.code == 4
    assert ended.troubles == []


def test_what_is_replaced_while_it_is_read_is_told_as_changed(world: World) -> None:
    world.write("src", FILES)
    world.run()

    async def meddle(inner: Backend, path: str) -> None:
        assert isinstance(inner, Memory)
        world_node = await inner.stat(path)
        inner.tree.contents[world_node.generation] = b"xx"
        for children in inner.tree.children.values():
            for key, node in children.items():
                if node == world_node:
                    children[key] = node._replace(generation=node.generation + "x")
        inner.tree.contents[world_node.generation + "x"] = b"xx"

    world.spoil("dst", Fault("read", 1, "meddle", path="a", meddle=meddle))

    ended = verified(world, Asked(read=True))

    assert "damaged" not in {trouble.kind for trouble in ended.troubles}
    assert ended.code == 3
