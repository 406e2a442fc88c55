"""Reading: what moved meanwhile is not passed on; cells S1 S4 S5 S6."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.model.content import CHUNK
from runner.model.errors import Changed, NotFound
from runner.remote.remote import Remote
from tests.rooms.local.disk import on, open_files


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def shrink(path: Path) -> None:
    os.truncate(path, 10)


def rewrite(path: Path) -> None:
    seen = path.stat()
    with path.open("r+b") as file:
        file.write(b"other")
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))


def replace(path: Path) -> None:
    new = path.with_name("new")
    new.write_bytes(path.read_bytes())
    os.utime(new, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    new.rename(path)


def to_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def to_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def to_link(path: Path) -> None:
    path.rename(path.with_name("target"))
    path.symlink_to("target")


@pytest.mark.torture
@pytest.mark.parametrize("size", [100, 3 * CHUNK])
@pytest.mark.parametrize("change", [grow, shrink, rewrite, replace, to_folder, to_pipe, to_link])
def test_S4_a_file_that_moved_on_since_it_was_listed_is_changed(
    root: Path, change: Callable[[Path], None], size: int
) -> None:
    (root / "file").write_bytes(b"x" * size)

    async def act(remote: Remote) -> list[bytes]:
        seen = await remote.stat("file")
        change(root / "file")
        with pytest.raises(Changed):
            return [chunk async for chunk in remote.read("file", expect=seen.generation)]
        return []

    before = open_files()

    assert on(root, act) == []
    assert open_files() <= before


@pytest.mark.torture
@pytest.mark.parametrize("expecting", [True, False])
@pytest.mark.parametrize("change", [grow, shrink, rewrite])
def test_S1_a_file_that_moves_on_while_it_is_read_is_changed(
    root: Path, change: Callable[[Path], None], *, expecting: bool
) -> None:
    (root / "file").write_bytes(b"x" * 3 * CHUNK)

    async def act(remote: Remote) -> None:
        seen = await remote.stat("file")
        chunks = remote.read("file", expect=seen.generation if expecting else None)
        await anext(chunks)
        change(root / "file")
        with pytest.raises(Changed):
            async for _ in chunks:
                pass

    on(root, act)


@pytest.mark.torture
def test_S5_a_file_that_vanished_is_not_found(root: Path) -> None:
    async def act(remote: Remote) -> None:
        with pytest.raises(NotFound):
            await anext(remote.read("file", expect="seen before"))

    on(root, act)


def test_a_read_that_is_left_closes_its_file(root: Path) -> None:
    (root / "file").write_bytes(b"x" * 3 * CHUNK)

    async def act(remote: Remote) -> None:
        before = open_files()
        chunks = remote.read("file")
        await anext(chunks)
        await chunks.aclose()
        assert open_files() <= before

    on(root, act)


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK])
def test_every_size_comes_back_whole_in_pieces_of_a_chunk(root: Path, size: int) -> None:
    (root / "file").write_bytes(os.urandom(size))

    async def act(remote: Remote) -> list[bytes]:
        return [chunk async for chunk in remote.read("file")]

    chunks = on(root, act)

    assert b"".join(chunks) == (root / "file").read_bytes()
    assert all(0 < len(chunk) <= CHUNK for chunk in chunks)


def test_reading_leaves_a_source_as_it_was(root: Path) -> None:
    (root / "file").write_bytes(b"data")
    os.utime(root / "file", ns=(10**18, 10**18))
    before = (root / "file").stat()

    async def act(remote: Remote) -> list[bytes]:
        return [chunk async for chunk in remote.read("file")]

    on(root, act)

    assert (root / "file").stat() == before
    assert os.listdir(root) == ["file"]
