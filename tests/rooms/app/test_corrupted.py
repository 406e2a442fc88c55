"""A place that stores other bytes than it was sent, and says nothing of it."""

from typing import Any

import pytest

from runner.model.backend import Backend
from runner.model.content import Content
from runner.model.node import Node
from tests.lab.worlds import World

SILENT = {"algorithms": [], "mtime_ns": 1}


def rotting(world: World, puts: set[int]) -> None:
    """The destination turns the first byte of what these puts send, counted from 1."""
    count = [0]

    def wrap(remote: str, inner: Backend) -> Backend:
        if remote != "dst":
            return inner
        whole = inner.put

        async def put(path: str, content: Content, *, expect: str | None) -> Node:
            count[0] += 1
            node = await whole(path, content, expect=expect)
            if count[0] in puts:
                contents: dict[str, bytes] = vars(inner)["tree"].contents
                contents[node.generation] = b"#" + contents[node.generation][1:]
            return node

        vars(inner)["put"] = put
        return inner

    world.wrap = wrap


@pytest.mark.torture
@pytest.mark.parametrize("verify", ["server", "readback"])
@pytest.mark.parametrize("before", [{}, {"a": "older"}], ids=["new", "changed"])
def test_N11_what_was_stored_wrong_is_found_and_does_not_stay(
    world: World, verify: str, before: dict[str, str]
) -> None:
    """Its size and time are the source's: a later run that compares these would call it unchanged."""
    world.fields["dst"] = SILENT
    world.write("dst", before, mtime_ns=10**18 - 10**10)
    world.write("src", {"a": "sent!", "b": "other"})
    rotting(world, set(range(1, 100)))
    manifest = world.pair("copy", checksum={"compare": "time", "verify": verify})

    ended = world.run(manifest)
    world.wrap = lambda remote, inner: inner
    left = world.files("dst")
    again = world.run(manifest)

    assert ended.code == 9
    assert not {b"#ent!", b"#ther"} & set(left.values())
    kept: list[Any] = [data for datas in world.trash("dst").values() for data in datas]
    assert not before or b"older" in [*left.values(), *kept]
    assert again.code == 0
    assert world.files("dst") == world.files("src")


@pytest.mark.parametrize("before", [{}, {"a": "older"}], ids=["new", "changed"])
def test_one_that_is_stored_well_the_second_time_is_done(world: World, before: dict[str, str]) -> None:
    world.fields["dst"] = SILENT
    world.write("dst", before, mtime_ns=10**18 - 10**10)
    world.write("src", {"a": "sent!"})
    rotting(world, {1})

    ended = world.run(world.pair("copy", checksum={"compare": "time", "verify": "server"}))

    assert ended.code == 0
    assert world.files("dst") == {"a": b"sent!"}
    assert {change.proof for change in ended.changes if change.task == "upload"} == {"md5"}


@pytest.mark.torture
@pytest.mark.parametrize("verify", ["server", "readback"])
def test_N11_what_somebody_else_wrote_meanwhile_is_never_taken_for_what_was_stored_wrong(
    world: World, verify: str
) -> None:
    """Seed 381 of the simulation: between an upload and its reading back another host replaces the file."""
    world.fields["dst"] = SILENT
    world.write("src", {"a": "sent!"})

    def wrap(remote: str, inner: Backend) -> Backend:
        if remote != "dst":
            return inner
        whole = inner.put

        async def put(path: str, content: Content, *, expect: str | None) -> Node:
            node = await whole(path, content, expect=expect)
            await whole(path, Content.of(b"their", mtime_ns=7), expect=node.generation)
            return node

        vars(inner)["put"] = put
        return inner

    world.wrap = wrap
    ended = world.run(world.pair("copy", checksum={"compare": "time", "verify": verify}))

    assert ended.code != 0
    assert world.files("dst") == {"a": b"their"}
