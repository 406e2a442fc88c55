"""Rules of changing what is there: mkdir, move, trash."""

import asyncio

from runner.backends.contract.rule import TIME_NS, children, held, read, refused, rule, stand, tree, write
from runner.model.content import Content
from runner.model.errors import Blocked, Exists, NotFound, Stale, Unsupported
from runner.remote.remote import Remote


@rule
async def a_folder_is_made_once(remote: Remote) -> None:
    """Making it again returns the one that is there, with what it holds."""
    made = await remote.mkdir("folder")
    await write(remote, "folder/file")

    assert await remote.mkdir("folder") == made
    assert await tree(remote) == {"folder": "folder", "folder/file": "file"}


@rule
async def of_folders_made_at_once_there_is_one(remote: Remote) -> None:
    """All who make it get the same folder."""
    if not remote.can.folders:
        return
    made = await asyncio.gather(*(remote.mkdir("folder") for _ in range(8)))

    assert len(set(made)) == 1
    assert set(await children(remote)) == {"folder"}


@rule
async def a_folder_needs_its_parent_and_a_free_name(remote: Remote) -> None:
    """NotFound without the folder above, Exists where a file is."""
    if not remote.can.folders:
        return
    await write(remote, "file")

    with refused(NotFound):
        await remote.mkdir("none/folder")
    with refused(Exists):
        await remote.mkdir("file")
    with refused(NotFound, Exists):
        await remote.mkdirs("file/folder")
    assert await tree(remote) == {"file": "file"}


@rule
async def mkdirs_makes_what_is_missing(remote: Remote) -> None:
    """Every folder on the way; the root is one of them."""
    if not remote.can.folders:
        return
    await remote.mkdirs("")
    await remote.mkdirs("a/b/c")
    await remote.mkdirs("a/b/d")

    assert sorted(await tree(remote)) == ["a", "a/b", "a/b/c", "a/b/d"]


@rule
async def a_file_moves_with_its_content_and_time(remote: Remote) -> None:
    """To another name and to another folder; the old name is free again."""
    node = await write(remote, "file", b"content", mtime_ns=TIME_NS)
    await remote.mkdir("folder")
    if not remote.can.moves:
        with refused(Unsupported):
            await remote.move("file", "folder/other")
        return

    moved = await remote.move("file", "folder/other", expect=node.generation)

    assert (moved.name, moved.size, moved.mtime_ns) == ("other", 7, node.mtime_ns)
    assert await children(remote, "folder") == {"other": moved}
    assert await read(remote, "folder/other", expect=moved.generation) == b"content"
    with refused(NotFound):
        await remote.stat("file")
    await write(remote, "file", b"new")


@rule
async def a_folder_moves_with_all_it_holds(remote: Remote) -> None:
    """Files and folders below it come along."""
    if not remote.can.moves:
        return
    await remote.mkdirs("from/below")
    await write(remote, "from/below/file", b"content")
    await remote.mkdir("there")

    await remote.move("from", "there/to")

    assert sorted(await tree(remote)) == ["there", "there/to", "there/to/below", "there/to/below/file"]
    assert await read(remote, "there/to/below/file") == b"content"


@rule
async def a_move_never_replaces(remote: Remote) -> None:
    """Exists, whatever is at the new name; NotFound without its folder; both names stay as they are."""
    if not remote.can.moves:
        return
    await write(remote, "one", b"1")
    await write(remote, "two", b"2")
    await stand(remote, "folder")

    for path, to in (("one", "two"), ("one", "folder"), ("folder", "two")):
        with refused(Exists):
            await remote.move(path, to)
    if remote.can.folders:
        with refused(NotFound, Exists):
            await remote.move("one", "none/one")
    with refused(NotFound):
        await remote.move("none", "three")

    assert await read(remote, "one") + await read(remote, "two") == b"12"
    assert sorted(await tree(remote)) == ["folder", *held(remote, "folder"), "one", "two"]


@rule
async def a_folder_does_not_move_into_itself(remote: Remote) -> None:
    """It would be lost to all."""
    if not remote.can.moves:
        return
    await stand(remote, "folder/below")

    with refused(Blocked, Exists, NotFound):
        await remote.move("folder", "folder/below/folder")

    assert sorted(await tree(remote)) == ["folder", "folder/below", *held(remote, "folder/below")]


@rule
async def a_move_of_another_generation_is_stale(remote: Remote) -> None:
    """Nothing is changed."""
    if not remote.can.moves:
        return
    old = await write(remote, "file", b"old")
    now = await remote.put("file", Content.of(b"now"), expect=old.generation)

    with refused(Stale):
        await remote.move("file", "other", expect=old.generation)

    assert await children(remote) == {"file": now}


@rule
async def a_name_changes_its_case(remote: Remote) -> None:
    """A rename that only changes case or composition keeps the one node, also where names fold."""
    if not remote.can.moves:
        return
    await write(remote, "Readme", b"content")
    await stand(remote, "Folder")

    moved = await remote.move("Readme", "README")
    await remote.move("Folder", "FOLDER")

    assert moved.name == "README"
    assert set(await children(remote)) == {"README", "FOLDER"}
    assert await read(remote, "README") == b"content"


@rule
async def a_trashed_file_is_gone_from_its_name_and_can_be_brought_back(remote: Remote) -> None:
    """The listing shows nothing of it; what comes back says where it is."""
    node = await write(remote, "file", b"content")
    if not remote.can.trashes:
        with refused(Unsupported):
            await remote.trash("file", expect=node.generation)
        return

    token = await remote.trash("file", expect=node.generation)

    assert token
    assert await children(remote) == {}
    with refused(NotFound):
        await remote.stat("file")
    with refused(NotFound):
        await remote.trash("file")
    again = await write(remote, "file", b"another")
    assert await remote.trash("file", expect=again.generation) != token


@rule
async def a_trash_of_another_generation_is_stale(remote: Remote) -> None:
    """Nothing is changed."""
    if not remote.can.trashes:
        return
    old = await write(remote, "file", b"old")
    now = await remote.put("file", Content.of(b"now"), expect=old.generation)

    with refused(Stale):
        await remote.trash("file", expect=old.generation)

    assert await children(remote) == {"file": now}
    assert await read(remote, "file") == b"now"


@rule
async def a_folder_with_a_precondition_is_trashed_only_when_empty(remote: Remote) -> None:
    """Its generation says nothing about its children, so they are asked for."""
    if not remote.can.trashes or not remote.can.folders:
        return
    folder = await remote.mkdir("folder")
    file = await write(remote, "folder/file")

    with refused(Stale):
        await remote.trash("folder", expect=folder.generation)
    assert sorted(await tree(remote)) == ["folder", "folder/file"]

    await remote.trash("folder/file", expect=file.generation)
    await remote.trash("folder", expect=(await remote.stat("folder")).generation)
    assert await tree(remote) == {}


@rule
async def a_folder_without_a_precondition_goes_with_all_it_holds(remote: Remote) -> None:
    """In one step, and its name is free again."""
    if not remote.can.trashes:
        return
    await remote.mkdirs("folder/below")
    await write(remote, "folder/below/file")

    await remote.trash("folder")

    assert await tree(remote) == {}
    if remote.can.folders:
        await remote.mkdir("folder")
        assert await children(remote, "folder") == {}


@rule
async def the_root_is_neither_trashed_nor_moved(remote: Remote) -> None:
    """Nor is the root of a view."""
    await remote.mkdir("view")
    await write(remote, "view/file")

    for place in (remote, remote.at("view")):
        with refused(Blocked):
            await place.trash("")
        with refused(Blocked):
            await place.move("", "elsewhere")

    assert sorted(await tree(remote)) == ["view", "view/file"]
