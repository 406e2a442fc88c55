"""Small files that are read together, as they were listed or not at all; and stored together, where nothing is."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from pathlib import Path

import pytest

from runner.backends.local import loading
from runner.backends.local.backend import Local
from runner.model.backend import Copied, Copy, Copying
from runner.model.checksum import Checksum
from runner.model.content import Loaded
from runner.model.powers import Some
from tests.rooms.local.copies import seen
from tests.rooms.local.disk import files, open_files

COUNT = 200


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Many small files."""
    top = tmp_path / "source"
    top.mkdir()
    for number in range(COUNT):
        (top / f"{number:03}").write_bytes(b"%d" % number * number)
    return top


def loaded(
    source: Path, batch: Sequence[Copy], after: Callable[[int], None] = lambda count: None
) -> dict[str, Loaded]:
    """What comes of these. after: is told how many there were, each time that some have come."""

    async def act() -> dict[str, Loaded]:
        local, found = Local(source, "run"), dict[str, Loaded]()
        try:
            async with aclosing(local.read_some(batch, Copying(algorithm="sha256"))) as pieces:
                async for some in pieces:
                    found |= {batch[number].origin: one for number, one in some}
                    after(len(found))
            return found
        finally:
            await local.close()

    return asyncio.run(act())


@pytest.mark.parametrize("slow", [False, True])
def test_all_are_read_whatever_a_file_takes(
    source: Path, monkeypatch: pytest.MonkeyPatch, slow: bool
) -> None:
    if slow:
        monkeypatch.setattr(loading, "SLOW_S", -1.0)  # each then goes in a thread of its own

    found = loaded(source, seen(source, *(f"{number:03}" for number in range(COUNT))))

    assert {name: one.data for name, one in found.items()} == {
        f"{number:03}": b"%d" % number * number for number in range(COUNT)
    }
    assert all(one.checksum == Checksum.of("sha256", one.data) for one in found.values())


def test_what_is_not_what_was_listed_is_left_out(source: Path) -> None:
    batch = seen(source, "000", "001", "002", "003", "004")
    (source / "001").write_bytes(b"2")
    (source / "002").unlink()
    (source / "003").unlink()
    (source / "003").symlink_to("000")
    opened = open_files()

    found = loaded(source, batch)

    assert sorted(found) == ["000", "004"]
    assert open_files() <= opened


def test_what_changes_before_its_turn_is_left_out(source: Path) -> None:
    batch = seen(source, *(f"{number:03}" for number in range(COUNT)))

    def change(count: int) -> None:
        (source / "199").write_bytes(b"x" * os.stat(source / "199").st_size)

    found = loaded(source, batch, change)

    assert set(found) == {copy.origin for copy in batch} - {"199"}


def test_who_stops_listening_leaves_nothing_open(source: Path) -> None:
    batch, opened = seen(source, *(f"{number:03}" for number in range(COUNT))), open_files()

    async def act() -> int:
        local = Local(source, "run")
        async with aclosing(local.read_some(batch, Copying())) as pieces:
            first = await anext(pieces)
        await local.close()
        return len(first)

    assert 0 < asyncio.run(act()) < COUNT
    assert open_files() <= opened


def stored(root: Path, batch: Sequence[Copy], data: Sequence[bytes], how: Copying) -> Sequence[Copied | None]:
    """Store these together."""

    async def act() -> Sequence[Copied | None]:
        local = Local(root, "run")

        async def source() -> AsyncIterator[Some]:
            some: Some = [(n, Loaded(one, Checksum.of("md5", one), 7)) for n, one in enumerate(data)]
            yield some

        try:
            return await local.put_some(batch, source(), how)
        finally:
            await local.close()

    return asyncio.run(act())


def test_what_comes_is_stored_with_its_time_where_nothing_is(tmp_path: Path) -> None:
    (tmp_path / "there").write_bytes(b"theirs")
    batch = [
        Copy("", "", 1, 9, "mine"),
        Copy("", "", 1, None, "told"),
        Copy("", "", 1, 9, "there"),
        Copy("", "", 1, 9, "none/x"),
    ]

    done = stored(tmp_path, batch, [b"1", b"2", b"3", b"4"], Copying())

    assert [one is not None for one in done] == [True, True, False, False]
    assert files(tmp_path) == {"mine": b"1", "told": b"2", "there": b"theirs"}
    assert [(tmp_path / name).stat().st_mtime_ns for name in ("mine", "told")] == [9, 7]
    assert [one.checksum for one in done if one] == [Checksum.of("md5", b"1"), Checksum.of("md5", b"2")]


def test_where_each_is_to_be_confirmed_by_itself_none_goes_together(tmp_path: Path) -> None:
    assert stored(tmp_path, [Copy("", "", 1, 9, "a")], [b"1"], Copying(durability="file")) == [None]
    assert files(tmp_path) == {}
