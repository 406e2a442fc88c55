"""rclone as its users call it, set up by what the emulator's command prints."""

import json
import re
import secrets
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.stories.served import Served

PROGRAM = shutil.which("rclone")


def why_not() -> str:
    """Say why its stories cannot be told here; nothing if they can."""
    if PROGRAM is None:
        return "rclone is not installed; ci/peers installs Debian's"
    kinds = subprocess.run(
        [PROGRAM, "help", "backends"], capture_output=True, text=True, timeout=60, check=False
    )
    if "Amazon Drive" not in kinds.stdout:
        return "this rclone has no Amazon Drive any more; Debian's 1.60 has, see ci/peers"
    return ""


@dataclass(frozen=True)
class Rclone:
    """rclone with a configuration of its own, and a folder on the drive for one test."""

    drive: Served
    home: Path
    remote: str = field(default_factory=lambda: f"acd:{secrets.token_hex(6)}")

    @property
    def environment(self) -> dict[str, str]:
        """What rclone sees: what the emulator's command said, and a home."""
        return self.drive.environment | {
            "HOME": str(self.home),
            "RCLONE_CONFIG": str(self.home / "rclone.conf"),
        }

    @property
    def source(self) -> Path:
        """A folder on this side."""
        folder = self.home / "source"
        folder.mkdir(exist_ok=True)
        return folder

    def configure(self, token: dict[str, Any] | None = None, more: str = "") -> None:
        """Write the remote as the emulator's command shows it, perhaps with another token."""
        text = self.drive.ready["intercept"]["rclone"]
        if token is not None:
            text = re.sub(r"(?m)^token = .*$", lambda _: f"token = {json.dumps(token)}", text)
        (self.home / "rclone.conf").write_text(f"{text}\n{more}\n")

    def write(self, files: Mapping[str, str | bytes]) -> None:
        """Put files below the source."""
        for name, content in files.items():
            path = self.source / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)

    def fails(self, *args: str) -> str:
        """Run a command that must fail; return what it said about that."""
        ended = self._run(args, None)
        assert ended.returncode != 0, ended.stdout
        return ended.stderr.decode()

    def raw(self, *args: str, stdin: bytes | None = None) -> bytes:
        """Run a command that must succeed; return the bytes it printed."""
        ended = self._run(args, stdin)
        assert ended.returncode == 0, ended.stderr.decode()
        return ended.stdout

    def __call__(self, *args: str, stdin: bytes | None = None) -> str:
        """Run a command that must succeed; return the text it printed."""
        return self.raw(*args, stdin=stdin).decode()

    def paths(self, remote: str | None = None) -> list[str]:
        """All files below the test's folder, sorted."""
        return sorted(self("lsf", "-R", "--files-only", remote or self.remote).splitlines())

    def id(self, path: str) -> str:
        """The id of a file or folder."""
        folder, _, name = f"{self.remote}/{path}".rpartition("/")
        return str(next(entry["ID"] for entry in json.loads(self("lsjson", folder)) if entry["Name"] == name))

    def _run(self, args: tuple[str, ...], stdin: bytes | None) -> "subprocess.CompletedProcess[bytes]":
        assert PROGRAM is not None
        command = [PROGRAM, "--retries", "1", *args]
        return subprocess.run(
            command, env=self.environment, input=stdin or b"", capture_output=True, timeout=120, check=False
        )
