"""A machine of one's own: a home, a state directory, the program as users call it, the drive as others see it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

CHECKOUT = Path(__file__).parents[2]
NIGHTLY = """\
version: 1
name: nightly
remotes:
  cloud: {type: amazon cloud drive, server: embedded}
jobs:
  photos:
    pairs:
      - {source: ../photos, destination: "cloud:photos", mode: mirror, retry: {attempts: 3, backoff: 10ms..50ms}}
"""


@dataclass(frozen=True)
class Said:
    """What a call of the program came to."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Machine:
    """A folder with a home, a state directory and what a test puts there."""

    home: Path

    @property
    def environment(self) -> dict[str, str]:
        """What the program sees: nothing of ours but the path."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "XDG_CONFIG_HOME": str(self.home / "config"),
            "ACDRUN_STATE": str(self.state),
            "PYTHONPATH": str(CHECKOUT),
            "TZ": "UTC",
            "COLUMNS": "100",
        }

    @property
    def state(self) -> Path:
        """The state directory."""
        return self.home / "state"

    @property
    def jobs(self) -> Path:
        """Where job files lie."""
        folder = self.home / "jobs"
        folder.mkdir(exist_ok=True)
        return folder

    @property
    def photos(self) -> Path:
        """The source of the usual job."""
        folder = self.home / "photos"
        folder.mkdir(exist_ok=True)
        return folder

    def write(self, files: dict[str, str | bytes], folder: Path | None = None) -> None:
        """Put files below `photos`, or another folder."""
        for name, content in files.items():
            path = (folder or self.photos) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)

    def nightly(self, text: str = NIGHTLY) -> str:
        """Write the usual job file and return its name, as a user types it."""
        (self.jobs / "nightly.yaml").write_text(text)
        return "jobs/nightly.yaml"

    def start(self, *args: str, **more: str) -> "subprocess.Popen[str]":
        """Begin a call; `more` is added to the environment."""
        return subprocess.Popen(
            [sys.executable, "-m", "runner", *args],
            cwd=self.home,
            env=self.environment | more,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def acdrun(self, *args: str, **more: str) -> Said:
        """Call the program and wait for it; one that hangs is ended, and fails the test."""
        process = self.start(*args, **more)
        try:
            out, err = process.communicate(timeout=90)
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()
        return Said(process.returncode, out, err)

    @contextmanager
    def drive(self, remote: str = "cloud") -> "Iterator[Drive]":
        """The embedded drive of a remote as a stranger's client sees it, while acdrun is away."""
        process = subprocess.Popen(
            [sys.executable, "-m", "runner.emulator", "--dir", str(self.state / "emulator" / remote), "--port", "0",
             "--ready-json", "--issue-token", "--watch-stdin"],
            env=self.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            ready = json.loads(process.stdout.readline())
            token = ready["token"]["access_token"]
            with httpx.Client(
                base_url=ready["url"], headers={"Authorization": f"Bearer {token}"}, timeout=30
            ) as client:
                yield Drive(client)
        finally:
            process.stdin.close()
            process.stdout.close()
            process.wait(timeout=20)


@dataclass(frozen=True)
class Drive:
    """The wire itself, in the fewest calls; none of the code under test."""

    client: httpx.Client

    def nodes(self, filters: str) -> list[dict[str, object]]:
        """Every node that a filter finds."""
        found: list[dict[str, object]] = []
        token: str | None = None
        while True:
            parameters = {"filters": filters} | ({"startToken": token} if token else {})
            page = self.client.get("drive/v1/nodes", params=parameters).raise_for_status().json()
            found += page.get("data", [])
            token = page.get("nextToken")
            if not token:
                return found

    def files(self) -> dict[str, str]:
        """Path to MD5 of every live file that can be reached from the root."""
        folders = {str(node["id"]): node for node in self.nodes("kind:FOLDER")}

        def path(node: dict[str, object]) -> str | None:
            if node.get("isRoot"):
                return ""
            parents = node["parents"]
            assert isinstance(parents, list)
            above = path(folders[parents[0]]) if parents and parents[0] in folders else None
            return None if above is None else f"{above}/{node['name']}"

        found = {}
        for node in self.nodes("kind:FILE"):
            properties = node["contentProperties"]
            assert isinstance(properties, dict)
            if (where := path(node)) is not None:
                found[where.removeprefix("/")] = str(properties["md5"])
        return found

    def trashed(self) -> list[str]:
        """The names in the trash, sorted."""
        return sorted(str(node["name"]) for node in self.nodes("status:TRASH"))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A fresh machine."""
    home = tmp_path / "home"
    home.mkdir()
    return Machine(home)
