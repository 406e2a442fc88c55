"""An emulator of its own for a case: its requests counted, its content checked."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from benches.lab import Lab
from benches.measure import Wrong

CHECKOUT = Path(__file__).resolve().parents[2]
Json = dict[str, Any]


class Drive:
    """A running emulator. ready: what it said of itself."""

    def __init__(self, ready: Json) -> None:
        self.ready = ready
        self._http = HTTPConnection(urlsplit(ready["url"]).netloc, timeout=60)

    @property
    def remotes(self) -> Json:
        """The remote `cloud` of a manifest."""
        auth = {"token": {"env": "ACD_TOKEN"}}
        return {"cloud": {"type": "amazon cloud drive", "server": self.ready["url"], "auth": auth}}

    @property
    def token(self) -> str:
        """The token as acdrun and rclone take it."""
        return json.dumps(self.ready["token"])

    def configure(self, home: Path) -> dict[str, str]:
        """Write rclone's remote `acd` below its home; return the variables it needs."""
        (home / "rclone.conf").write_text(self.ready["intercept"]["rclone"])
        told: dict[str, str] = self.ready["intercept"]["environment"]
        return told

    def counted(self) -> int:
        """How many requests came since this was asked last."""
        total = int(self._call("GET", "/admin/counts")["total"])
        self._call("DELETE", "/admin/counts")
        return total

    def late(self, seconds: float) -> None:
        """Let each answer wait so long from now on."""
        self._call("POST", "/admin/faults", {"do": "slow", "seconds": seconds})

    def prompt(self) -> None:
        """Let no answer wait any more."""
        self._call("DELETE", "/admin/faults")

    def stored(self, folder: str) -> str:
        """How many files stand below a folder of the root, and a digest as that of `trees.py stored`."""
        root = self._nodes("isRoot:true")[0]["id"]
        tops = [node for node in self._nodes(f'parents:"{root}" AND kind:FOLDER') if node["name"] == folder]
        count, total, folders = 0, 0, [("", top["id"]) for top in tops]
        while folders:
            above, parent = folders.pop()
            for node in self._nodes(f'parents:"{parent}"'):
                name = f"{above}{node['name']}"
                if node["kind"] == "FOLDER":
                    folders.append((f"{name}/", node["id"]))
                    continue
                content = node["contentProperties"]
                line = f"{name} {content['size']} {content['md5']}"
                one = int.from_bytes(hashlib.sha256(line.encode()).digest()[:16], "big")
                count, total = count + 1, (total + one) % (1 << 128)
        return f"{count} {total:032x}"

    def _nodes(self, filters: str) -> list[Json]:
        found: list[Json] = []
        page: Json = {"nextToken": ""}
        while "nextToken" in page:
            more = f"&startToken={quote(page['nextToken'])}" if page["nextToken"] else ""
            page = self._call("GET", f"/drive/v1/nodes?filters={quote(filters)}{more}")
            found += page["data"]
        return found

    def _call(self, method: str, target: str, body: Json | None = None) -> Json:
        bearer = {"Authorization": f"Bearer {self.ready['token']['access_token']}"}
        self._http.request(method, target, json.dumps(body) if body is not None else None, bearer)
        answer = self._http.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise Wrong(f"the emulator answered {answer.status} to {method} {target}: {text!r}")
        return json.loads(text) if text else {}


@contextmanager
def served(lab: Lab, folder: Path) -> Iterator[Drive]:
    """Serve a drive from a folder; with a proxy for rclone where that is there."""
    words = ["--dir", str(folder), "--ready-json", "--issue-token", "--watch-stdin"]
    if lab.rclone_old is not None:
        words.append("--intercept")
    with subprocess.Popen(
        [sys.executable, "-m", "runner.emulator", *words],
        cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            if not line:
                raise Wrong("the emulator did not start")
            yield Drive(json.loads(line))
        finally:
            process.stdin.close()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
