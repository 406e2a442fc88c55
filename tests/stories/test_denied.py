"""What the file system refuses: a folder that may not be read or written to, a disk that is full."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.stories.conftest import Machine, Said

POWERLESS = """
import ctypes, os, sys
for power in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH: what makes permissions mean nothing to root
    ctypes.CDLL(None).prctl(24, power, 0, 0, 0)  # PR_CAPBSET_DROP
os.execv(sys.executable, [sys.executable, "-m", "runner", *sys.argv[1:]])
"""

JOB = """\
version: 1
name: local
jobs:
  photos:
    pairs:
      - source: ../photos
        destination: ../copy
        mode: mirror
        retry: {attempts: 2, backoff: 10ms..50ms}
        guard: {trash: {max: 100%}, destination: {space: ignore}}
"""


def acdrun(machine: Machine, *args: str) -> Said:
    """Call the program as somebody to whom permissions mean something, root or not."""
    done = subprocess.run(
        [sys.executable, "-c", POWERLESS, *args],
        cwd=machine.home, env=machine.environment, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    return Said(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def job(machine: Machine) -> str:
    """A local mirror."""
    (machine.jobs / "local.yaml").write_text(JOB)
    (machine.home / "copy").mkdir()
    return "jobs/local.yaml"


def copied(machine: Machine) -> dict[str, str]:
    """What shows at the destination, hidden and temporary files too; of the trash, nothing."""
    copy = machine.home / "copy"
    return {
        path.relative_to(copy).as_posix(): path.read_text()
        for path in copy.rglob("*")
        if path.is_file() and ".acdrun-trash" not in path.parts
    }


def trashed(machine: Machine) -> list[str]:
    """Names in the trash, sorted."""
    return sorted(path.name for path in (machine.home / "copy/.acdrun-trash").rglob("*") if path.is_file())


@contextmanager
def shut(folder: Path, mode: int) -> Iterator[None]:
    """For a while, nobody may do more there than that mode says."""
    folder.chmod(mode)
    try:
        yield
    finally:
        folder.chmod(0o755)


@pytest.mark.torture
def test_S8_a_folder_that_may_not_be_read_is_unknown_and_nothing_below_it_is_trashed(
    machine: Machine, job: str
) -> None:
    machine.write({"a.txt": "1", "shut/b.txt": "2", "shut/deep/c.txt": "3", "other/d.txt": "4"})
    before: dict[str, str | bytes] = {
        "shut/b.txt": "2",
        "shut/gone.txt": "5",
        "shut/deep/gone.txt": "6",
        "gone.txt": "7",
    }
    machine.write(before, machine.home / "copy")

    with shut(machine.photos / "shut", 0o000):
        plan = acdrun(machine, "--plan", job)
        said = acdrun(machine, job)

        assert (plan.code, said.code) == (3, 3)
        for text in (plan.out, said.out):
            assert "! shut" in text
            assert "permission denied" in text
        assert "nothing was trashed" in said.out
        assert copied(machine) == {**before, "a.txt": "1", "other/d.txt": "4"}
        assert trashed(machine) == []

    assert acdrun(machine, job).code == 0
    assert copied(machine) == {"a.txt": "1", "shut/b.txt": "2", "shut/deep/c.txt": "3", "other/d.txt": "4"}
    assert trashed(machine) == ["b.txt", "gone.txt", "gone.txt", "gone.txt"]


@pytest.mark.torture
def test_S8_a_file_that_may_not_be_read_is_told_and_the_rest_is_sent(machine: Machine, job: str) -> None:
    machine.write({"a.txt": "1", "mine.txt": "2"})
    machine.write({"gone.txt": "7"}, machine.home / "copy")

    (machine.photos / "mine.txt").chmod(0o000)
    said = acdrun(machine, job)

    assert said.code == 6
    assert "mine.txt" in said.out
    assert copied(machine) == {"a.txt": "1", "gone.txt": "7"}


@pytest.mark.torture
def test_D3_a_destination_that_may_not_be_written_to_fails_and_nothing_is_trashed(
    machine: Machine, job: str
) -> None:
    machine.write({"a.txt": "1", "d/new.txt": "2", "d/changed.txt": "33"})
    before: dict[str, str | bytes] = {"d/changed.txt": "0", "gone.txt": "7"}
    machine.write(before, machine.home / "copy")

    with shut(machine.home / "copy/d", 0o555):
        said = acdrun(machine, job)

        assert said.code == 6
        assert "permission denied" in said.out
        assert copied(machine) == {**before, "a.txt": "1"}
        assert trashed(machine) == []

    assert acdrun(machine, job).code == 0
    assert copied(machine) == {"a.txt": "1", "d/new.txt": "2", "d/changed.txt": "33"}
    assert trashed(machine) == ["changed.txt", "gone.txt"]


@contextmanager
def small_disk(place: Path, size: str) -> Iterator[None]:
    """A disk of that size, mounted there."""
    options = f"size={size},mode=755"
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no small disk can be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", str(place)], check=True)


def remount(place: Path, options: str) -> None:
    """Change what may be done with a mounted disk."""
    subprocess.run(["mount", "-o", f"remount,{options}", str(place)], check=True, capture_output=True)


@pytest.mark.torture
def test_D1_a_disk_that_fills_up_keeps_every_old_file_and_nothing_half(machine: Machine, job: str) -> None:
    files: dict[str, str | bytes] = {f"{n}.bin": os.urandom(300_000) for n in range(8)}
    machine.write(files | {"changed.bin": b"new" * 100_000})
    with small_disk(machine.home / "copy", "1m"):
        machine.write({"changed.bin": b"old" * 10_000, "gone.bin": b"7"}, machine.home / "copy")

        said = machine.acdrun(job)

        there = {path.name: path.read_bytes() for path in (machine.home / "copy").iterdir() if path.is_file()}
        assert said.code == 7, said.out + said.err
        assert "no space left" in said.out
        assert "nothing was trashed" in said.out
        assert there["gone.bin"] == b"7"
        assert there["changed.bin"] in (b"old" * 10_000, b"new" * 100_000)
        assert there.items() <= (files | {name: there[name] for name in ("gone.bin", "changed.bin")}).items()
        assert len(there) < 10

        remount(machine.home / "copy", "size=10m")
        again = machine.acdrun(job)

        assert again.code == 0, again.out
        there = {path.name: path.read_bytes() for path in (machine.home / "copy").iterdir() if path.is_file()}
        assert there == files | {"changed.bin": b"new" * 100_000}
        assert trashed(machine) == ["changed.bin", "gone.bin"]


@pytest.mark.torture
def test_D3_a_disk_that_was_mounted_read_only_is_left_as_it_is(machine: Machine, job: str) -> None:
    machine.write({"a.txt": "1"})
    with small_disk(machine.home / "copy", "1m"):
        machine.write({"gone.txt": "7"}, machine.home / "copy")
        remount(machine.home / "copy", "ro")

        said = machine.acdrun(job)

        assert said.code == 6, said.out + said.err
        assert "read-only" in said.out
        assert copied(machine) == {"gone.txt": "7"}
        remount(machine.home / "copy", "rw")
        assert machine.acdrun(job).code == 0
        assert copied(machine) == {"a.txt": "1"}
