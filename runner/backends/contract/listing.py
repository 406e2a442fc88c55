"""Rules of looking: list, stat, read, walk, quota."""

from functools import partial

from runner.backends.contract.rule import (
    TIME_NS,
    at_once,
    children,
    read,
    refused,
    rule,
    stand,
    tree,
    write,
)
from runner.model import path as paths
from runner.model.checksum import Checksum
from runner.model.content import Content
from runner.model.errors import AcdrunError, Blocked, Changed, NotFound, Unsupported
from runner.remote.remote import Remote


@rule
async def an_empty_remote_lists_nothing(remote: Remote) -> None:
    """The root is a folder, and has no children yet."""
    if remote.can.folders or not remote.prefix:
        assert (await remote.stat("")).kind == "folder"
    assert await children(remote) == {}


@rule
async def list_and_stat_show_the_node_that_put_returned(remote: Remote) -> None:
    """Name, kind, size, id and generation agree wherever a node is seen."""
    put = await write(remote, "a.txt", b"hello")

    assert (put.name, put.kind, put.size) == ("a.txt", "file", 5)
    assert put.generation, "a file has a generation"
    assert await children(remote) == {"a.txt": put}
    assert await remote.stat("a.txt") == put


@rule
async def list_and_stat_show_the_folder_that_mkdir_returned(remote: Remote) -> None:
    """A folder is known by name, kind and id."""
    if not remote.can.folders:
        return
    made = await remote.mkdir("folder")

    assert (made.name, made.kind, made.size) == ("folder", "folder", 0)
    assert await children(remote) == {"folder": made}
    assert await remote.stat("folder") == made


@rule
async def what_is_missing_is_not_found(remote: Remote) -> None:
    """Each verb that looks says so, at the root and below what is missing."""
    await write(remote, "file")

    for path in ("none", "none/below", "file/below"):
        with refused(NotFound):
            await remote.stat(path)
        with refused(NotFound):
            await read(remote, path)
        with refused(NotFound):
            await children(remote, path)


@rule
async def a_file_is_no_folder_and_a_folder_no_file(remote: Remote) -> None:
    """A file has no children, a folder no content."""
    await write(remote, "file")
    await remote.mkdir("folder")

    with refused(NotFound):
        await children(remote, "file")
    with refused(NotFound, Changed, Blocked):
        await read(remote, "folder")


@rule
async def errors_name_the_remote_and_the_path(remote: Remote) -> None:
    """A message says where it happened; how far above the missing part it begins is up to the backend."""
    error: AcdrunError | None = None
    try:
        await remote.stat("none/at/all")
    except AcdrunError as met:
        error = met

    assert error is not None
    assert error.remote == remote.name
    assert error.path is not None
    assert "none" in paths.order(error.path)


@rule
async def a_thousand_children_are_all_listed(remote: Remote) -> None:
    """A folder longer than a page is listed whole, each child once."""
    names = [f"{number:04}" for number in range(1000)]
    await remote.mkdir("many")
    await at_once(remote, [partial(write, remote, f"many/{name}", name.encode()) for name in names])

    listed = await children(remote, "many")

    assert sorted(listed) == names
    assert {node.size for node in listed.values()} == {4}


@rule
async def a_deep_path_is_reached(remote: Remote) -> None:
    """Twenty folders deep is as good as one."""
    folder = "/".join(f"level{number}" for number in range(20))
    await remote.mkdirs(folder)
    node = await write(remote, folder + "/file", b"deep")

    assert await remote.stat(folder + "/file") == node
    assert await read(remote, folder + "/file") == b"deep"
    assert len(await tree(remote)) == 21


@rule
async def a_walk_is_in_path_order(remote: Remote) -> None:
    """By parts: "a/b" before "a-b", and names by code point, in whatever order they were made."""
    for folder in ("é", "b", "a.b", "a-b", "a", "a/z", "a/b", "a-b/x", "a/b/c", "B2"):
        await remote.mkdirs(folder)
        await write(remote, folder + "/file")

    seen = [folder.path async for folder in remote.walk()]

    assert seen == ["", "B2", "a", "a/b", "a/b/c", "a/z", "a-b", "a-b/x", "a.b", "b", "é"]
    async for listed in remote.walk():
        assert [node.name for node in listed.nodes] == sorted(node.name for node in listed.nodes)


@rule
async def a_view_below_sees_only_what_is_below(remote: Remote) -> None:
    """`at` moves the root; paths are taken from there."""
    await remote.mkdirs("photos/2024")
    await write(remote, "photos/2024/a.jpg", b"a")
    below = remote.at("photos").at("2024")

    assert await tree(below) == {"a.jpg": "file"}
    assert await read(below, "a.jpg") == b"a"
    assert (await below.stat("")).kind == "folder"


@rule
async def a_read_gives_the_generation_that_was_asked_for(remote: Remote) -> None:
    """The current one is read; one that is gone is Changed, and nothing of another is taken for it."""
    old = await write(remote, "file", b"old")
    assert await read(remote, "file", expect=old.generation) == b"old"

    from_new = await remote.put("file", Content.of(b"newer"), expect=old.generation)

    assert from_new.generation != old.generation
    assert await read(remote, "file", expect=from_new.generation) == b"newer"
    with refused(Changed):
        await read(remote, "file", expect=old.generation)


@rule
async def a_listed_checksum_is_that_of_the_content(remote: Remote) -> None:
    """For each algorithm that is claimed; none is listed where none is claimed."""
    await write(remote, "file", b"some content")
    node = (await children(remote))["file"]

    if not remote.can.checksums:
        assert node.checksum is None
        return
    assert node.checksum is not None
    assert node.checksum.algorithm in remote.can.checksums
    assert node.checksum == Checksum.of(node.checksum.algorithm, b"some content")


@rule
async def what_is_handed_over_whole_is_what_a_read_gives(remote: Remote) -> None:
    """Empty or not, of the generation that was asked for, and with no other time than the file's."""
    if not remote.hands_over:
        return
    await stand(remote, "folder")
    empty = await write(remote, "empty", b"")
    old = await write(remote, "folder/file", b"old", mtime_ns=TIME_NS)

    for path, node in (("empty", empty), ("folder/file", old)):
        whole = await remote.whole(path, node.size, expect=node.generation)
        assert whole.data == await read(remote, path, expect=node.generation)
        assert whole.mtime_ns in (None, (await remote.stat(path)).mtime_ns)
    new = await remote.put("folder/file", Content.of(b"newer"), expect=old.generation)
    assert (await remote.whole("folder/file", 3, expect=new.generation)).data == b"newer"
    with refused(Changed):
        await remote.whole("folder/file", old.size, expect=old.generation)
    with refused(NotFound):
        await remote.whole("none", 1)


@rule
async def a_checksum_can_be_had_by_reading(remote: Remote) -> None:
    """Whatever the service lists, the bytes can be digested here."""
    node = await write(remote, "file", b"some content")

    for algorithm in ("md5", "sha256"):
        found = await remote.checksum("file", algorithm, expect=node.generation)
        assert found == Checksum.of(algorithm, b"some content")


@rule
async def a_time_is_kept_as_finely_as_claimed(remote: Remote) -> None:
    """To `can.mtime_ns`, in the answer and in the listing; None where no times are kept."""
    put = await write(remote, "file", mtime_ns=TIME_NS)
    listed = (await children(remote))["file"]

    assert listed.mtime_ns == put.mtime_ns
    if remote.can.mtime_ns is None:
        assert put.mtime_ns is None
    else:
        assert put.mtime_ns is not None
        assert abs(put.mtime_ns - TIME_NS) < remote.can.mtime_ns


@rule
async def room_is_told_or_not_supported(remote: Remote) -> None:
    """Numbers that are told are no nonsense."""
    try:
        quota = await remote.quota()
    except Unsupported:
        return
    assert all(number is None or number >= 0 for number in (quota.total, quota.used, quota.free))
