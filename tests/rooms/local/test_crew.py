"""Processes that list beside us: they tell what we would see, and are gone when we are."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from runner.backends.local import hands, worker
from runner.backends.local.backend import Local
from runner.backends.local.crew import Crew, processors
from runner.backends.local.hands import Hand
from runner.backends.local.listing import Columns
from runner.model.errors import AcdrunError
from runner.model.node import Folder
from runner.remote.remote import Remote
from tests.rooms.local import workers
from tests.rooms.local.disk import on
from tests.rooms.local.workers import answered, pid_of

LINUX = pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks at /proc")


def ends(gone: Callable[[], bool]) -> bool:
    for _ in range(2000):
        if gone():
            return True
        time.sleep(0.01)
    return False


def grown(root: Path) -> list[str]:
    """A tree with all that a disk can hold; its folders, and others that cannot be listed."""
    for folder in ("", "a", "a/b", "c", "empty"):
        (root / folder).mkdir(exist_ok=True)
    for folder in ("", "a", "a/b", "c"):
        for name in ("x", "y \u00e9", ".acdrun-1.partial", "line\nbreak"):
            (root / folder / name).write_bytes(name.encode() * len(folder))
    with open(os.fsencode(root) + b"/a/\xff", "wb"):
        pass
    os.utime(root / "a" / "x", ns=(0, -1_000_000_001))
    os.utime(root / "c" / "x", (1 << 35, 1 << 35))
    (root / "link").symlink_to("c")
    os.mkfifo(root / "c" / "pipe")
    return ["", "a", "gone", "a/b", "link", "c", "empty", "a/x"]


def test_a_worker_sees_what_we_see(root: Path, crew: Crew) -> None:
    folders = grown(root)
    ours = worker.some(os.fspath(root), folders)

    theirs = answered(crew, root, *folders)

    assert theirs == [None if isinstance(one, AcdrunError) else one for one in ours]
    assert [one is None for one in theirs] == [False, False, True, False, True, False, False, True]
    for one, other in zip(ours, theirs, strict=True):
        if isinstance(one, Columns) and other:
            assert other.nodes() == one.nodes()


def test_a_long_listing_by_workers_is_the_same(
    root: Path, crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    grown(root)
    for number in range(30):
        (root / f"more{number}").mkdir()
        (root / f"more{number}" / "file").write_bytes(b"data")
    asked: list[str] = []
    real = Hand.some

    def some(self: Hand, root_: str, folders: Sequence[str]) -> Sequence[Columns | None] | None:
        found = real(self, root_, folders)
        asked.extend(folders[: len(found or ())])
        return found

    async def walk(remote: Remote) -> list[Folder]:
        return [folder async for folder in remote.walk()]

    def told(folders: list[Folder]) -> list[object]:
        return [(f.path, list(f.nodes), [(gap.path, str(gap.error)) for gap in f.gaps]) for f in folders]

    alone = told(on(root, walk))
    answered(crew, root, "")
    monkeypatch.setattr(Hand, "some", some)
    monkeypatch.setattr(hands, "CREW", crew)
    monkeypatch.setattr(hands, "LONG", 1)
    monkeypatch.setattr(worker, "ENOUGH", 3)

    together = told(on(root, walk))

    assert together == alone
    assert len(asked) > 30


def test_a_folder_that_a_worker_cannot_list_is_told_as_ever(
    root: Path, crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = grown(root)
    answered(crew, root, "")
    monkeypatch.setattr(hands, "CREW", crew)
    monkeypatch.setattr(hands, "LONG", 0)

    async def main(remote: Remote) -> list[object]:
        return [
            str(one) if isinstance(one, AcdrunError) else list(one) for one in await remote.list_some(folders)
        ]

    by_worker = on(root, main)
    monkeypatch.setattr(hands, "LONG", sys.maxsize)

    assert by_worker == on(root, main)


def test_a_worker_that_is_killed_is_missed_by_nobody(root: Path, crew: Crew) -> None:
    folders = grown(root)
    before = answered(crew, root, *folders)
    os.kill(pid_of(crew), signal.SIGKILL)

    assert workers.some(crew, root, *folders) is None
    assert answered(crew, root, *folders) == before


@LINUX
def test_workers_end_with_the_last_disk_and_hold_nothing_of_ours(root: Path, tmp_path: Path) -> None:
    one = Crew(1)
    one.join()
    one.join()
    with (tmp_path / "lock").open("wb") as held:
        answered(one, root, "")
        pid = pid_of(one)
        kept = {os.readlink(path) for path in Path(f"/proc/{pid}/fd").iterdir()}
        assert held.name not in kept

    one.leave()
    assert Path(f"/proc/{pid}").exists()
    one.leave()
    assert not Path(f"/proc/{pid}").exists()


@LINUX
def test_a_worker_ends_with_a_process_that_is_killed(root: Path) -> None:
    script = (
        "import sys, time; from runner.backends.local.crew import Crew; one = Crew(1); one.join()\n"
        "while (worker := one.take(0.1)) is None: time.sleep(0.01)\n"
        f"worker.ask(('list', {os.fspath(root)!r}, [''])); one.give(worker)\n"
        "print(one._free[0]._process.pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()

    def gone() -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except OSError:
            return True

    assert ends(gone)


def test_without_workers_whoever_asks_works_itself(root: Path) -> None:
    assert workers.some(Crew(0), root, "") is None
    assert processors() >= 1


def test_a_disk_that_is_closed_twice_leaves_once(
    root: Path, crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hands, "CREW", crew)
    monkeypatch.setattr(hands, "LONG", 0)
    answered(crew, root, "")
    disk = Local(root, "run")

    async def main() -> None:
        await disk.list_some([""])
        await disk.close()
        await disk.close()

    asyncio.run(main())

    assert answered(crew, root, "")
    assert crew._disks == 1
