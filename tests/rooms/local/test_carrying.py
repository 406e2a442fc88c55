"""Copying large files: each byte is read once and proven, in memory that does not grow."""

import asyncio
import errno
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from runner.backends.local import carrying
from runner.backends.local.backend import Local
from runner.model.backend import Copying
from runner.model.checksum import Checksum
from runner.model.content import CHUNK
from tests.rooms.local.copies import LARGE, copy, seen
from tests.rooms.local.disk import FailingCalls, files, open_files


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
    assert open_files() <= before
