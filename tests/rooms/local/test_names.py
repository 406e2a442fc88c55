"""Names and links: nothing outside the root is read or written; cells D4 S6 X1 X3 X7, promise I9."""

import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from runner.model.content import Content
from runner.model.errors import Blocked, NotFound
from runner.model.node import Folder, Node
from runner.remote.remote import Remote
from tests.rooms.local.disk import files, on

Act = Callable[[Remote], Awaitable[object]]


async def walk(remote: Remote) -> list[Folder]:
    return [folder async for folder in remote.walk()]


async def content(remote: Remote, path: str) -> bytes:
    return b"".join([chunk async for chunk in remote.read(path)])


async def listing(remote: Remote, path: str) -> list[Node]:
    return [node async for page in remote.list(path) for node in page]


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "file").write_bytes(b"secret")
    (folder / "folder").mkdir()
    return folder


THROUGH_A_LINK: dict[str, Act] = {
    "put": lambda remote: remote.put("link/new", Content.of(b"x")),
    "replace": lambda remote: remote.put("link/file", Content.of(b"x"), expect="any"),
    "mkdir": lambda remote: remote.mkdir("link/new"),
    "mkdirs": lambda remote: remote.mkdirs("link/new/newer"),
    "read": lambda remote: content(remote, "link/file"),
    "stat": lambda remote: remote.stat("link/file"),
    "list": lambda remote: listing(remote, "link"),
    "list below": lambda remote: listing(remote, "link/folder"),
    "trash": lambda remote: remote.trash("link/file"),
    "move out": lambda remote: remote.move("link/file", "file"),
    "move in": lambda remote: remote.move("mine", "link/mine"),
}


@pytest.mark.torture
@pytest.mark.parametrize("absolute", [True, False])
@pytest.mark.parametrize("verb", THROUGH_A_LINK)
def test_D4_no_verb_goes_through_a_planted_link(
    root: Path, outside: Path, verb: str, *, absolute: bool
) -> None:
    (root / "mine").write_bytes(b"mine")
    (root / "link").symlink_to(outside if absolute else "../outside")

    async def act(remote: Remote) -> None:
        with pytest.raises(Blocked, match="link"):
            await THROUGH_A_LINK[verb](remote)

    on(root, act)

    assert files(outside) == {"file": b"secret"}
    assert (root / "mine").read_bytes() == b"mine"


@pytest.mark.torture
def test_X7_a_link_in_the_place_of_the_trash_is_not_followed(root: Path, outside: Path) -> None:
    (root / ".acdrun-trash").symlink_to(outside)
    (root / "mine").write_bytes(b"mine")

    async def act(remote: Remote) -> None:
        with pytest.raises(Blocked):
            await remote.trash("mine")

    on(root, act)

    assert files(outside) == {"file": b"secret"}
    assert (root / "mine").read_bytes() == b"mine"


@pytest.mark.torture
def test_D4_a_link_where_a_file_was_is_neither_replaced_nor_written_through(
    root: Path, outside: Path
) -> None:
    (root / "file").write_bytes(b"mine")

    async def act(remote: Remote) -> None:
        seen = await remote.stat("file")
        (root / "file").unlink()
        (root / "file").symlink_to(outside / "file")
        with pytest.raises(Exception, match="generation"):
            await remote.put("file", Content.of(b"new"), expect=seen.generation)
        with pytest.raises(Exception, match="there already"):
            await remote.put("file", Content.of(b"new"))

    on(root, act)

    assert files(outside) == {"file": b"secret"}
    assert (root / "file").is_symlink()


def test_a_link_to_a_file_is_not_read(root: Path, outside: Path) -> None:
    (root / "link").symlink_to(outside / "file")

    with pytest.raises(Blocked):
        on(root, lambda remote: content(remote, "link"))


def test_a_link_can_be_trashed_and_what_it_points_at_stays(root: Path, outside: Path) -> None:
    (root / "link").symlink_to(outside)

    where = on(root, lambda remote: remote.trash("link"))

    assert (root / where).is_symlink()
    assert files(outside) == {"file": b"secret"}


def test_links_pipes_and_sockets_are_shown_as_other(root: Path, outside: Path) -> None:
    (root / "link").symlink_to(outside)
    (root / "dangling").symlink_to("nowhere")
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "socket"))
        (folder,) = on(root, walk)

    assert [(node.name, node.kind) for node in folder.nodes] == [
        ("dangling", "other"),
        ("link", "other"),
        ("pipe", "other"),
        ("socket", "other"),
    ]


@pytest.mark.torture
def test_S6_what_is_no_file_is_refused_without_waiting(root: Path) -> None:
    os.mkfifo(root / "pipe")
    (root / "folder").mkdir()
    (root / "link").symlink_to("pipe")

    async def act(remote: Remote) -> None:
        for name in ("pipe", "folder", "link"):
            with pytest.raises((Blocked, NotFound)):
                await content(remote, name)

    on(root, act)


@pytest.mark.torture
def test_X3_a_name_that_is_no_utf8_is_a_gap(root: Path) -> None:
    (root / "good").write_bytes(b"")
    with open(os.fsencode(root) + b"/bad\xff", "wb"):
        pass

    (folder,) = on(root, walk)

    assert [node.name for node in folder.nodes] == ["good"]
    (gap,) = folder.gaps
    assert "UTF-8" in str(gap.error)
    assert gap.path == "bad\\udcff"


@pytest.mark.torture
@pytest.mark.parametrize(
    "path", ["..", "../outside/x", "a/../../outside/x", "nul\0", "a/./b", "", "bad\udcff", "/etc/x"]
)
def test_X1_the_backend_itself_refuses_a_path_that_would_climb_out(
    root: Path, outside: Path, path: str
) -> None:
    (root / "a").mkdir()
    (root / "mine").write_bytes(b"mine")

    async def act(remote: Remote) -> None:
        disk = remote.backend  # without the check that Remote makes
        for verb in (
            lambda: disk.put(path, Content.of(b"x"), expect=None),
            lambda: disk.mkdir(path + "/x"),
            lambda: disk.move("mine", path),
            lambda: disk.move(path, "other"),
            lambda: disk.trash(path),
        ):
            with pytest.raises(Exception) as caught:
                await verb()
            assert not isinstance(caught.value, OSError | ValueError | UnicodeError), caught.value

    on(root, act)

    assert files(root.parent) == {"outside/file": b"secret", "root/mine": b"mine"}


@pytest.mark.parametrize("name", [".acdrun-trash", ".acdrun-x.partial", ".acdrun-trash/run/x"])
def test_the_names_of_our_own_files_cannot_be_made(root: Path, name: str) -> None:
    (root / "mine").write_bytes(b"mine")

    async def act(remote: Remote) -> None:
        for verb in (
            remote.put(name, Content.of(b"x")),
            remote.mkdirs(name),
            remote.move("mine", name),
            remote.trash(name),
        ):
            with pytest.raises(Blocked, match="own files"):
                await verb

    on(root, act)

    assert files(root) == {"mine": b"mine"}


def test_a_sentinel_that_begins_like_our_own_files_is_shown(root: Path) -> None:
    (root / ".acdrun-root").write_bytes(b"")

    (folder,) = on(root, walk)

    assert [node.name for node in folder.nodes] == [".acdrun-root"]
