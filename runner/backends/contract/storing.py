"""Rules of writing: put, and what must not be seen of it."""

import asyncio
from collections.abc import AsyncIterator

from runner.backends.contract.rule import broken, children, read, refused, rule, stand, tree, write
from runner.model.checksum import Checksum
from runner.model.content import Content
from runner.model.errors import Changed, Exists, NotFound, Stale, Unreadable
from runner.remote.remote import Remote


@rule
async def an_empty_file_is_a_file(remote: Remote) -> None:
    """Nought bytes are stored and read back as such."""
    node = await write(remote, "empty", b"")

    assert (node.kind, node.size) == ("file", 0)
    assert await read(remote, "empty", expect=node.generation) == b""


@rule
async def content_of_several_pieces_comes_back_equal(remote: Remote) -> None:
    """3 MiB and a byte, every byte in its place."""
    data = bytes(range(256)) * 12 * 1024 + b"!"

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(data), 1_000_000):
            yield data[start : start + 1_000_000]

    content = Content(len(data), pieces)
    node = await remote.put("big", content)

    assert node.size == len(data)
    assert content.checksum == Checksum.of("md5", data)
    assert await read(remote, "big", expect=node.generation) == data


@rule
async def content_can_go_from_place_to_place(remote: Remote) -> None:
    """A file of a remote is content for a put, as often as it is sent."""
    node = await write(remote, "from", b"x" * 100_000)
    content = remote.content("from", node)

    await remote.put("to", content)
    await remote.put("again", content)

    assert await read(remote, "to") == await read(remote, "again") == b"x" * 100_000


@rule
async def parts_that_are_read_by_themselves_are_those_that_were_digested(remote: Remote) -> None:
    """Of a place that reads files from anywhere on: one pass tells the digests of the whole and of each part."""
    if not remote.can.near:
        return
    data, size = bytes(range(256)) * 12 * 1024 + b"!", 1_500_000
    content = remote.content("file", await write(remote, "file", data))

    digests = await content.parts(size)

    if digests is not None:
        starts = range(0, len(data), size)
        wanted = [data[start : start + size] for start in starts]
        parts = [
            [chunk async for chunk in content.part(at, len(part))]
            for at, part in zip(starts, wanted, strict=True)
        ]
        assert [b"".join(part) for part in parts] == wanted
        assert list(digests) == [Checksum.of("md5", part).digest for part in wanted]
        assert content.checksum == Checksum.of("md5", data)


@rule
async def a_create_never_replaces(remote: Remote) -> None:
    """Exists, for a file and for a folder, and what is there stays."""
    node = await write(remote, "file", b"first")
    await remote.mkdir("folder")

    for path in ("file", "folder") if remote.can.folders else ("file",):
        with refused(Exists):
            await write(remote, path, b"second")

    assert await remote.stat("file") == node
    assert await read(remote, "file") == b"first"


@rule
async def a_replace_shows_the_new_content(remote: Remote) -> None:
    """Under the same name, once, as another generation; the old one is not in the listing."""
    old = await write(remote, "file", b"old")

    new = await remote.put("file", Content.of(b"new content"), expect=old.generation)

    assert new.generation != old.generation
    assert await children(remote) == {"file": new}
    assert await read(remote, "file") == b"new content"


@rule
async def a_replace_of_another_generation_is_stale(remote: Remote) -> None:
    """Nothing is changed, whether the file moved on, is a folder now or is gone."""
    old = await write(remote, "file", b"old")
    now = await remote.put("file", Content.of(b"now"), expect=old.generation)
    await stand(remote, "folder")

    for path in ("file", "folder", "gone"):
        with refused(Stale):
            await remote.put(path, Content.of(b"mine"), expect=old.generation)

    assert await remote.stat("file") == now
    assert await read(remote, "file") == b"now"
    assert set(await children(remote)) == {"file", "folder"}


@rule
async def a_put_makes_no_folders(remote: Remote) -> None:
    """A missing folder is NotFound, and is missing still."""
    if not remote.can.folders:
        return
    await write(remote, "file")

    for path in ("none/file", "file/below"):
        with refused(NotFound, Exists):
            await write(remote, path)

    assert await tree(remote) == {"file": "file"}


@rule
async def a_source_that_fails_leaves_nothing(remote: Remote) -> None:
    """Its own error comes out, and neither the name nor anything else is to be seen; small or large."""
    for size in (8, 3_000_000):
        half = b"x" * (size // 2)

        with refused(Unreadable):
            await remote.put("file", broken(size, [half], Unreadable("the disk went away")))

        assert await children(remote) == {}
        with refused(NotFound):
            await remote.stat("file")
    assert (await write(remote, "file", b"and again")).size == 9


@rule
async def a_source_that_shrinks_or_grows_is_not_published(remote: Remote) -> None:
    """Changed, for more bytes and for fewer than were declared; small or large."""
    for pieces in ([b"12"], [b"12345"], [b"x" * 1_000_000] * 3):
        size = 4 if len(pieces) == 1 else 3_500_000

        with refused(Changed):
            await remote.put("file", broken(size, pieces))

        assert await children(remote) == {}
    with refused(Changed):
        await remote.put("file", broken(2_500_000, [b"x" * 1_000_000] * 3))
    assert await children(remote) == {}


@rule
async def a_replace_that_fails_keeps_the_old_content(remote: Remote) -> None:
    """The old generation is still there, and is the one a further try replaces."""
    old = await write(remote, "file", b"old")

    for content in (broken(8, [b"half"], Unreadable("gone")), broken(8, [b"more than eight"])):
        with refused(Unreadable, Changed):
            await remote.put("file", content, expect=old.generation)

        assert await children(remote) == {"file": old}
        assert await read(remote, "file", expect=old.generation) == b"old"
    await remote.put("file", Content.of(b"new"), expect=old.generation)
    assert await read(remote, "file") == b"new"


@rule
async def a_part_is_never_to_be_seen(remote: Remote) -> None:
    """While content is on its way, the listing and the name show the state before."""
    old = await write(remote, "old", b"old")
    seen = []

    async def slow() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"x" * 1_000_000
            seen.append(await children(remote))

    await remote.put("new", Content(3_000_000, slow))
    await remote.put("old", Content(3_000_000, slow), expect=old.generation)

    assert seen[:3] == [{"old": old}] * 3
    assert [names["old"] for names in seen[3:]] == [old] * 3
    assert {(name, node.size) for name, node in (await children(remote)).items()} == {
        ("new", 3_000_000),
        ("old", 3_000_000),
    }


@rule
async def a_cancelled_put_leaves_nothing(remote: Remote) -> None:
    """Cancelled in the middle, it shows neither the name nor anything else."""
    begun = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield b"x" * 1_000_000
        begun.set()
        await asyncio.sleep(3600)

    task = asyncio.ensure_future(remote.put("file", Content(3_000_000, endless)))
    await begun.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert task.cancelled()
    assert await children(remote) == {}


@rule
async def of_creates_at_once_exactly_one_wins(remote: Remote) -> None:
    """The others are told Exists, and the winner's content is what is there."""
    contents = [f"writer {number}".encode() for number in range(8)]

    results = await asyncio.gather(
        *(write(remote, "file", data) for data in contents), return_exceptions=True
    )

    won = [
        data for data, result in zip(contents, results, strict=True) if not isinstance(result, BaseException)
    ]
    assert len(won) == 1, results
    assert all(isinstance(result, Exists) for result in results if isinstance(result, BaseException)), results
    assert set(await children(remote)) == {"file"}
    assert await read(remote, "file") == won[0]
