"""Processes that write files beside us: what they cannot do, or did and died, is seen before anything gets a name."""

import asyncio
import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from runner.backends.local import backend, copying, flush
from runner.backends.local import crew as crews
from runner.backends.local.backend import Local
from runner.backends.local.crew import Crew
from runner.backends.local.writing import How, Wanted, Written
from runner.model.backend import Copied, Copy, Copying
from runner.model.checksum import Checksum
from runner.model.errors import Unsynced
from tests.rooms.local.disk import FailingCalls, files, open_files
from tests.rooms.local.test_copying import CHANGES, copy, folders, names, seen, source

__all__ = ["folders", "source"]

Writing = Callable[[How, int, Sequence[Wanted], Callable[[], bool]], Sequence[Written] | None]

BEGIN = "import os, signal, sys, time; sys.path.insert(0, sys.argv[1])\n"
BEGIN += "from runner.backends.local import safe, worker, writing\nreal = writing.Writer._write\n"
END = "\nwriting.Writer._write = write\nworker.main()"
KILLED = """
def write(self, number, *rest):
    if number == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(self, number, *rest)
"""
SLOW = """
def write(self, number, *rest):
    time.sleep(0.02 if number else 0)
    return real(self, number, *rest)
"""
FULL = """
def write(self, number, *rest):
    def bytes_(source, file, size):
        os.write(file, b"a part")
        raise OSError(28, "no room")
    if number == 7:
        self._bytes = bytes_
    return real(self, number, *rest)
"""
GROWING = """
def write(self, number, *rest):
    def moved_on(file, seen):
        with open(f"{self._how.source}/{rest[0][0]}", "ab") as one:
            one.write(b"more")
        return whole(file, seen)
    whole = writing.moved_on
    writing.moved_on = moved_on if number == 7 else whole
    try:
        return real(self, number, *rest)
    finally:
        writing.moved_on = whole
"""
UNSYNCED = """
write = real
def fsync(fd):
    raise OSError(5, "Input/output error")
os.fsync = fsync
"""


class Beside:
    """A crew of one, whose worker is there. did: how many files it has written, for each order."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch = patch
        self.crew = Crew(1)
        self.crew.join()
        self.did: list[int | None] = []
        self.before: Callable[[How], None] = lambda how: None
        self.after: Callable[[How], None] = lambda how: None
        patch.setattr(backend, "CREW", self.crew)
        patch.setattr(backend, "LONG", 0)
        patch.setattr(copying, "WORTH", 1)

    def begin(self, does: str = "") -> None:
        """Have the worker come; does: what it does instead of writing a file."""
        if does:
            self._patch.setattr(crews, "_START", BEGIN + does + END)
        for _ in range(2000):
            if self.crew.some("/nowhere", [""]) is not None:
                break
            time.sleep(0.01)
        real = self.crew.write

        def write(
            how: How, mask: int, order: Sequence[Wanted], halted: Callable[[], bool]
        ) -> Sequence[Written] | None:
            self.before(how)
            self.did.append(None)
            found = real(how, mask, order, halted)
            self.did[-1] = None if found is None else len(found)
            self.after(how)
            return found

        self._patch.setattr(self.crew, "write", write)

    def pid(self) -> int:
        """Of the worker, while it is idle."""
        (one,) = self.crew._free
        return one._process.pid


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch) -> Iterator[Beside]:
    one = Beside(monkeypatch)
    yield one
    one.crew.leave()


def left(folders: Path) -> list[Path]:
    """Temporary files."""
    return list(folders.rglob(".acdrun-*"))


def gone(pid: int) -> bool:
    """Does the process end?"""
    for _ in range(2000):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.01)
    return False


def test_what_a_worker_writes_is_what_we_write(
    source: Path, folders: Path, beside: Beside, tmp_path: Path
) -> None:
    batch = seen(source, *names(source))
    batch[3] = batch[3]._replace(known=Checksum("md5", "0" * 32))
    batch[4] = batch[4]._replace(known=Checksum.of("md5", (source / batch[4].origin).read_bytes()))
    batch += [batch[0]._replace(path=path) for path in ("gone/x", ".acdrun-trash/x", "a/..", "a")]
    (folders / "a" / "02").write_bytes(b"theirs")
    CHANGES[0](source / "b" / "11")
    shutil.copytree(folders, tmp_path / "other")
    moved: list[int] = []
    alone = copy(source, tmp_path / "other", batch)
    assert beside.did == []
    beside.begin()

    together = copy(source, folders, batch, Copying(moved=moved.append))

    assert beside.did == [len(batch) - 5]  # what stands there is found when it is to get its name
    assert [one and (one.node[:5], one.checksum) for one in together] == [
        one and (one.node[:5], one.checksum) for one in alone
    ]
    assert [copied.path for copied, one in zip(batch, together, strict=True) if one is None] == [
        "a/02", batch[3].path, "b/11", "gone/x", ".acdrun-trash/x", "a/..", "a",
    ]  # fmt: skip
    assert sum(moved) == sum(one.node.size for one in together if one)
    assert files(folders) == files(tmp_path / "other")


@pytest.mark.torture
def test_P14_D2_the_disk_that_is_to_confirm_was_held_before_a_worker_wrote(
    source: Path, folders: Path, beside: Beside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its errors are told to whom they came after; and the flush comes before the names, these before the folders."""
    order, flushed = list[set[str]](), list[str]()
    calls = FailingCalls(0, 0, ("write", "fsync", "rename"))
    whole = flush._CALL
    assert whole is not None
    beside.begin()
    beside.before = lambda how: order.append({os.readlink(f"/proc/self/fd/{fd}") for fd in fds()})

    def syncfs(fd: int) -> int:
        flushed.append(os.readlink(f"/proc/self/fd/{fd}"))
        return whole(fd)

    monkeypatch.setattr(flush, "_CALL", syncfs)
    calls.install(monkeypatch)
    done = copy(source, folders, seen(source, *names(source)[:40]))

    assert None not in done
    assert calls.made == ["syncfs"] + ["renameat2"] * 40 + ["fsync"] * 2
    assert flushed[0] in order[0]
    assert flushed[0].startswith(str(folders))


def fds() -> list[int]:
    """That are open in this process."""
    found = []
    for fd in os.listdir("/proc/self/fd"):
        try:
            os.fstat(int(fd))
        except OSError:
            continue
        found.append(int(fd))
    return found


@pytest.mark.torture
@pytest.mark.parametrize("durable", [True, False])
def test_D2_what_a_worker_wrote_and_the_disk_does_not_confirm_gets_no_name(
    source: Path, folders: Path, beside: Beside, monkeypatch: pytest.MonkeyPatch, durable: bool
) -> None:
    batch = seen(source, *names(source)[:40])
    beside.begin("" if durable else UNSYNCED)
    if durable:
        FailingCalls(1, errno.EIO, ("fsync",)).install(monkeypatch)
        assert copy(source, folders, batch) == [None] * 40
    else:
        monkeypatch.setattr(flush, "_WHOLE", {})
        with pytest.raises(Unsynced):
            copy(source, folders, batch)

    assert beside.did[:1] == [40 if durable else None]
    assert (files(folders), left(folders)) == ({}, [])


@pytest.mark.torture
def test_P10_a_worker_that_is_killed_leaves_nothing_and_we_write_instead(
    source: Path, folders: Path, beside: Beside
) -> None:
    beside.begin(KILLED)
    before = open_files()

    done = copy(source, folders, seen(source, *names(source)))

    assert beside.did == [None]
    assert None not in done
    assert files(folders) == files(source)
    assert left(folders) == []
    assert open_files() <= before


@pytest.mark.torture
@pytest.mark.parametrize(("does", "wanted"), [(FULL, 7), (GROWING, 39)])
def test_D1_S1_what_a_worker_had_no_room_for_or_saw_moving_is_left(
    source: Path, folders: Path, beside: Beside, does: str, wanted: int
) -> None:
    batch = seen(source, *names(source)[:40])
    beside.begin(does)

    done = copy(source, folders, batch)

    assert beside.did == [wanted]
    assert [one is None for one in done] == [n == 7 or (wanted == 7 and n > 7) for n in range(40)]
    assert len(files(folders)) == wanted
    assert left(folders) == []


NONSENSE = (
    '[(5,)], ""', '"abc", ""', "7", "[], 7, 9", '[(0, 1, 2, 3, 4, "x")] * 2, ""', '[(99, 1, 2, 3, 4, "x")], ""',
)  # fmt: skip


@pytest.mark.parametrize("answer", NONSENSE)
def test_a_worker_that_answers_nonsense_is_let_go(
    source: Path, folders: Path, beside: Beside, answer: str
) -> None:
    beside.begin(f"write = real\nworker.written = lambda *order: ({answer})")
    pid = beside.pid()

    done = copy(source, folders, seen(source, *names(source)))

    assert None not in done
    assert files(folders) == files(source)
    assert gone(pid)


def test_files_that_a_worker_has_not_written_get_no_name(source: Path, folders: Path, beside: Beside) -> None:
    beside.begin('write = real\nworker.written = lambda *order: ([(0, 1, 2, 3, 4, "x")], "")')

    assert copy(source, folders, seen(source, "a/00", "a/02")) == [None, None]
    assert (files(folders), left(folders)) == ({}, [])


def rewritten(temp: Path, outside: Path) -> None:
    temp.write_bytes(b"something else")


def replaced(temp: Path, outside: Path) -> None:
    (temp.parent / "new").write_bytes(temp.read_bytes())
    (temp.parent / "new").rename(temp)


def linked(temp: Path, outside: Path) -> None:
    temp.unlink()
    temp.symlink_to(outside)


@pytest.mark.torture
@pytest.mark.parametrize("change", [rewritten, replaced, linked])
def test_D4_what_is_not_what_the_worker_wrote_gets_no_name(
    source: Path, folders: Path, beside: Beside, change: Callable[[Path, Path], None], tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"outside")
    beside.begin()
    beside.after = lambda how: change(folders / f"a/.acdrun-{how.label}0001.partial", outside)

    done = copy(source, folders, seen(source, "a/00", "a/02", "b/01"))

    assert [one is None for one in done] == [False, True, False]
    assert set(files(folders)) == {"a/00", "b/01"}
    assert outside.read_bytes() == b"outside"


@pytest.mark.torture
def test_D4_a_folder_that_became_a_link_is_not_followed_by_a_worker(
    source: Path, folders: Path, beside: Beside, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()

    def change(how: How) -> None:
        (folders / "b").rename(tmp_path / "b")
        (folders / "b").symlink_to(outside)

    beside.begin()
    beside.before = change
    done = copy(source, folders, seen(source, "a/00", "b/01"))

    assert [one is None for one in done] == [False, True]
    assert list(outside.iterdir()) == []


@pytest.mark.torture
def test_P11_a_worker_whose_files_are_not_wanted_any_more_is_let_go(
    source: Path, folders: Path, beside: Beside
) -> None:
    beside.begin(SLOW)
    pid = beside.pid()

    async def act() -> bool:
        theirs, ours = Local(source, "run"), Local(folders, "run")
        batch = seen(source, *names(source)[:40]) * 100
        task = asyncio.ensure_future(ours.copy_from(theirs, batch, Copying()))
        while not left(folders):
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await theirs.close()
        await ours.close()
        return task.cancelled()

    assert asyncio.run(act())
    assert gone(pid)
    assert (files(folders), left(folders)) == ({}, [])


PARENT = """
import asyncio, os, sys, time
from pathlib import Path
from runner.backends.local import backend, copying, crew
from runner.backends.local.backend import Local
from tests.rooms.local.test_copying import copy, names, seen
from tests.rooms.local.test_writing import BEGIN, END, SLOW
source, folders = Path(sys.argv[1]), Path(sys.argv[2])
backend.CREW, backend.LONG, copying.WORTH, crew._START = crew.Crew(1), 0, 1, BEGIN + SLOW + END
backend.CREW.join()
while backend.CREW.some("/nowhere", [""]) is None: time.sleep(0.01)
print(backend.CREW._free[0]._process.pid, flush=True)
copy(source, folders, seen(source, *names(source)[:40]) * 100)
"""


@pytest.mark.torture
def test_P8_a_worker_that_outlives_us_publishes_nothing_and_ends(source: Path, folders: Path) -> None:
    command = [sys.executable, "-c", PARENT, os.fspath(source), os.fspath(folders)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        while not left(folders):
            assert parent.poll() is None
            time.sleep(0.01)
        parent.send_signal(signal.SIGKILL)

    assert gone(pid)
    assert {path.suffix for path in left(folders)} == {".partial"}
    assert len(left(folders)) < 1000
    assert [path for path in folders.rglob("*") if path.is_file() and path not in left(folders)] == []
    assert None not in copy(source, folders, seen(source, *names(source)))


def test_a_worker_writes_with_our_umask(source: Path, folders: Path, beside: Beside) -> None:
    beside.begin()
    mask = os.umask(0o027)
    try:
        done: Sequence[Copied | None] = copy(source, folders, seen(source, "a/00"))
    finally:
        os.umask(mask)

    assert None not in done
    assert beside.did == [1]
    assert (folders / "a" / "00").stat().st_mode & 0o777 == 0o640


def test_where_no_worker_can_be_had_we_write(source: Path, folders: Path, beside: Beside) -> None:
    beside.crew._most = 0
    batch: list[Copy] = seen(source, *names(source))

    assert None not in copy(source, folders, batch)
    assert files(folders) == files(source)
