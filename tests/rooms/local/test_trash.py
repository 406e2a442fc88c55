"""The local trash: nothing in it is ever replaced, and all of it can be brought back; cells D8 and I1."""

import errno
import os
from pathlib import Path

import pytest

from runner.backends.local import trash
from runner.backends.local.rename import rename_new
from runner.model.content import Content
from runner.model.errors import Blocked, Stale
from runner.remote.remote import Remote
from tests.rooms.local.disk import files, on


def test_a_trashed_file_keeps_its_path_below_the_run(root: Path) -> None:
    (root / "a" / "b").mkdir(parents=True)
    (root / "a" / "b" / "file").write_bytes(b"data")

    where = on(root, lambda remote: remote.trash("a/b/file"), run="nightly-7")

    assert where == ".acdrun-trash/nightly-7/a/b/file"
    assert files(root) == {where: b"data"}


def test_a_trashed_file_comes_back_by_a_move(root: Path) -> None:
    (root / "file").write_bytes(b"data")

    async def act(remote: Remote) -> None:
        where = await remote.trash("file")
        await remote.move(where, "file")

    on(root, act)

    assert files(root) == {"file": b"data"}


@pytest.mark.torture
def test_D8_what_was_trashed_under_the_same_path_before_is_kept_too(root: Path) -> None:
    async def act(remote: Remote) -> list[str]:
        places = []
        for number in range(3):
            await remote.put("file", Content.of(str(number).encode()))
            places.append(await remote.trash("file"))
        await remote.mkdirs("file/below")
        await remote.put("file/below/x", Content.of(b"3"))
        places.append(await remote.trash("file/below/x"))
        places.append(await remote.trash("file"))
        return places

    places = on(root, act)

    assert len(set(places)) == 5
    assert sorted(files(root).values()) == [b"0", b"1", b"2", b"3"]


def test_every_generation_that_was_replaced_is_in_the_trash(root: Path) -> None:
    async def act(remote: Remote) -> None:
        node = await remote.put("file", Content.of(b"0"))
        for number in range(1, 4):
            node = await remote.put("file", Content.of(str(number).encode()), expect=node.generation)

    on(root, act)

    assert (root / "file").read_bytes() == b"3"
    assert sorted(files(root).values()) == [b"0", b"1", b"2", b"3"]


def test_the_trash_is_private_and_is_not_listed_at_any_depth(root: Path) -> None:
    (root / "public").mkdir(mode=0o755)
    (root / "public" / "file").write_bytes(b"data")
    (root / "public" / ".acdrun-trash" / "run").mkdir(parents=True)

    async def act(remote: Remote) -> list[str]:
        await remote.trash("public/file")
        return [node.name async for folder in remote.walk() for node in folder.nodes]

    assert on(root, act) == ["public"]
    for folder in (root / ".acdrun-trash").rglob("public"):
        assert folder.stat().st_mode & 0o777 == 0o700
    assert (root / ".acdrun-trash").stat().st_mode & 0o777 == 0o700


def test_a_file_of_another_file_system_is_trashed_beside_itself(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "mount").mkdir()
    (root / "mount" / "file").write_bytes(b"data")
    first: list[str] = []

    def across(source: int, name: str, target: int, to: str) -> None:
        if not first:
            first.append(name)
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        rename_new(source, name, target, to)

    monkeypatch.setattr(trash, "rename_new", across)

    where = on(root, lambda remote: remote.trash("mount/file"))

    assert where == "mount/.acdrun-trash/run/file"
    assert files(root) == {where: b"data"}


def test_what_is_replaced_just_before_it_is_trashed_is_put_back(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "file").write_bytes(b"ours")

    def late(source: int, name: str, target: int, to: str) -> None:
        if name == "file" and (root / "file").exists() and not (root / "moved").exists():
            (root / "file").rename(root / "moved")
            (root / "file").write_bytes(b"theirs")
        rename_new(source, name, target, to)

    monkeypatch.setattr(trash, "rename_new", late)

    with pytest.raises(Stale):
        on(root, lambda remote: remote.trash("file"))

    assert files(root) == {"file": b"theirs", "moved": b"ours"}


def test_a_file_in_the_place_of_the_trash_blocks_and_nothing_is_removed(root: Path) -> None:
    (root / ".acdrun-trash").write_bytes(b"")
    (root / "file").write_bytes(b"data")

    with pytest.raises(Blocked, match="in the way"):
        on(root, lambda remote: remote.trash("file"))

    assert (root / "file").read_bytes() == b"data"


def test_hard_links_are_files_of_their_own(root: Path) -> None:
    (root / "one").write_bytes(b"data")
    os.link(root / "one", root / "two")

    where = on(root, lambda remote: remote.trash("one"))

    assert files(root) == {"two": b"data", where: b"data"}
