"""Small new files that come at once are stored together; what cannot be is stored or refused one by one.

Cells D1 D2 D4 N11.
"""

import asyncio
import errno
import math
import os
import stat
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from runner.backends.local import arriving, flush, landing, rename, safe
from runner.backends.local.arriving import SMALL, Arriving
from runner.backends.local.draft import Disk
from runner.backends.local.hands import Hand, Hands
from runner.backends.local.landing import Arrival
from runner.backends.local.threads import Threads
from runner.backends.local.trash import Trash
from runner.model.checksum import Checksum
from runner.model.content import Content
from runner.model.errors import AcdrunError, Blocked, Exists, NoSpace, NotFound, Unsynced
from runner.model.node import Node
from runner.remote.remote import Remote
from tests.rooms.local.disk import FailingCalls, files, on, open_files

CALLS = ("open", "write", "pread", "fsync", "fstat", "utime", "close", "rename")
Result = Node | BaseException


def wanted(number: int) -> dict[str, bytes]:
    """So many files in three folders."""
    return {f"{'abc'[at % 3]}/{at:02}": b"number %d" % at for at in range(number)}


def content(data: bytes) -> Content:
    """To be proven, with a time."""
    made = Content.of(data, mtime_ns=10**18, algorithm="sha256")
    made.proven = True
    return made


async def put_all(remote: Remote, some: dict[str, bytes]) -> Sequence[Result]:
    """At the same time."""
    puts = [remote.put(path, content(data)) for path, data in some.items()]
    return await asyncio.gather(*puts, return_exceptions=True)


@pytest.fixture
def folders(root: Path) -> Path:
    for name in "abc":
        (root / name).mkdir()
    return root


@pytest.mark.parametrize("most", [500, 7])
def test_what_comes_together_is_stored_with_times_and_the_digest_of_what_was_read_back(
    folders: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(flush, "MOST_OPEN", most)
    monkeypatch.setattr(landing, "MOST", 1)
    some, before = wanted(40), open_files()

    async def act(remote: Remote) -> tuple[Sequence[Result], Sequence[Node]]:
        found = await put_all(remote, some)
        return found, [await remote.stat(path) for path in some]

    stored, listed = on(folders, act)

    assert files(folders) == some
    proven = [
        node._replace(checksum=Checksum.of("sha256", data))
        for node, data in zip(listed, some.values(), strict=True)
    ]
    assert list(stored) == proven
    assert {node.mtime_ns for node in listed} == {10**18}
    assert {stat.S_IMODE(os.stat(folders / path).st_mode) for path in some} == {0o666 & ~current_mask()}
    assert open_files() <= before


def current_mask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


@pytest.mark.torture
def test_P10_what_is_named_is_on_the_disk_before_and_its_name_after(
    folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first of them goes alone: it waits for nobody."""
    calls = FailingCalls(0, 0, ("write", "fsync", "rename"))
    calls.install(monkeypatch)

    on(folders, lambda remote: put_all(remote, wanted(40)))

    assert calls.made == ["write"] * 40 + ["syncfs"] + ["renameat2"] * 40 + ["fsync"] * 3


def test_what_is_to_be_confirmed_by_itself_is(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = FailingCalls(0, 0, ("write", "fsync", "rename"))
    calls.install(monkeypatch)

    async def act(remote: Remote) -> None:
        some = [content(b"1"), content(b"2")]
        for one in some:
            one.alone = True
        await asyncio.gather(*(remote.put(f"a/{at}", one) for at, one in enumerate(some)))

    on(folders, act)

    assert sorted(calls.made) == sorted(["write", "fsync", "renameat2", "fsync"] * 2)


def test_what_comes_while_others_are_away_goes_together_and_nobody_waits_for_company(root: Path) -> None:
    gatherings: list[int] = []

    class Counted(Arriving):
        def _store(self, some: Sequence[Arrival], hand: Hand) -> float:
            gatherings.append(len(some))
            return super()._store(some, hand)

    async def act() -> None:
        threads = Threads(1)
        disk = Disk(str(root), Trash(str(root), "run"), 0o022)
        ours = Counted(disk, threads, 1, Hands(), lambda folder: None)
        first = asyncio.ensure_future(ours.put(Arrival("first", b"1", None, proven=True)))
        while not gatherings:
            await asyncio.sleep(0)
        more = [ours.put(Arrival(f"{at}", b"x", None, proven=True)) for at in range(20)]
        await asyncio.gather(first, *more)
        threads.close()

    asyncio.run(act())

    assert gatherings == [1, 20]
    assert len(files(root)) == 21


def test_where_a_disk_takes_its_time_a_few_files_wait_for_it_in_several_threads(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four of them have to meet, or none gets on."""
    monkeypatch.setattr(arriving, "SLOW_S", -1.0)
    together = threading.Barrier(4)

    def enter(folder: str) -> None:
        together.wait(20)

    gatherings = asyncio.run(gathered(root, 4, enter))

    assert gatherings == [1, 1, 1, 1]
    assert len(files(root)) == 4


def test_where_a_disk_takes_its_time_many_files_are_still_confirmed_at_once(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arriving, "SLOW_S", -1.0)

    gatherings = asyncio.run(gathered(root, flush.FEW + 1, lambda folder: None))

    assert gatherings == [flush.FEW + 1]


async def gathered(root: Path, number: int, enter: Callable[[str], None]) -> list[int]:
    """Put so many files at once; how many went together each time."""
    gatherings: list[int] = []

    class Counted(Arriving):
        def _store(self, some: Sequence[Arrival], hand: Hand) -> float:
            gatherings.append(len(some))
            return super()._store(some, hand)

    threads = Threads(4)
    disk = Disk(str(root), Trash(str(root), "run"), 0o022)
    ours = Counted(disk, threads, 4, Hands(), enter)
    await asyncio.gather(*(ours.put(Arrival(f"{at}", b"x", None, proven=True)) for at in range(number)))
    threads.close()
    return gatherings


@pytest.mark.torture
@pytest.mark.parametrize("few", [1, 16])
@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
def test_D1_D2_whichever_call_fails_no_part_is_seen_and_who_is_told_of_success_has_it(
    folders: Path, monkeypatch: pytest.MonkeyPatch, code: int, few: int
) -> None:
    monkeypatch.setattr(flush, "FEW", few)
    some, failed = wanted(4), set()
    for number in range(1, 100):
        calls, before = FailingCalls(number, code, CALLS), open_files()
        with monkeypatch.context() as patch:
            calls.install(patch)
            told = on(folders, lambda remote: put_all(remote, some))
        found = files(folders)
        assert found.items() <= some.items()
        for path, result in zip(some, told, strict=True):
            assert path in found or isinstance(result, AcdrunError)
            if isinstance(result, AcdrunError):
                assert result.path == path
        if code == errno.EIO and calls.failed == "fsync":
            assert all(isinstance(result, Unsynced) for result in told)
        assert open_files() <= before
        failed.add(calls.failed)
        for path in found:
            (folders / path).unlink()
        if not calls.failed:
            break

    assert not calls.failed, "more calls than were thought"
    assert failed >= {
        "open",
        "write",
        "pread",
        "fstat",
        "utime",
        "renameat2",
        "fsync" if few > 1 else "syncfs",
    }


@pytest.mark.torture
@pytest.mark.parametrize("slow", [False, True])
def test_D1_where_there_is_no_room_any_more_each_is_told(
    folders: Path, monkeypatch: pytest.MonkeyPatch, slow: bool
) -> None:
    """Where the disk takes its time several threads store, and any three of the files find the room."""
    monkeypatch.setattr(arriving, "SLOW_S", 0 if slow else math.inf)
    room = iter(range(3))

    class Full(FailingCalls):
        def write(self, file: int, data: bytes) -> int:
            if next(room, None) is None:
                raise OSError(errno.ENOSPC, "full")
            return os.write(file, data)

    Full(0, 0, ()).install(monkeypatch)

    told = on(folders, lambda remote: put_all(remote, wanted(9)))

    stored = [isinstance(result, Node) for result in told]
    assert sorted(stored, reverse=True) == [True] * 3 + [False] * 6
    assert slow or stored[:3] == [True] * 3
    assert all(isinstance(result, Node | NoSpace) for result in told)
    assert files(folders) == {
        path: data for (path, data), done in zip(wanted(9).items(), stored, strict=True) if done
    }


@pytest.mark.torture
def test_N11_what_reads_back_otherwise_is_not_called_proven(
    folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one of three; whoever asked for a proof gets none, and has to read it back."""
    real = os.pread

    class Rotten(FailingCalls):
        def pread(self, file: int, count: int, at: int) -> bytes:
            got = real(file, count, at)
            return got[:-1] + b"#" if got.endswith(b"1") else got

    Rotten(0, 0, ()).install(monkeypatch)

    told = on(folders, lambda remote: put_all(remote, wanted(3)))

    assert [isinstance(result, Node) and result.checksum is not None for result in told] == [
        True,
        False,
        True,
    ]


def test_what_is_there_stays_and_others_are_stored(folders: Path) -> None:
    (folders / "a" / "00").write_bytes(b"theirs")
    (folders / "b" / "01").mkdir()

    told = on(folders, lambda remote: put_all(remote, wanted(4)))

    assert [type(result) for result in told] == [Exists, Exists, Node, Node]
    assert files(folders) == {"a/00": b"theirs", "c/02": b"number 2", "a/03": b"number 3"}


@pytest.mark.torture
def test_D4_hostile_folders_and_names_are_refused_one_by_one(folders: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (folders / "b").rmdir()
    (folders / "b").symlink_to(outside)
    some = {
        "a/1": b"1",
        "b/1": b"2",
        "none/1": b"3",
        "a/" + "x" * 256: b"4",
        "a/.acdrun-1.partial": b"5",
        "2": b"6",
    }

    told = on(folders, lambda remote: put_all(remote, some))

    assert [type(result) for result in told] == [Node, Blocked, NotFound, Blocked, Blocked, Node]
    assert (files(outside), files(folders)) == ({}, {"a/1": b"1", "2": b"6"})


def test_leftovers_are_swept_before_something_is_put_beside_them(
    folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folders / "a" / ".acdrun-dead.partial").write_bytes(b"half")
    monkeypatch.setattr("runner.backends.local.backend._DAY_NS", 0)

    async def act(remote: Remote) -> None:
        async for _ in remote.list("a"):
            pass
        await put_all(remote, wanted(3))

    on(folders, act)

    assert files(folders) == wanted(3)


def test_what_is_lost_as_soon_as_it_is_named_is_not_called_stored(
    folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody removes it at once, so it is put again, alone."""
    real, gone = rename.rename_new, list[str]()

    def removed(source: int, name: str, target: int, to: str) -> None:
        real(source, name, target, to)
        if to == "01":
            gone.append(to)
            os.unlink(to, dir_fd=target)

    monkeypatch.setattr(landing, "rename_new", removed)

    told = on(folders, lambda remote: put_all(remote, wanted(3)))

    assert gone == ["01"]
    assert [isinstance(result, Node) for result in told] == [True] * 3
    assert files(folders) == wanted(3)


@pytest.mark.parametrize("size", [0, SMALL, SMALL + 1])
def test_of_any_size_what_was_put_is_there(folders: Path, size: int) -> None:
    (told,) = on(folders, lambda remote: put_all(remote, {"a/1": b"x" * size}))

    assert isinstance(told, Node)
    assert (told.size, (folders / "a" / "1").read_bytes()) == (size, b"x" * size)


@pytest.mark.parametrize("away", [True, False])
def test_who_is_cancelled_leaves_when_its_file_is_stored_or_never_will_be(
    folders: Path, monkeypatch: pytest.MonkeyPatch, away: bool
) -> None:
    real = safe.open_folder

    async def act(remote: Remote) -> tuple[bool, bool]:
        loop = asyncio.get_running_loop()
        began, held = asyncio.Event(), asyncio.Event()

        def slow(root: str, path: str) -> int:
            loop.call_soon_threadsafe(began.set)
            asyncio.run_coroutine_threadsafe(held.wait(), loop).result(20)
            return real(root, path)

        monkeypatch.setattr("runner.backends.local.folders.open_folder", slow)
        first = asyncio.ensure_future(remote.put("a/first", content(b"1")))
        await began.wait()
        second = asyncio.ensure_future(remote.put("a/second", content(b"2")))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        leaver = first if away else second
        leaver.cancel()
        await asyncio.sleep(0.01)
        early = leaver.done()
        held.set()
        await asyncio.gather(first, second, return_exceptions=True)
        return early, leaver.cancelled()

    assert on(folders, act) == (not away, True)
    assert set(files(folders)) == ({"a/first", "a/second"} if away else {"a/first"})
