"""Rules of small files that are read, and stored, together with others."""

from collections.abc import AsyncIterator
from contextlib import aclosing

from runner.backends.contract.rule import TIME_NS, children, read, rule, write
from runner.model.backend import Copied, Copy, Copying
from runner.model.checksum import Checksum
from runner.model.content import Loaded
from runner.model.node import Node
from runner.model.powers import PutsSome, ReadsSome, Some
from runner.remote.full import full
from runner.remote.remote import Remote


@rule
async def files_read_together_are_as_each_is_read(remote: Remote) -> None:
    """Those that stand there as they were listed, and no other: one moved on, one is gone, one was never there."""
    backend = remote.backend
    if not isinstance(backend, ReadsSome):
        return
    data = {name: name.encode() * 50 for name in ("empty", "some", "more", "on", "gone")} | {"empty": b""}
    nodes = {name: await write(remote, name, data[name]) for name in data}
    await remote.put("on", remote.content("some", nodes["some"]), expect=nodes["on"].generation)
    await remote.trash("gone")
    asked = [_listed(remote, name, node) for name, node in [*nodes.items(), ("none", nodes["some"])]]

    found: dict[str, Loaded] = {}
    async with aclosing(backend.read_some(asked, Copying())) as pieces:
        async for some in pieces:
            found |= {asked[number].path: one for number, one in some}

    assert {name: one.data for name, one in found.items()} == {
        name: data[name] for name in ("empty", "some", "more")
    }
    assert all(one.checksum == Checksum.of("md5", one.data) for one in found.values())


@rule
async def files_stored_together_are_as_each_is_put(remote: Remote) -> None:
    """Content, time and node, or nothing was done: what stands there is not replaced."""
    backend = remote.backend
    if not isinstance(backend, PutsSome):
        return
    await remote.mkdirs("folder")
    there = await write(remote, "folder/there", b"theirs")
    data = {"there": b"ours", **{f"file {number}": b"x" * number for number in range(100)}}
    asked = [_new(remote, f"folder/{name}", len(data[name])) for name in data]

    async def loaded() -> AsyncIterator[Some]:
        found = [(n, Loaded(one, Checksum.of("md5", one))) for n, one in enumerate(data.values())]
        for start in range(0, len(found), 40):
            yield found[start : start + 40]

    done = await backend.put_some(asked, loaded(), Copying())

    seen = await children(remote, "folder")
    assert done[0] is None
    assert seen["there"] == there
    assert await read(remote, "folder/there") == b"theirs"
    stored = {name: one for name, one in zip(data, done, strict=True) if one is not None}
    for name, copied in stored.items():
        await _is_whole(remote, name, data[name], copied, seen[name])


async def _is_whole(remote: Remote, name: str, data: bytes, copied: Copied, seen: Node) -> None:
    assert copied.node.generation == seen.generation
    assert copied.checksum == Checksum.of("md5", data)
    assert (seen.size, seen.mtime_ns) == (len(data), TIME_NS)
    assert await read(remote, f"folder/{name}", expect=seen.generation) == data


def _listed(remote: Remote, path: str, node: Node) -> Copy:
    origin = full(remote.name, remote.prefix, path)
    return Copy(origin, node.generation, node.size, node.mtime_ns, path)


def _new(remote: Remote, path: str, size: int) -> Copy:
    return Copy("", "", size, TIME_NS, full(remote.name, remote.prefix, path))
