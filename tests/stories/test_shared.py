"""Two machines that share a destination."""

import contextlib
import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.stories.conftest import Machine

SHARED = """\
version: 1
name: shared
remotes:
  disk: {{type: local, path: {disk}, lock: remote}}
jobs:
  data:
    before: [cat, {gate}]
    pairs:
      - {{source: ../photos, destination: "disk:photos", mode: mirror}}
"""


def _machine(folder: Path, disk: Path) -> Machine:
    folder.mkdir()
    machine = Machine(folder)
    machine.write({"a.txt": folder.name, "b.txt": "both"})
    os.mkfifo(folder / "gate")
    (machine.jobs / "shared.yaml").write_text(SHARED.format(disk=disk, gate=folder / "gate"))
    return machine


def _open(machine: Machine, process: "subprocess.Popen[str] | None" = None) -> None:
    """Let the hook end, once it is there; without a process, if there is one."""
    while True:
        with contextlib.suppress(OSError):  # nobody reads yet
            os.close(os.open(machine.home / "gate", os.O_WRONLY | os.O_NONBLOCK))
            return
        if process is None or process.poll() is not None:
            return
        time.sleep(0.02)


@pytest.mark.torture
def test_L2_a_run_on_another_machine_is_refused_while_one_goes_on(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    web1, web2 = _machine(tmp_path / "web1", disk), _machine(tmp_path / "web2", disk)

    first = web1.start("jobs/shared.yaml")
    ends = time.monotonic() + 60
    while not list(disk.glob(".acdrun-lock/*.[0-9]*")) and first.poll() is None and time.monotonic() < ends:
        time.sleep(0.02)
    refused = web2.acdrun("jobs/shared.yaml")
    shown = web2.acdrun("unlock", "-f", "jobs/shared.yaml", "disk:")
    _open(web1, first)
    out, err = first.communicate(timeout=60)

    assert first.returncode == 0, err
    assert refused.code == 8
    assert "'photos' is being written to by run" in refused.err
    assert "acdrun unlock takes one away" in refused.err
    assert "'photos' is being written to by run" in shown.out
    assert (disk / "photos/a.txt").read_text() == "web1"
    assert "no leases" in web2.acdrun("unlock", "-f", "jobs/shared.yaml", "disk:").out

    second = web2.start("jobs/shared.yaml")
    _open(web2, second)
    out, err = second.communicate(timeout=60)
    assert second.returncode == 0, out + err
    assert (disk / "photos/a.txt").read_text() == "web2"
    assert ".acdrun-lock" not in web2.acdrun("lsd", "-f", "jobs/shared.yaml", "disk:").out
    assert ".acdrun-lock" not in web2.acdrun("trash", "list", "-f", "jobs/shared.yaml", "disk:").out


@pytest.mark.torture
def test_L3_a_lease_of_a_dead_machine_is_taken_away_by_its_run(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    web1, web2 = _machine(tmp_path / "web1", disk), _machine(tmp_path / "web2", disk)
    first = web1.start("jobs/shared.yaml")
    ends = time.monotonic() + 60
    while not list(disk.glob(".acdrun-lock/*.[0-9]*")) and first.poll() is None and time.monotonic() < ends:
        time.sleep(0.02)
    first.kill()
    first.communicate()
    (lease,) = disk.glob(".acdrun-lock/*.[0-9]*")
    run = next(
        word for word in lease.read_text().split('"') if word.startswith("20") and "-" in word and "T" in word
    )

    wrong = web2.acdrun("unlock", "-f", "jobs/shared.yaml", "disk:", "--run", "20000101T000000-0000")
    taken = web2.acdrun("unlock", "-f", "jobs/shared.yaml", "disk:", "--run", run)

    assert wrong.code == 1
    assert taken.code == 0
    assert run in taken.out
    second = web2.start("jobs/shared.yaml")
    _open(web2, second)
    assert second.communicate(timeout=60) and second.returncode == 0
    _open(web1)  # its hook may have outlived it
