"""Rules of services that keep keys and no folders, and of the flat listing they make."""

from runner.backends.contract.rule import bare, children, read, refused, rule, tree, write
from runner.model.content import Content
from runner.model.errors import Blocked, Exists, NotFound, Unsupported
from runner.model.node import Node
from runner.model.path import join
from runner.remote.remote import Remote


async def everything(remote: Remote, folder: str = "") -> list[tuple[str, Node]]:
    """A flat listing whole, in the order it came in."""
    listed: list[tuple[str, Node]] = []
    with bare(remote, folder):
        async for page in remote.list_all(folder):
            listed += page
    full = [(join(folder, path), node) for path, node in listed]
    return [(path, node) for (path, _), node in zip(listed, await remote.timed(full), strict=True)]


@rule
async def a_flat_listing_has_every_file_in_the_order_of_bytes(remote: Remote) -> None:
    """Where it is claimed; with the nodes that `list` shows, by paths that count from the folder asked for."""
    paths = ["a/b/c", "a-b", "a.b/x", "a/z", "B", "été", "日本/語", "😀", "a/\uff0f"]
    for path in paths:
        if "/" in path:
            await remote.mkdirs(path.rpartition("/")[0])
        await write(remote, path, path.encode())
    if not remote.can.flat:
        with refused(Unsupported):
            await everything(remote)
        return

    listed = await everything(remote)

    assert [path for path, _ in listed] == sorted(paths, key=str.encode)
    assert {path for path, _ in await everything(remote, "a")} == {"b/c", "z", "\uff0f"}
    assert {path: node for path, node in listed if "/" not in path} == {
        name: node for name, node in (await children(remote)).items() if node.kind == "file"
    }
    assert await everything(remote.at("a/b")) == [("c", await remote.stat("a/b/c"))]


@rule
async def a_flat_listing_of_nothing_is_not_found(remote: Remote) -> None:
    """But for the remote's own root, which is there without anything in it."""
    if not remote.can.flat:
        return

    assert await everything(remote) == []
    if not remote.prefix:
        assert [folder.path async for folder in remote.walk()] == [""]
    with refused(NotFound):
        await everything(remote, "none")
    with refused(NotFound):
        [folder async for folder in remote.at("none").walk()]


@rule
async def what_is_trashed_is_in_no_flat_listing(remote: Remote) -> None:
    """Neither what was removed nor what was replaced."""
    if not remote.can.flat:
        return
    old = await write(remote, "a/file", b"old")
    new = await remote.put("a/file", Content.of(b"new"), expect=old.generation)
    await write(remote, "b/file")
    await write(remote, "~last")

    await remote.trash("b/file")

    assert await everything(remote) == [("a/file", new), ("~last", await remote.stat("~last"))]


@rule
async def where_no_folders_are_kept_one_is_there_while_something_is_in_it(remote: Remote) -> None:
    """A put needs none, mkdir makes none, and the last file takes all above it along."""
    if remote.can.folders:
        return
    await remote.mkdirs("a/b")
    assert await tree(remote) == {}
    with refused(NotFound):
        await remote.stat("a")

    await write(remote, "a/b/file")

    assert await tree(remote) == {"a": "folder", "a/b": "folder", "a/b/file": "file"}
    assert (await remote.stat("a")).kind == "folder"
    with refused(Exists):
        await remote.mkdir("a/b/file")
    await remote.trash("a/b/file")
    assert await tree(remote) == {}
    for gone in ("a", "a/b"):
        with refused(NotFound):
            await remote.stat(gone)
        with refused(NotFound):
            await children(remote, gone)


@rule
async def where_no_folders_are_kept_what_comes_back_needs_none(remote: Remote) -> None:
    """From the trash to its old path, all of whose folders went with it."""
    if remote.can.folders or not remote.can.trashes:
        return
    await write(remote, "a/b/file", b"content")
    ref = await remote.trash("a/b/file")

    assert await remote.restore(ref) == "a/b/file"
    assert await read(remote, "a/b/file") == b"content"


@rule
async def a_path_as_long_as_claimed_is_kept(remote: Remote) -> None:
    """To the byte; a longer one is refused."""
    most = remote.can.max_path
    if most is None:
        return
    folder = "é" * 100
    longest = f"{folder}/{'x' * (most - 201)}"

    node = await write(remote, longest, b"long")

    assert await read(remote, longest, expect=node.generation) == b"long"
    with refused(Blocked):
        await write(remote, longest + "x")
    assert sorted(await tree(remote)) == [folder, longest]
    if remote.can.trashes:
        ref = await remote.trash(longest, expect=node.generation)
        assert await tree(remote) == {}
        assert (await remote.kept(ref)).path == longest
        assert await remote.restore(ref) == longest
        assert await read(remote, longest) == b"long"
