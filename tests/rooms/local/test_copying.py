"""Copying a batch from disk to disk: what moved, failed or stood there is left alone, all else is whole."""

import asyncio
import errno
import os
import stat
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest

from runner.backends.local import carrying, copying, flush, reading
from runner.backends.local.backend import Local
from runner.model.backend import Copied, Copy, Copying, Durability
from runner.model.checksum import Checksum
from runner.model.content import CHUNK
from runner.model.errors import Unsynced
from tests.rooms.local.disk import FailingCalls, files, open_files

CALLS = (
    "open", "read", "write", "pread", "readv", "preadv", "fsync", "fstat", "utime", "close", "rename",
)  # fmt: skip
LARGE = carrying.TOLD + CHUNK + 5
WAYS: tuple[Durability, ...] = ("batch", "file")


def seen(source: Path, *names: str) -> list[Copy]:
    """What a listing would say of these files."""
    found = []
    for name in names:
        now = os.stat(source / name)
        generation = f"{now.st_dev}:{now.st_ino}:{now.st_size}:{now.st_mtime_ns}~{now.st_ctime_ns}"
        found.append(Copy(name, generation, now.st_size, now.st_mtime_ns, name))
    return found


def copy(
    source: Path, root: Path, batch: Sequence[Copy], how: Copying | None = None
) -> Sequence[Copied | None]:
    """Let one disk copy from the other."""

    async def act() -> Sequence[Copied | None]:
        theirs, ours = Local(source, "run"), Local(root, "run")
        try:
            return await ours.copy_from(theirs, batch, how or Copying())
        finally:
            await theirs.close()
            await ours.close()

    return asyncio.run(act())


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Forty small files in two folders, and a large one."""
    top = tmp_path / "source"
    for number in range(40):
        path = top / "ab"[number % 2] / f"{number:02}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"%d" % number)
        os.utime(path, ns=(10**18, 10**18 + number))
    (top / "large").write_bytes(os.urandom(LARGE))
    return top


@pytest.fixture
def folders(root: Path) -> Path:
    """The destination with these folders."""
    (root / "a").mkdir()
    (root / "b").mkdir()
    return root


def names(source: Path) -> list[str]:
    return sorted(files(source))


@pytest.mark.parametrize("open_at_once", [500, 7])
@pytest.mark.parametrize("durability", WAYS)
def test_many_are_copied_with_their_times_and_digests(
    source: Path, folders: Path, durability: Durability, open_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flush, "MOST_OPEN", open_at_once)
    monkeypatch.setattr(copying, "MOST", 1)
    moved: list[int] = []
    before = open_files()

    done = copy(
        source, folders, seen(source, *names(source)), Copying("sha256", True, durability, moved.append)
    )

    assert files(folders) == files(source)
    assert [one and one.checksum for one in done] == [
        Checksum.of("sha256", data) for _, data in sorted(files(source).items())
    ]
    assert os.stat(folders / "a" / "02").st_mtime_ns == 10**18 + 2
    assert stat.S_IMODE(os.stat(folders / "a" / "02").st_mode) == 0o666 & ~current_mask()
    assert sum(moved) == sum(map(len, files(source).values()))
    assert open_files() == before


def current_mask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def test_what_is_named_is_on_the_disk_before_and_its_name_after(
    source: Path, folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = FailingCalls(0, 0, ("write", "fsync", "rename"))
    calls.install(monkeypatch)

    copy(source, folders, seen(source, *names(source)[:40]))

    assert calls.made == ["write"] * 40 + ["syncfs"] + ["renameat2"] * 40 + ["fsync"] * 2


def test_where_the_disk_does_not_confirm_all_at_once_each_file_is(
    source: Path, folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flush, "_WHOLE", {})
    calls = FailingCalls(0, 0, ("write", "fsync", "rename"))
    calls.install(monkeypatch)

    copy(source, folders, seen(source, *names(source)[:40]))

    assert calls.made == ["write"] * 40 + ["fsync"] * 40 + ["renameat2"] * 40 + ["fsync"] * 2


def shared(source: int, target: int) -> bool:
    """What a file system does that keeps blocks of two files once."""
    size = os.fstat(source).st_size
    assert os.pwrite(target, os.pread(source, size, 0), 0) == size
    return True


@pytest.mark.parametrize("sharing", [True, False])
def test_each_byte_of_a_large_file_is_read_once_and_read_back_once(
    source: Path, folders: Path, sharing: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And it is written once, unless both files refer to the same blocks."""
    calls = FailingCalls(0, 0, ("readv", "write", "preadv"))
    calls.install(monkeypatch)
    monkeypatch.setattr(carrying, "_share", shared if sharing else lambda source, target: False)

    (done,) = copy(source, folders, seen(source, "large"))

    data = (source / "large").read_bytes()
    assert (folders / "large").read_bytes() == data
    assert done is not None
    assert done.checksum == Checksum.of("md5", data)
    pieces = -(-LARGE // carrying.PIECE)
    made = {name: calls.made.count(name) for name in ("readv", "write", "preadv")}
    assert made == {"readv": pieces, "write": 0 if sharing else pieces, "preadv": pieces}


def test_large_files_of_one_batch_keep_each_its_own_bytes(source: Path, folders: Path) -> None:
    """They share the memory they go through."""
    sizes = (LARGE, CHUNK + 1, 2 * CHUNK, 3 * carrying.PIECE + 7)
    for number, size in enumerate(sizes):
        (source / f"large{number}").write_bytes(os.urandom(size))
    batch = seen(source, *(f"large{number}" for number in range(len(sizes))))
    moved: list[int] = []

    done = copy(source, folders, batch, Copying(moved=moved.append))

    found = files(folders)
    assert found == {path: data for path, data in files(source).items() if path in found}
    assert [one and one.checksum for one in done] == [
        Checksum.of("md5", data) for _, data in sorted(found.items())
    ]
    assert sum(moved) == sum(sizes)


def test_a_disk_that_writes_less_than_it_was_given_is_given_the_rest(
    source: Path, folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow(FailingCalls):
        def write(self, file: int, data: memoryview) -> int:
            return os.write(file, data[: CHUNK // 3])

    Slow(0, 0, ()).install(monkeypatch)
    monkeypatch.setattr(carrying, "_share", lambda source, target: False)

    (done,) = copy(source, folders, seen(source, "large"))

    assert done is not None
    assert (folders / "large").read_bytes() == (source / "large").read_bytes()


@pytest.mark.parametrize("code", [errno.EXDEV, errno.EOPNOTSUPP, errno.ENOTTY, errno.EIO, errno.ENOSPC])
def test_blocks_are_shared_where_that_can_be(
    source: Path, folders: Path, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it cannot be, bytes are written; where the disk fails, nothing is."""

    def refuse(*args: object) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(carrying, "ioctl", refuse)

    (done,) = copy(source, folders, seen(source, "large"))

    broken = code in (errno.EIO, errno.ENOSPC)
    assert (done is None) == broken
    assert list(files(folders)) == ([] if broken else ["large"])


@pytest.mark.torture
@pytest.mark.parametrize("durability", WAYS)
@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
def test_D1_D2_whichever_call_of_a_batch_fails_no_part_is_seen(
    source: Path, folders: Path, monkeypatch: pytest.MonkeyPatch, code: int, durability: Durability
) -> None:
    monkeypatch.setattr(flush, "FEW", 1)
    batch = seen(source, "a/00", "a/02", "b/01", "large")
    wanted = {path: data for path, data in files(source).items() if path in [one.path for one in batch]}
    failed = set()
    for number in range(1, 200):
        calls, before = FailingCalls(number, code, CALLS), open_files()
        done: Sequence[Copied | None] = ()
        with monkeypatch.context() as patch:
            calls.install(patch)
            try:
                done = copy(source, folders, batch, Copying(durability=durability))
            except Unsynced:
                assert calls.failed in ("fsync", "syncfs", "fstat")
        found = files(folders)
        assert found.items() <= wanted.items()
        assert {copied.path for copied, one in zip(batch, done, strict=False) if one} <= found.keys()
        assert open_files() == before
        failed.add(calls.failed)
        for path in found:
            (folders / path).unlink()
        if not calls.failed:
            break

    assert not calls.failed, "more calls than were thought"
    confirming = "syncfs" if durability == "batch" else "fsync"
    assert failed >= {
        "open",
        "read",
        "write",
        "pread",
        "fstat",
        "utime",
        "renameat2",
        "readv",
        "preadv",
        confirming,
    }


@pytest.mark.torture
@pytest.mark.parametrize("failing", ["syncfs", "fsync"])
def test_D2_a_disk_that_does_not_confirm_a_batch_ends_it(
    source: Path, folders: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    """A failed syncfs may be about another's file, so each of ours is asked for; a failed fsync is never repeated."""
    monkeypatch.setattr(flush, "FEW", 1)
    if failing == "fsync":
        monkeypatch.setattr(flush, "_WHOLE", {})
    calls = FailingCalls(1, errno.EIO, ("fsync",))
    calls.install(monkeypatch)
    batch = seen(source, "a/00", "a/02", "a/04")

    if failing == "syncfs":
        assert None not in copy(source, folders, batch)
        assert calls.made == ["syncfs", "fsync", "fsync", "fsync", "fsync"]
        return
    with pytest.raises(Unsynced):
        copy(source, folders, batch)
    assert files(folders) == {}
    assert calls.made == ["fsync"]


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def shrink(path: Path) -> None:
    os.truncate(path, 1)


def rewrite(path: Path) -> None:
    before = path.stat()
    with path.open("r+b") as file:
        file.write(b"#")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def vanish(path: Path) -> None:
    path.unlink()


def to_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def to_link(path: Path) -> None:
    path.rename(path.with_name("target"))
    path.symlink_to("target")


def replace(path: Path) -> None:
    path.with_name("new").write_bytes(path.read_bytes())
    path.with_name("new").rename(path)


CHANGES = (grow, shrink, rewrite, vanish, to_pipe, to_link, replace)


@pytest.mark.torture
@pytest.mark.parametrize("name", ["b/11", "large"])
@pytest.mark.parametrize("change", CHANGES)
def test_S4_S5_S6_what_moved_on_since_it_was_listed_is_left_alone(
    source: Path, folders: Path, change: Callable[[Path], None], name: str
) -> None:
    batch = seen(source, "a/00", name, "b/13")

    change(source / name)
    done = copy(source, folders, batch)

    assert [one is None for one in done] == [False, True, False]
    assert files(folders) == {path: files(source)[path] for path in ("a/00", "b/13")}


@pytest.mark.torture
@pytest.mark.parametrize("change", [grow, shrink, rewrite])
@pytest.mark.parametrize("name", ["b/11", "large"])
def test_S1_S2_what_moves_on_while_it_is_read_is_not_published(
    source: Path, folders: Path, change: Callable[[Path], None], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = seen(source, "a/00", name, "b/13")
    whole = reading.moved_on

    def moved_on(file: int, listed: os.stat_result) -> bool:
        if listed.st_ino == os.stat(source / name).st_ino:
            change(source / name)
        return whole(file, listed)

    monkeypatch.setattr(copying, "moved_on", moved_on)
    done = copy(source, folders, batch)

    assert [one is None for one in done] == [False, True, False]
    assert set(files(folders)) == {"a/00", "b/13"}


@pytest.mark.torture
@pytest.mark.parametrize("at", [0, CHUNK, -1])
@pytest.mark.parametrize("name", ["b/11", "large"])
def test_N11_what_reads_back_otherwise_is_not_published(
    source: Path, folders: Path, name: str, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One byte of the copy comes back wrong; without a proof that was asked for nobody notices."""
    size = (source / name).stat().st_size
    wrong = min(at, size - 1) % size

    def rotten(file: int, got: bytearray, start: int) -> bytearray:
        ours = os.readlink(f"/proc/self/fd/{file}").startswith(str(folders))
        if ours and start <= wrong < start + len(got):
            got[wrong - start] ^= 1
        return got

    class Rotten(FailingCalls):
        def pread(self, file: int, count: int, start: int) -> bytes:
            return bytes(rotten(file, bytearray(os.pread(file, count, start)), start))

        def preadv(self, file: int, memory: list[bytearray], start: int) -> int:
            count = os.preadv(file, memory, start)
            rotten(file, memory[0], start)
            return count

    Rotten(0, 0, ()).install(monkeypatch)

    (proven,) = copy(source, folders, seen(source, name))
    assert (proven, files(folders)) == (None, {})
    (unproven,) = copy(source, folders, seen(source, name), Copying(proven=False))
    assert unproven is not None


@pytest.mark.torture
@pytest.mark.parametrize("sharing", [True, False])
def test_N11_what_is_stored_otherwise_is_not_published(
    source: Path, folders: Path, sharing: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Right size, other bytes; also where the file system said that both files have the same blocks."""

    def share(source: int, target: int) -> bool:
        return sharing and shared(source, target) and os.pwrite(target, b"#", LARGE - 3) == 1

    class Rotten(FailingCalls):
        def write(self, file: int, data: memoryview) -> int:
            return os.write(file, bytes(data[:-1]) + bytes([data[-1] ^ 1]))

    (source / "large").write_bytes(bytes(LARGE))
    Rotten(0, 0, ()).install(monkeypatch)
    monkeypatch.setattr(carrying, "_share", share)

    assert copy(source, folders, seen(source, "large")) == [None]
    assert files(folders) == {}


@pytest.mark.torture
def test_D4_a_folder_that_became_a_link_is_not_followed(source: Path, folders: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (folders / "b").rmdir()
    (folders / "b").symlink_to(outside)

    done = copy(source, folders, seen(source, "a/00", "b/01"))

    assert [one is None for one in done] == [False, True]
    assert files(outside) == {}


def test_hostile_and_our_own_names_are_left_alone(source: Path, folders: Path) -> None:
    (copied,) = seen(source, "a/00")
    wrong = ("../up", "a/../../up", ".acdrun-trash/x", "a/.acdrun-1.partial", "a/", "a/x\0")

    done = copy(source, folders, [copied._replace(path=path) for path in wrong])

    assert done == [None] * len(wrong)
    assert files(folders) == {}


def test_what_stands_there_is_kept(source: Path, folders: Path) -> None:
    (folders / "a" / "00").write_bytes(b"theirs")
    (folders / "b" / "01").mkdir()

    done = copy(source, folders, seen(source, "a/00", "b/01", "b/03"))

    assert [one is None for one in done] == [True, True, False]
    assert files(folders) == {"a/00": b"theirs", "b/03": b"3"}


@pytest.mark.torture
def test_P11_one_that_is_cancelled_ends_and_leaves_nothing(
    source: Path, folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is cancelled while the second piece is under way; what waits behind that one is not begun."""
    begun: list[int] = []
    stops: list[Callable[[], object]] = []
    whole = carrying.Carrier._carry

    def carry(self: carrying.Carrier, one: carrying._Copy, number: int) -> memoryview | None:
        begun.append(number)
        if number == 1:
            stops[0]()
            while not self._halted():
                time.sleep(0.001)
        return whole(self, one, number)

    async def act() -> bool:
        theirs, ours = Local(source, "run"), Local(folders, "run")
        task = asyncio.ensure_future(ours.copy_from(theirs, seen(source, "a/00", "large", "b/01"), Copying()))
        stops.append(partial(asyncio.get_running_loop().call_soon_threadsafe, task.cancel))
        await asyncio.gather(task, return_exceptions=True)
        await theirs.close()
        await ours.close()
        return task.cancelled()

    monkeypatch.setattr(carrying.Carrier, "_carry", carry)
    before = open_files()

    assert asyncio.run(act())
    assert len(begun) <= 1 + carrying.AHEAD
    assert files(folders) == {}
    assert open_files() == before
