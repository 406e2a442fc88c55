"""`acdrun emulator --intercept` as a process, and what a stranger's client is told about it."""

import json
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

CHECKOUT = Path(__file__).parents[2]
Json = dict[str, Any]


@dataclass(frozen=True)
class Served:
    """A running emulator. ready: its ready line; http: a client with a token, for what peers cannot see."""

    folder: Path
    ready: Json
    http: httpx.Client

    @property
    def environment(self) -> dict[str, str]:
        """The variables that the command says to set, and nothing else but the path."""
        told: dict[str, str] = self.ready["intercept"]["environment"]
        return {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TZ": "UTC"} | told

    def browser(self) -> httpx.Client:
        """A browser behind the proxy, which trusts nobody but the throw-away authority."""
        trusted = ssl.create_default_context(cafile=self.ready["intercept"]["ca"])
        proxied = httpx.HTTPTransport(proxy=self.ready["intercept"]["proxy"], verify=trusted)
        return httpx.Client(mounts={"https://": proxied}, trust_env=False, timeout=30)

    def nodes(self, filters: str) -> list[Json]:
        """Every node that a filter finds."""
        found: list[Json] = []
        token: str | None = None
        while True:
            parameters = {"filters": filters} | ({"startToken": token} if token else {})
            page = self.http.get("drive/v1/nodes", params=parameters).raise_for_status().json()
            found += page["data"]
            token = page.get("nextToken")
            if not token:
                return found

    def new_token(self) -> Json:
        """A token made by the command, while another process serves the folder."""
        command = [sys.executable, "-m", "runner", "emulator", "token", "--dir", str(self.folder)]
        said = subprocess.run(command, cwd=CHECKOUT, capture_output=True, check=True, timeout=60)
        made: Json = json.loads(said.stdout)
        return made

    def fault(self, **rule: Any) -> None:
        """Add a fault rule."""
        self.http.post("admin/faults", json=rule).raise_for_status()

    def counts(self) -> dict[str, int]:
        """How many requests came, by method and route."""
        found: dict[str, int] = self.http.get("admin/counts").raise_for_status().json()["requests"]
        return found


@contextmanager
def served(folder: Path, *options: str) -> Iterator[Served]:
    """Run the emulator with its proxy in a folder; both take any port."""
    process = subprocess.Popen(
        [sys.executable, "-m", "runner", "emulator", "--dir", str(folder), "--intercept",
         "--ready-json", "--issue-token", "--watch-stdin", *options],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(CHECKOUT)},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        ready = json.loads(process.stdout.readline())
        bearer = {"Authorization": f"Bearer {ready['token']['access_token']}"}
        with httpx.Client(base_url=ready["url"], headers=bearer, timeout=30, trust_env=False) as http:
            yield Served(folder, ready, http)
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(timeout=20)
