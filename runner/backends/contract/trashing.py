"""Rules of the trash: what it shows, and that what it gives back replaces nothing."""

from runner.backends.contract.rule import children, read, refused, rule, stand, tree, write
from runner.model.backend import Trashed
from runner.model.content import Content
from runner.model.errors import Blocked, Exists, NotFound, Unsupported
from runner.model.node import same_content
from runner.remote.remote import Remote


async def trash_of(remote: Remote) -> dict[str, Trashed]:
    """Everything in the trash by what brings it back, each once."""
    found: dict[str, Trashed] = {}
    async for page in remote.trashed():
        for entry in page:
            assert entry.ref not in found, f"{entry.ref!r} is in the trash twice"
            found[entry.ref] = entry
    return found


@rule
async def the_trash_shows_what_was_trashed_and_where_it_was(remote: Remote) -> None:
    """By what `trash` returned, with path, kind and size; and nothing else."""
    if not remote.can.trashes:
        with refused(Unsupported):
            await trash_of(remote)
        return
    await stand(remote, "a/b")
    node = await write(remote, "a/b/file name", b"content")
    await write(remote, "a/stays")
    assert await trash_of(remote) == {}

    file = await remote.trash("a/b/file name", expect=node.generation)
    folder = await remote.trash("a/b")

    seen = {ref: (e.path, e.node.kind, e.node.size) for ref, e in (await trash_of(remote)).items()}
    assert seen == {file: ("a/b/file name", "file", 7), folder: ("a/b", "folder", 0)}


@rule
async def what_is_restored_is_what_it_was(remote: Remote) -> None:
    """Under its old path, with its content and time; the trash does not show it any more."""
    if not remote.can.trashes:
        return
    await remote.mkdirs("a/b")
    before = await write(remote, "a/b/file", b"content", mtime_ns=1_500_000_000 * 10**9)
    ref = await remote.trash("a/b/file")

    path = await remote.restore(ref)

    after = await remote.stat("a/b/file")
    assert path == "a/b/file"
    assert (after.name, after.size, after.mtime_ns, after.checksum) == (
        before.name, 7, before.mtime_ns, before.checksum,
    )  # fmt: skip
    assert set(await children(remote, "a/b")) == {"file"}
    assert await read(remote, "a/b/file", expect=after.generation) == b"content"
    assert await trash_of(remote) == {}
    with refused(NotFound):
        await remote.restore(ref)


@rule
async def a_restore_never_replaces(remote: Remote) -> None:
    """Exists, for a file and for a folder in its place; both stay, and it can go to another name."""
    if not remote.can.trashes:
        return
    for path in ("file", "folder"):
        ref = await remote.trash((await write(remote, path, b"first")).name)
        there = await (write(remote, path, b"second") if path == "file" else stand(remote, path))

        with refused(Exists):
            await remote.restore(ref)

        assert (await children(remote))[path] == there
        assert set(await trash_of(remote)) == {ref}
        assert await remote.restore(ref, f"old {path}") == f"old {path}"
        assert await read(remote, f"old {path}") == b"first"
    assert set(await children(remote)) == {"file", "old file", "folder", "old folder"}


@rule
async def what_was_replaced_is_in_the_trash(remote: Remote) -> None:
    """The content before a `put`, under its path; it comes back beside what replaced it."""
    if not remote.can.trashes:
        return
    await remote.mkdir("a")
    old = await write(remote, "a/file", b"old")
    await remote.put("a/file", Content.of(b"new content"), expect=old.generation)

    (entry,) = (await trash_of(remote)).values()
    path = await remote.restore(entry.ref, "brought back")

    assert (entry.path, entry.node.size, path) == ("a/file", 3, "brought back")
    assert await read(remote, "brought back") == b"old"
    assert await read(remote, "a/file") == b"new content"


@rule
async def what_put_replaced_comes_back_by_what_it_returned(remote: Remote) -> None:
    """`replaced` of the new node; and when that is trashed in turn, under its own name. A create has none."""
    if not remote.can.trashes:
        return
    await remote.mkdir("a")
    first = await write(remote, "a/file", b"first", mtime_ns=1_500_000_000 * 10**9)
    second = await remote.put("a/file", Content.of(b"the second"), expect=first.generation)
    third = await remote.put("a/file", Content.of(b"3rd"), expect=second.generation)

    assert first.replaced == ""
    assert len({second.replaced, third.replaced, ""}) == 3
    assert (await remote.stat("a/file")).replaced == ""
    last = await remote.trash("a/file", expect=third.generation)
    assert await remote.restore(second.replaced, "a/file") == "a/file"

    back = await remote.stat("a/file")
    assert (back.name, back.size, back.mtime_ns, back.checksum) == (
        "file", 5, first.mtime_ns, first.checksum,
    )  # fmt: skip
    assert await read(remote, "a/file", expect=back.generation) == b"first"
    assert set(await trash_of(remote)) == {third.replaced, last}


@rule
async def one_entry_of_the_trash_can_be_asked_for(remote: Remote) -> None:
    """As the whole trash shows it, whether it was trashed or replaced; NotFound once it is back, or never was."""
    if not remote.can.trashes:
        with refused(Unsupported):
            await remote.kept("anything")
        return
    await stand(remote, "a/b")
    view, old = remote.at("a"), await write(remote, "a/file", b"old")
    replaced = (await remote.put("a/file", Content.of(b"new one"), expect=old.generation)).replaced
    folder = await remote.trash("a/b")

    for place in (remote, view):
        whole = await trash_of(place)
        assert {ref: await place.kept(ref) for ref in (replaced, folder)} == whole
    assert (await view.kept(replaced)).path == "file"
    await remote.restore(folder)
    for gone in (folder, "nothing", "../a"):
        with refused(NotFound, Blocked):
            await remote.kept(gone)


@rule
async def content_is_known_again_after_the_trash(remote: Remote) -> None:
    """By its checksum, or by a generation that says so; other content never is."""
    if not remote.can.trashes:
        return
    old = await write(remote, "file", b"old", mtime_ns=1_500_000_000 * 10**9)
    new = await remote.put("file", Content.of(b"new"), expect=old.generation)
    assert not same_content(old.generation, new.generation)
    await remote.trash("file", expect=new.generation)

    await remote.restore(new.replaced, "file")

    back = await remote.stat("file")
    assert same_content(back.generation, old.generation) or back.checksum == old.checksum is not None
    assert not same_content(back.generation, new.generation)


@rule
async def a_folder_comes_back_with_all_it_held(remote: Remote) -> None:
    """It is one entry of the trash, whatever is below it."""
    if not remote.can.trashes:
        return
    await remote.mkdirs("a/b/c")
    await write(remote, "a/b/c/file", b"content")
    ref = await remote.trash("a")

    assert set(await trash_of(remote)) == {ref}
    assert await remote.restore(ref) == "a"
    assert sorted(await tree(remote)) == ["a", "a/b", "a/b/c", "a/b/c/file"]
    assert await read(remote, "a/b/c/file") == b"content"


@rule
async def what_lost_its_folder_waits_for_it(remote: Remote) -> None:
    """NotFound, with the folder's name; once that is back, it comes back too."""
    if not remote.can.trashes or not remote.can.folders:
        return
    await remote.mkdirs("a/gone")
    file = await remote.trash((await write(remote, "a/gone/file", b"content")) and "a/gone/file")
    folder = await remote.trash("a/gone")

    try:
        await remote.restore(file)
    except NotFound as error:
        assert "a/gone" in str(error), str(error)
    else:
        raise AssertionError("restored into a folder that is gone")

    await remote.restore(folder)
    assert await remote.restore(file) == "a/gone/file"
    assert await read(remote, "a/gone/file") == b"content"
    assert await trash_of(remote) == {}


@rule
async def a_view_sees_the_trash_below_it(remote: Remote) -> None:
    """With paths that count from there; what was beside it is not shown."""
    if not remote.can.trashes:
        return
    await remote.mkdirs("here/below")
    await remote.mkdir("hereafter")
    for path in ("here/below/file", "hereafter/file", "file"):
        await write(remote, path)
    view = remote.at("here")

    ref = await view.trash("below/file")
    await remote.trash("hereafter/file")
    await remote.trash("file")

    assert {entry.ref: entry.path for entry in (await trash_of(view)).values()} == {ref: "below/file"}
    assert await view.restore(ref) == "below/file"
    assert await children(view, "below")


@rule
async def what_is_not_in_the_trash_is_not_restored(remote: Remote) -> None:
    """NotFound for what never was there; the root's place is nobody's."""
    if not remote.can.trashes:
        return
    ref = await remote.trash((await write(remote, "file")).name)

    for wrong in ("nothing", "../file", "file"):
        with refused(NotFound, Blocked):
            await remote.restore(wrong)
    with refused(Blocked):
        await remote.restore(ref, "")
    assert set(await trash_of(remote)) == {ref}
