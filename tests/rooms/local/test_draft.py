"""Writing: the name shows the old content or the new; cells D1 D2 D3 P8 P10."""

import asyncio
import errno
import os
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runner.backends.local import rename
from runner.backends.local.draft import Draft
from runner.model.checksum import Checksum
from runner.model.content import CHUNK, Content
from runner.model.errors import AcdrunError, Blocked, Denied, Exists, NoSpace, Stale, Unreadable, Unsynced
from runner.model.node import Node
from runner.remote.remote import Remote
from tests.rooms.local.disk import FailingCalls, files, on, open_files

SIZES = (5, 2 * CHUNK + 5)
MANY = 60
"""More system calls than one put makes."""


def alone(data: bytes) -> Content:
    """Stored as what is replaced and what is large is, too: by itself."""
    content = Content.of(data)
    content.alone = True
    return content


async def create(remote: Remote) -> Node:
    return await remote.put("folder/file", alone(b"new"))


def replace(root: Path, expect: str, run: str) -> None:
    on(root, lambda remote: remote.put("folder/file", Content.of(b"new"), expect=expect), run)


def visible(root: Path) -> dict[str, Node]:
    async def look(remote: Remote) -> dict[str, Node]:
        return {node.name: node async for page in remote.list("folder") for node in page}

    return on(root, look)


def current(root: Path) -> str:
    return visible(root)["file"].generation


@pytest.mark.torture
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
def test_D1_whichever_call_of_a_create_fails_no_part_is_seen(
    root: Path, monkeypatch: pytest.MonkeyPatch, code: int, size: int
) -> None:
    (root / "folder").mkdir()
    failed = set()
    for number in range(1, MANY):
        calls, before = FailingCalls(number, code), open_files()
        with monkeypatch.context() as patch:
            calls.install(patch)
            try:
                on(root, lambda remote: remote.put("folder/file", alone(b"n" * size)))
            except AcdrunError as error:
                assert error.path is not None
            else:
                assert calls.failed in ("", "close")
        found = files(root)
        assert found in ({}, {"folder/file": b"n" * size})
        assert open_files() <= before
        failed.add(calls.failed)
        for path in found:
            (root / path).unlink()
        if not calls.failed:
            break

    assert not calls.failed, "more calls than were thought"
    assert failed >= {"open", "write", "fsync", "fstat", "stat", "fchmod", "close", "renameat2"}


@pytest.mark.torture
@pytest.mark.parametrize("linking", [True, False])
def test_D1_whichever_call_of_a_replace_fails_the_old_content_is_kept(
    root: Path, monkeypatch: pytest.MonkeyPatch, linking: bool
) -> None:
    if not linking:
        monkeypatch.setattr("runner.backends.local.trash.link_new", lambda *args: False)
    (root / "folder").mkdir()
    live = root / "folder" / "file"
    for number in range(1, MANY):
        live.write_bytes(b"old")
        seen, calls, before = current(root), FailingCalls(number, errno.EIO), open_files()
        with monkeypatch.context() as patch:
            calls.install(patch)
            try:
                replace(root, seen, str(number))
            except AcdrunError:
                pass
            else:
                assert calls.failed in ("", "close")
        assert live.read_bytes() in (b"old", b"new")
        assert b"old" in files(root).values()
        assert set(visible(root)) == {"file"}
        assert open_files() <= before
        if live.read_bytes() == b"old":  # and it can be tried again; as planned, unless it had to be renamed
            again = seen if linking else current(root)
            replace(root, again, str(number))
            assert sorted(files(root).values()).count(b"old") == number
        live.unlink()
        if not calls.failed:
            return
    raise AssertionError("more calls than were thought")


@pytest.mark.torture
@pytest.mark.parametrize("verb", ["write", "fsync", "close", "rename"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_D1_a_full_disk_is_no_space(
    root: Path, monkeypatch: pytest.MonkeyPatch, code: int, verb: str
) -> None:
    (root / "folder").mkdir()
    number = 2 if verb == "close" else 1  # the first one closes the folder above

    FailingCalls(number, code, (verb,)).install(monkeypatch)
    with pytest.raises(NoSpace):
        on(root, create)

    assert files(root) == {}


def test_what_is_renamed_is_on_the_disk_before_and_its_name_after(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "folder").mkdir()
    (root / ".acdrun-trash" / "run" / "folder").mkdir(parents=True)
    calls = FailingCalls(0, 0, ("write", "fsync", "close", "link", "rename"))
    calls.install(monkeypatch)

    async def act(remote: Remote) -> Node:
        node = await create(remote)
        calls.made.append("then")
        return await remote.put("folder/file", Content.of(b"newer"), expect=node.generation)

    on(root, act)
    made = " ".join(calls.made)

    written, _, replaced = made.replace("close ", "").partition(" then ")
    assert written == "write fsync renameat2 fsync"
    assert replaced.removesuffix(" close") == "write fsync link fsync renameat2 fsync"
    assert "fsync close renameat2" in made


@pytest.mark.torture
@pytest.mark.parametrize("number", [1, 2])
def test_D2_a_failed_fsync_is_final(root: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    (root / "folder").mkdir()

    FailingCalls(number, errno.EIO, ("fsync",)).install(monkeypatch)
    with pytest.raises(Unsynced) as caught:
        on(root, create)

    assert not caught.value.retry


@pytest.mark.torture
@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES, errno.EPERM])
def test_D3_a_place_that_may_not_be_written_is_denied(
    root: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    (root / "folder").mkdir()

    FailingCalls(1, code, ("write",)).install(monkeypatch)

    with pytest.raises(Denied):
        on(root, create)


@pytest.mark.parametrize("way", ["system call", "link", "neither"])
def test_a_create_never_replaces_on_any_file_system(
    root: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    if way != "system call":
        monkeypatch.setattr(rename, "_CALL", None)
    if way == "neither":
        monkeypatch.setattr(rename, "link_new", lambda *args: False)
    (root / "one").write_bytes(b"1")
    (root / "two").write_bytes(b"2")

    async def act(remote: Remote) -> None:
        await remote.put("new", Content.of(b"new"))
        await remote.move("new", "newer")
        with pytest.raises(Exists):
            await remote.move("one", "two")

    on(root, act)

    assert files(root) == {"one": b"1", "two": b"2", "newer": b"new"}


def test_a_file_that_appears_while_a_create_is_written_is_kept(root: Path) -> None:
    async def act(remote: Remote) -> None:
        content = Content.of(b"ours")
        chunks = content.chunks

        async def meddled():  # type: ignore[no-untyped-def]
            async for chunk in chunks():
                (root / "file").write_bytes(b"theirs")
                yield chunk

        with pytest.raises(Exists):
            await remote.put("file", Content(4, meddled))

    on(root, act)

    assert files(root) == {"file": b"theirs"}


@pytest.mark.parametrize("size", SIZES)
def test_a_file_that_is_written_to_while_its_successor_comes_in_is_kept(root: Path, size: int) -> None:
    (root / "file").write_bytes(b"old")

    async def act(remote: Remote) -> None:
        content = Content.of(b"n" * size)

        async def meddled():  # type: ignore[no-untyped-def]
            async for chunk in content.chunks():
                (root / "file").write_bytes(b"theirs")
                yield chunk

        with pytest.raises(Stale):
            await remote.put("file", Content(size, meddled), expect=(await remote.stat("file")).generation)

    on(root, act)

    assert files(root) == {"file": b"theirs"}


@pytest.mark.parametrize("others", [1, 2])
def test_whoever_takes_the_name_just_before_a_replace_loses_nothing(
    root: Path, monkeypatch: pytest.MonkeyPatch, others: int
) -> None:
    """As late as it can be, and once more while theirs is put back."""
    (root / "file").write_bytes(b"old")
    theirs = [f"theirs {number}".encode() for number in range(others)]
    left = list(theirs)
    real = rename.swap

    def late(fd: int, one: str, other: str) -> bool:
        if left:
            (root / "new").write_bytes(left.pop(0))
            (root / "new").rename(root / "file")
        return real(fd, one, other)

    monkeypatch.setattr("runner.backends.local.draft.swap", late)

    async def act(remote: Remote) -> None:
        with pytest.raises(Stale):
            await remote.put("file", Content.of(b"ours"), expect=(await remote.stat("file")).generation)

    on(root, act)

    found = files(root)
    assert found.pop("file") in theirs
    assert set(found.values()) | {(root / "file").read_bytes()} >= {b"old", *theirs}
    assert not [path for path in found if not path.startswith(".acdrun-trash/")]


def test_a_replace_goes_through_where_names_cannot_be_exchanged(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rename, "_CALL", None)
    (root / "file").write_bytes(b"old")

    async def act(remote: Remote) -> None:
        await remote.put("file", Content.of(b"new"), expect=(await remote.stat("file")).generation)

    on(root, act)

    assert files(root) == {"file": b"new", ".acdrun-trash/run/file": b"old"}


def test_a_new_file_follows_the_umask_and_a_replaced_one_keeps_its_permissions(root: Path) -> None:
    (root / "old").write_bytes(b"old")
    (root / "old").chmod(0o4750)
    mask = os.umask(0o027)

    async def act(remote: Remote) -> None:
        await remote.put("new", Content.of(b"new"))
        await remote.put("old", Content.of(b"new"), expect=(await remote.stat("old")).generation)

    try:
        on(root, act)
    finally:
        os.umask(mask)

    assert (root / "new").stat().st_mode & 0o7777 == 0o640
    assert (root / "old").stat().st_mode & 0o7777 == 0o750


def test_a_temporary_file_is_private(root: Path) -> None:
    seen: list[tuple[str, int]] = []

    async def act(remote: Remote) -> None:
        content = Content.of(b"n" * 2 * CHUNK)

        async def watched():  # type: ignore[no-untyped-def]
            data = b"n" * CHUNK
            for _ in range(2):
                yield data
                seen.extend((path.name, path.stat().st_mode & 0o777) for path in root.iterdir())

        await remote.put("file", Content(content.size, watched))

    on(root, act)

    assert all(name.startswith(".acdrun-") and name.endswith(".partial") for name, _ in seen)
    assert {mode for _, mode in seen} == {0o600}


@pytest.mark.torture
@pytest.mark.parametrize("rotten", [None, 0, 4, CHUNK + 1, 2 * CHUNK + 4])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("replacing", [False, True])
def test_N11_what_is_stored_is_read_back_before_it_is_published(
    root: Path, monkeypatch: pytest.MonkeyPatch, size: int, rotten: int | None, replacing: bool
) -> None:
    """What comes back otherwise bears no digest: whoever wants a proof has to read it, and finds it."""
    data = os.urandom(size)
    if replacing:
        (root / "file").write_bytes(b"old")

    class Rotten(FailingCalls):
        def pread(self, file: int, count: int, at: int) -> bytes:
            assert not replacing or (root / "file").read_bytes() == b"old"
            got = bytearray(os.pread(file, count, at))
            if rotten is not None and at <= rotten < at + len(got):
                got[rotten - at] ^= 1
            return bytes(got)

    Rotten(0, 0, ()).install(monkeypatch)

    async def act(remote: Remote) -> Node:
        content = pieces(data)
        content.proven = content.alone = True
        expect = (await remote.stat("file")).generation if replacing else None
        return await remote.put("file", content, expect=expect)

    node = on(root, act)

    spoilt = rotten is not None and rotten < size
    assert node.checksum == (None if spoilt else Checksum.of("md5", data))
    assert (root / "file").read_bytes() == data


def pieces(data: bytes) -> Content:
    """Content that comes in several pieces where it is large."""

    async def source() -> AsyncIterator[bytes]:
        for at in range(0, len(data), CHUNK):
            yield data[at : at + CHUNK]

    return Content(len(data), source)


@pytest.mark.torture
@pytest.mark.parametrize("twice", [False, True])
def test_P11_a_large_put_that_is_cancelled_ends_when_nothing_is_written_any_more(
    root: Path, monkeypatch: pytest.MonkeyPatch, twice: bool
) -> None:
    """It leaves nothing, although the next piece had come while the one before was being written."""
    writing, go_on = threading.Event(), threading.Event()
    ended: list[bool] = []
    whole = Draft.write

    def write(self: Draft, chunk: bytes, *, back: bool = False) -> None:
        writing.set()
        assert go_on.wait(10)
        whole(self, chunk, back=back)
        ended.append(True)

    async def act(remote: Remote) -> None:
        task = asyncio.ensure_future(remote.put("file", pieces(b"n" * (2 * CHUNK + 5))))
        assert await asyncio.to_thread(writing.wait, 10)
        for _ in range(1 + twice):
            task.cancel()
            await asyncio.sleep(0.01)
        assert not task.done()
        go_on.set()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()
        assert ended == [True]

    monkeypatch.setattr(Draft, "write", write)
    before = open_files()

    on(root, act)

    assert files(root) == {}
    assert open_files() <= before


@pytest.mark.torture
def test_S1_content_that_breaks_off_while_a_piece_is_written_leaves_nothing(root: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"n" * CHUNK
        raise Unreadable("the other disk")

    before = open_files()

    with pytest.raises(Unreadable, match="the other disk"):
        on(root, lambda remote: remote.put("file", Content(2 * CHUNK, broken)))

    assert files(root) == {}
    assert open_files() <= before


@pytest.mark.torture
def test_P10_what_a_killed_writer_left_is_not_listed_and_is_swept_after_a_day(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / ".acdrun-dead.partial").write_bytes(b"half")

    async def list_only(remote: Remote) -> int:
        return sum([len(page) async for page in remote.list()])

    async def list_and_put(remote: Remote, name: str) -> int:
        number = await list_only(remote)
        await remote.put(name, Content.of(b"x"))
        return number

    assert on(root, lambda remote: list_and_put(remote, "fresh")) == 0
    assert (root / ".acdrun-dead.partial").exists()
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now + 86_401 * 10**9)
    assert on(root, list_only) == 1
    assert (root / ".acdrun-dead.partial").exists()
    assert on(root, lambda remote: list_and_put(remote, "late")) == 1
    assert sorted(files(root)) == ["fresh", "late"]


@pytest.mark.torture
def test_P8_a_replace_that_died_after_the_trash_copy_is_finished_with_one_copy(root: Path) -> None:
    (root / "file").write_bytes(b"old")

    async def act(remote: Remote) -> None:
        planned = await remote.stat("file")
        (root / ".acdrun-trash" / "run").mkdir(parents=True)
        os.link(root / "file", root / ".acdrun-trash" / "run" / "file")
        await remote.put("file", Content.of(b"new"), expect=planned.generation)

    on(root, act)

    assert files(root) == {"file": b"new", ".acdrun-trash/run/file": b"old"}


def test_a_name_the_disk_cannot_hold_is_blocked(root: Path) -> None:
    async def act(remote: Remote) -> None:
        await remote.put("x" * 256, Content.of(b"x"))

    with pytest.raises(Blocked):
        on(root, act)

    assert files(root) == {}


def test_a_source_error_is_not_taken_for_the_disks(root: Path) -> None:
    async def failing():  # type: ignore[no-untyped-def]
        yield b"half"
        raise Unreadable("the source is gone", remote="source", path="a")

    with pytest.raises(Unreadable) as caught:
        on(root, lambda remote: remote.put("file", Content(8, failing)))

    assert caught.value.remote == "source"
