"""The places themselves go wrong: the disk is swapped while files are sent, the account is full or another one."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.stories.conftest import Drive, Machine

JOB = """\
version: 1
name: nightly
remotes:
  cloud: {{type: acd, server: "{url}", auth: {{token: {{env: TOKEN}}}}}}
jobs:
  photos:
    pairs:
      - source: ../photos
        destination: "cloud:photos"
        mode: mirror
        retry: {{attempts: 2, backoff: 10ms..50ms}}
        guard: {guard}
"""


@dataclass(frozen=True)
class Account:
    """An emulated account. token: for the manifest; drive: as a stranger sees it."""

    url: str
    token: str
    http: httpx.Client

    @property
    def drive(self) -> Drive:
        """What it holds."""
        return Drive(self.http)

    def fault(self, **rule: Any) -> None:
        """Add a fault rule."""
        self.http.post("admin/faults", json=rule).raise_for_status()

    def uploads(self) -> int:
        """How many uploads were begun."""
        counts: dict[str, int] = self.http.get("admin/counts").raise_for_status().json()["requests"]
        return counts.get("POST /cdproxy/nodes", 0)


@contextmanager
def account(machine: Machine, name: str, *options: str) -> Iterator[Account]:
    """Serve an account of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "runner", "emulator", "--dir", str(machine.home / name), "--ready-json",
         "--issue-token", "--watch-stdin", *options],
        env=machine.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        ready = json.loads(process.stdout.readline())
        bearer = {"Authorization": f"Bearer {ready['token']['access_token']}"}
        with httpx.Client(base_url=ready["url"], headers=bearer, timeout=30, trust_env=False) as http:
            yield Account(ready["url"], json.dumps(ready["token"]), http)
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(timeout=20)


def job(machine: Machine, drive: Account, guard: str = "{}") -> str:
    """The job file that leads to that account."""
    return machine.nightly(JOB.format(url=drive.url, guard=guard))


@pytest.mark.torture
def test_N18_a_drive_that_is_full_after_most_files_trashes_nothing(machine: Machine) -> None:
    machine.write({f"{number}.jpg": "x" * 1000 for number in range(10)})
    machine.write({"old.jpg": "o"})
    with account(machine, "drive", "--quota", "6500") as drive:
        file = job(machine, drive, "{destination: {space: ignore}}")
        for number in range(10):
            (machine.photos / f"{number}.jpg").rename(machine.home / f"{number}.jpg")
        assert machine.acdrun(file, TOKEN=drive.token).code == 0
        (machine.photos / "old.jpg").unlink()
        for number in range(10):
            (machine.home / f"{number}.jpg").rename(machine.photos / f"{number}.jpg")

        said = machine.acdrun(file, TOKEN=drive.token)

        assert said.code == 7
        assert "nothing was trashed" in said.out
        assert (
            "the account has" in said.out + said.err
            and "bytes left, and 1000 are needed" in said.out + said.err
        )
        assert drive.drive.trashed() == []
        assert len(drive.drive.files()) == 7
        assert drive.uploads() <= 1 + 6 + 16 + 4, "no new uploads once it is full"


def test_a_drive_without_room_for_the_plan_is_refused_before_anything_is_sent(machine: Machine) -> None:
    machine.write({f"{number}.jpg": "x" * 1000 for number in range(10)})
    with account(machine, "drive", "--quota", "6500") as drive:
        said = machine.acdrun(job(machine, drive), TOKEN=drive.token)

        assert said.code == 7
        assert "9.77KiB are to be stored, and the destination has room for 6.35KiB" in said.out
        assert drive.uploads() == 0


@pytest.mark.torture
def test_G4_a_login_to_another_account_is_refused(machine: Machine) -> None:
    machine.write({"a.jpg": "a"})
    with account(machine, "mine") as mine, account(machine, "yours") as yours:
        assert machine.acdrun(job(machine, mine), TOKEN=mine.token).code == 0
        machine.write({"b.jpg": "b"})
        yours.http.post("drive/v1/nodes", json={"name": "photos", "kind": "FOLDER"}).raise_for_status()

        said = machine.acdrun(job(machine, yours), TOKEN=yours.token)
        accepted = machine.acdrun(job(machine, yours), "--accept-new-destination", TOKEN=yours.token)

        assert (said.code, accepted.code) == (4, 0)
        assert "the destination is not the place that it was" in said.out
        assert "--accept-new-destination" in said.out
        assert sorted(mine.drive.files()) == ["photos/a.jpg"]
        assert sorted(yours.drive.files()) == ["photos/a.jpg", "photos/b.jpg"]


@pytest.mark.torture
def test_S9_a_disk_that_goes_while_a_file_is_sent_takes_nothing_along(machine: Machine) -> None:
    machine.write({"kept.jpg": "k", "old.jpg": "o"})
    with account(machine, "drive") as drive:
        file = job(machine, drive)
        assert machine.acdrun(file, TOKEN=drive.token).code == 0
        (machine.photos / "old.jpg").unlink()
        machine.write({"new.jpg": "n"})
        before = drive.uploads()
        drive.fault(match={"method": "POST", "path": "/cdproxy/nodes"}, do="slow", seconds=3, times=1)

        process = machine.start(file, TOKEN=drive.token)
        try:
            _until(lambda: drive.uploads() > before)
            (machine.home / "photos").rename(machine.home / "unplugged")
            (machine.home / "photos").mkdir()  # what is left of a disk: its mount point
            out, err = process.communicate(timeout=90)
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()

        assert process.returncode in (3, 4), out + err
        assert "nothing was trashed" in out
        assert drive.drive.trashed() == []
        assert {"photos/kept.jpg", "photos/old.jpg"} <= drive.drive.files().keys()


def _until(true: Any) -> None:
    ends = time.monotonic() + 60
    while not true():
        assert time.monotonic() < ends, "it never came to that"
        time.sleep(0.02)
