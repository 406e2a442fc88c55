"""Parts of a file: one pass tells their digests, and none is read of a file that has moved on; cells S1 S4 S5."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.model.checksum import Checksum
from runner.model.content import CHUNK, Content
from runner.model.errors import Changed, Unreadable
from runner.remote.close import closing
from runner.remote.remote import Remote
from tests.rooms.local.disk import on, open_files
from tests.rooms.local.test_reading import grow, replace, rewrite, shrink, to_folder, to_link, to_pipe

PART = 2 * CHUNK + 3
"""No multiple of what is read at once."""


async def whole(content: Content, size: int) -> list[bytes]:
    """The content, read part by part."""
    found = []
    for start in range(0, content.size, size):
        async with closing(content.part(start, min(size, content.size - start))) as chunks:
            found.append(b"".join([chunk async for chunk in chunks]))
    return found


@pytest.mark.parametrize("size", [CHUNK + 1, PART, PART + 1, 2 * PART, 3 * PART - 1])
def test_what_was_digested_is_what_its_parts_are(root: Path, size: int) -> None:
    (root / "file").write_bytes(data := os.urandom(size))

    async def act(remote: Remote) -> None:
        content = remote.content("file", await remote.stat("file"))
        digests = await content.parts(PART)
        parts = await whole(content, PART)

        assert b"".join(parts) == data
        assert digests == [Checksum.of("md5", part).digest for part in parts]
        assert content.checksum == Checksum.of("md5", data)

    before = open_files()
    on(root, act)
    assert open_files() <= before


def test_what_is_known_already_costs_no_pass(root: Path) -> None:
    (root / "file").write_bytes(bytes(2 * CHUNK))
    known = Checksum.of("md5", b"of another day")

    async def act(remote: Remote) -> object:
        return await remote.content("file", await remote.stat("file"), expect=known).parts(CHUNK)

    assert on(root, act) is None


@pytest.mark.torture
@pytest.mark.parametrize("change", [grow, shrink, rewrite, replace, to_folder, to_pipe, to_link])
@pytest.mark.parametrize("before", ["the digests", "a part"])
def test_S4_of_a_file_that_moved_on_no_part_is_read(
    root: Path, change: Callable[[Path], None], before: str
) -> None:
    (root / "file").write_bytes(bytes(3 * CHUNK))

    async def act(remote: Remote) -> None:
        content = remote.content("file", await remote.stat("file"))
        if before == "a part":
            await content.parts(2 * CHUNK)
        change(root / "file")
        with pytest.raises(Changed):
            await (content.parts(2 * CHUNK) if before == "the digests" else whole(content, 2 * CHUNK))

    files = open_files()
    on(root, act)
    assert open_files() <= files


@pytest.mark.torture
@pytest.mark.parametrize("change", [grow, shrink, rewrite])
def test_S1_a_file_that_moves_on_while_a_part_is_read_is_changed(
    root: Path, change: Callable[[Path], None]
) -> None:
    (root / "file").write_bytes(bytes(4 * CHUNK))

    async def act(remote: Remote) -> None:
        content = remote.content("file", await remote.stat("file"))
        await content.parts(2 * CHUNK)
        async with closing(content.part(0, 2 * CHUNK)) as chunks:
            await anext(chunks)
            change(root / "file")
            with pytest.raises(Changed):
                async for _ in chunks:
                    pass

    on(root, act)


@pytest.mark.torture
@pytest.mark.parametrize("change", [grow, shrink, rewrite])
def test_S1_a_file_that_moves_on_while_it_is_digested_is_changed(
    root: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None]
) -> None:
    (root / "file").write_bytes(bytes(4 * CHUNK))
    readv, reads = os.readv, 0

    def read(file: int, buffers: list[memoryview]) -> int:
        nonlocal reads
        reads += 1
        if reads == 2:
            change(root / "file")
        return readv(file, buffers)

    monkeypatch.setattr(os, "readv", read)

    async def act(remote: Remote) -> None:
        with pytest.raises(Changed):
            await remote.content("file", await remote.stat("file")).parts(2 * CHUNK)

    on(root, act)


@pytest.mark.torture
def test_S5_a_file_that_vanished_cannot_be_read(root: Path) -> None:
    (root / "file").write_bytes(bytes(2 * CHUNK))

    async def act(remote: Remote) -> None:
        content = remote.content("file", await remote.stat("file"))
        await content.parts(CHUNK)
        (root / "file").unlink()
        with pytest.raises(Unreadable) as error:
            await whole(content, CHUNK)
        assert (error.value.remote, error.value.path) == ("disk", "file")
        with pytest.raises(Unreadable):
            await content.parts(CHUNK)

    on(root, act)


def test_a_part_that_is_left_closes_its_file(root: Path) -> None:
    (root / "file").write_bytes(bytes(4 * CHUNK))

    async def act(remote: Remote) -> None:
        content = remote.content("file", await remote.stat("file"))
        before = open_files()
        async with closing(content.part(CHUNK, 3 * CHUNK)) as chunks:
            await anext(chunks)
        assert open_files() <= before

    on(root, act)
