"""A place that is slow to tell, tells a name twice, or hides a part. Source: reliability.md §9, N10 to N17."""

from collections.abc import AsyncIterator, Sequence
from typing import cast

import pytest

from runner.model.backend import Backend
from runner.model.errors import Denied
from runner.model.node import Node
from tests.lab import Fault, Faulty
from tests.lab.worlds import World


class Doubling(Faulty):
    """Its listings show every name of `names` twice, as two nodes."""

    names: frozenset[str] = frozenset()

    async def list(self, folder: str) -> AsyncIterator[Sequence[Node]]:
        """The second one is in another page."""
        seen = []
        async for page in super().list(folder):
            seen += [node for node in page if node.name in self.names]
            yield page
        yield [node._replace(id=f"{node.id}-twin", generation=f"{node.generation}-twin") for node in seen]


class Lagging(Faulty):
    """Its listings leave out what `hidden` names."""

    hidden: frozenset[str] = frozenset()

    async def list(self, folder: str) -> AsyncIterator[Sequence[Node]]:
        """Everything else."""
        async for page in super().list(folder):
            yield [node for node in page if node.name not in self.hidden]


def doubling(world: World, remote: str, *names: str) -> None:
    """Let that remote show these names twice."""

    def wrap(name: str, inner: Backend) -> Backend:
        if name != remote:
            return inner
        faulty = Doubling(inner)
        faulty.names = frozenset(names)
        return cast(Backend, faulty)

    world.wrap = wrap


@pytest.mark.torture
def test_N13_a_file_that_a_listing_leaves_out_is_adopted_and_not_stored_again(world: World) -> None:
    world.write("src", {"a": "1", "b": "2"})
    world.run()
    before = dict(world.tree("dst").contents)

    def wrap(name: str, inner: Backend) -> Backend:
        faulty = Lagging(inner)
        faulty.hidden = frozenset({"b"} if name == "dst" else ())
        return cast(Backend, faulty)

    world.wrap = wrap
    ended = world.run()

    assert (ended.code, ended.op("upload", "b").note) == (0, "found complete")
    assert world.tree("dst").contents == before
    assert world.trash("dst") == {}


@pytest.mark.torture
def test_N15_a_name_that_the_destination_has_twice_is_told_and_left_alone(world: World) -> None:
    world.write("src", {"both": "new", "other": "1"})
    world.write("dst", {"both": "old", "gone": "2", "extra": "3"})
    doubling(world, "dst", "both", "gone")

    ended = world.run()

    assert ended.code == 3
    assert {"both", "gone"} <= {trouble.path for trouble in ended.troubles}
    assert {"both", "gone"} & set(ended.ops("upload") + ended.ops("trash")) == set()
    assert world.files("dst") == {"both": b"old", "gone": b"2", "extra": b"3", "other": b"1"}
    assert world.trash("dst") == {}


@pytest.mark.torture
def test_N15_a_name_that_the_source_has_twice_is_told_and_its_copy_kept(world: World) -> None:
    world.write("src", {"both": "new", "other": "1"})
    world.write("dst", {"both": "old", "extra": "3"})
    doubling(world, "src", "both")

    ended = world.run()

    assert ended.code == 3
    assert [trouble.path for trouble in ended.troubles] == ["both"]
    assert world.files("dst")["both"] == b"old"
    assert "both" not in world.trash("dst")


@pytest.mark.torture
@pytest.mark.parametrize("side", ["src", "dst"])
def test_N17_a_folder_that_may_not_be_listed_is_unknown_on_either_side(world: World, side: str) -> None:
    world.write("src", {"a/1": "1", "b/2": "2", "c/3": "3"})
    world.write("dst", {"b/old": "o", "c/old": "o"})
    world.spoil(side, Fault("list", 0, path="b", error=Denied("status 403")))

    ended = world.run()

    assert ended.code == 3
    assert world.files("dst") == {"a/1": b"1", "b/old": b"o", "c/3": b"3", "c/old": b"o"}
    assert world.trash("dst") == {}
    assert [(trouble.path, trouble.kind) for trouble in ended.troubles] == [("b", "denied")]


@pytest.mark.torture
def test_N17_a_folder_that_may_not_be_written_to_in_mid_run_holds_the_trash(world: World) -> None:
    world.write("src", {"a/1": "1", "b/2": "2", "b/3": "3"})
    world.write("dst", {"lost": "0"})
    refused = [Fault("put", 0, path=path, error=Denied("status 403")) for path in ("b/2", "b/3")]
    world.spoil("dst", *refused)

    ended = world.run()

    assert ended.code == 6
    assert world.files("dst") == {"a/1": b"1", "lost": b"0"}
    assert world.trash("dst") == {}


@pytest.mark.torture
def test_N10_where_nothing_is_to_be_proven_it_says_that_only_the_size_was(world: World) -> None:
    world.fields["dst"] = {"algorithms": []}
    world.write("src", {"a": "1"})

    unproven = world.run(world.pair("copy", checksum={"verify": "none"}))
    world.write("src", {"b": "2"})
    proven = world.run(world.pair("copy"))

    assert unproven.op("upload", "a").proof == "size"
    assert proven.op("upload", "b").proof == "md5"
