"""Rules of copying: files that a place takes from another one of its kind by itself."""

from collections.abc import Sequence

from runner.backends.contract.rule import TIME_NS, children, read, refused, rule, write
from runner.model.backend import Copy, Copying, Durability
from runner.model.checksum import Checksum
from runner.model.errors import Unsupported
from runner.model.node import Node
from runner.remote.remote import Remote

WAYS: dict[str, Durability] = {"a": "batch", "b": "file"}
"""The first letter of folders that are filled in this way."""


@rule
async def a_copy_is_what_a_put_would_have_made(remote: Remote) -> None:
    """Content, time and node, in the order that was asked for; the source is as it was."""
    here, there = await _places(remote)
    if not there.takes_from(here):
        with refused(Unsupported):
            await there.copy_from(here, _copies({"file": await write(here, "file")}), Copying())
        return
    data = {"empty": b"", "small": b"some bytes", "large": bytes(range(256)) * 12 * 1024 + b"!"}
    nodes = {name: await write(here, name, data[name], mtime_ns=TIME_NS) for name in data}
    moved: list[int] = []

    done = await there.copy_from(here, _copies(nodes), Copying(moved=moved.append))

    seen = await children(there)
    assert [one is not None and one.node for one in done] == [seen[name] for name in data]
    assert [one and one.checksum for one in done] == [Checksum.of("md5", data[name]) for name in data]
    for name, node in nodes.items():
        assert await read(there, name, expect=seen[name].generation) == data[name]
        assert seen[name].mtime_ns == node.mtime_ns
    assert sum(moved) == sum(map(len, data.values()))
    assert await children(here) == nodes


@rule
async def what_cannot_be_copied_is_left_alone(remote: Remote) -> None:
    """One that is there, that moved on, that is gone, that has no folder, that is not what it was; large or small."""
    here, there = await _places(remote)
    if not there.takes_from(here):
        return
    for size in (5, 3_000_000):
        nodes = {
            f"{name}{size}": await write(here, f"{name}{size}", name[:1].encode() * size)
            for name in ("there", "on", "gone", "folder", "known", "fine")
        }
        await write(there, f"there{size}", b"ours")
        await here.put(
            f"on{size}",
            here.content(f"fine{size}", nodes[f"fine{size}"]),
            expect=nodes[f"on{size}"].generation,
        )
        await here.trash(f"gone{size}")
        copies = [
            copy._replace(
                path=f"none/{copy.path}" if copy.path.startswith("folder") else copy.path,
                known=Checksum.of("md5", b"other") if copy.path.startswith("known") else None,
            )
            for copy in _copies(nodes)
        ]
        before = await children(there)

        done = await there.copy_from(here, copies, Copying())

        anywhere = not there.can.folders  # where none are kept, none is missing
        assert [one is not None for one in done] == [False, False, False, anywhere, False, True]
        after = await children(there)
        fresh = {f"fine{size}"} | ({"none"} - set(before) if anywhere else set())
        assert {name for name in after if after[name] != before.get(name)} == fresh
        assert await read(there, f"there{size}") == b"ours"


@rule
async def of_many_copies_each_is_whole(remote: Remote) -> None:
    """More of them than are confirmed one by one, in several folders, both ways of confirming."""
    here, there = await _places(remote)
    if not there.takes_from(here):
        return
    for way, durability in WAYS.items():
        for folder in ("", "x", "y"):
            await here.mkdir(f"{way}{folder}")
            await there.mkdir(f"{way}{folder}")
        nodes = {
            f"{way}{'xy'[number % 2]}/{number}": await write(
                here, f"{way}{'xy'[number % 2]}/{number}", b"%d" % number
            )
            for number in range(40)
        }

        done = await there.copy_from(here, _copies(nodes), Copying(durability=durability))

        assert None not in done
        for number, path in enumerate(nodes):
            assert await read(there, path) == b"%d" % number


async def _places(remote: Remote) -> tuple[Remote, Remote]:
    await remote.mkdir("from")
    await remote.mkdir("to")
    return remote.at("from"), remote.at("to")


def _copies(nodes: dict[str, Node]) -> Sequence[Copy]:
    return [Copy(path, node.generation, node.size, node.mtime_ns, path) for path, node in nodes.items()]
