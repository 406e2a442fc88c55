"""Real emulator processes on ports of their own, and a small client to talk to them."""

import json
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

Json = dict[str, Any]
Launch = Callable[..., "Drive"]
BOUNDARY = "b1b2b3"


class Drive:
    """A running emulator, with a token for it."""

    def __init__(self, folder: Path, *options: str) -> None:
        """Start `python -m runner.emulator` on any port and wait for its ready line."""
        command = [sys.executable, "-m", "runner.emulator", "--dir", str(folder), "--port", "0"]
        self.process = subprocess.Popen(
            [*command, "--ready-json", "--issue-token", "--watch-stdin", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        self.folder = folder
        self.ready: Json = json.loads(self.process.stdout.readline())
        self.url: str = self.ready["url"]
        self.token: str = self.ready["token"]["access_token"]
        self.http = httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=20,
            limits=httpx.Limits(max_connections=100),
        )
        self.root: str = self.get("drive/v1/nodes", filters="isRoot:true").json()["data"][0]["id"]

    def get(self, path: str, **params: str) -> httpx.Response:
        """GET with query parameters."""
        return self.http.get(path, params=params)

    def send(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """Send a JSON body, with no Content-Type, as known clients do."""
        return self.http.request(method, path, content=b"" if body is None else json.dumps(body))

    def all(self, path: str = "drive/v1/nodes", **params: str) -> list[Json]:
        """Read all pages of a list."""
        found: list[Json] = []
        while True:
            page = self.get(path, **params)
            assert page.status_code == 200, page.text
            found += page.json()["data"]
            if "nextToken" not in page.json():
                return found
            params["startToken"] = page.json()["nextToken"]

    def names(self, parent: str, **params: str) -> list[str]:
        """List the names in a folder, sorted."""
        return sorted(node["name"] for node in self.all(f"drive/v1/nodes/{parent}/children", **params))

    def mkdir(self, name: str, parent: str | None = None) -> str:
        """Make a folder; return its id."""
        body = {"name": name, "kind": "FOLDER", "parents": [parent or self.root]}
        answer = self.send("POST", "drive/v1/nodes", body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def upload(
        self,
        name: str,
        content: bytes,
        parent: str | None = None,
        query: str = "suppress=deduplication",
        **more: Any,
    ) -> httpx.Response:
        """Upload a file in one multipart body."""
        metadata = {"name": name, "kind": "FILE", "parents": [parent or self.root], **more}
        return self.post_form(form(metadata, content), query)

    def post_form(self, body: Any, query: str = "suppress=deduplication") -> httpx.Response:
        """POST a ready-made multipart body."""
        headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        return self.http.post(f"cdproxy/nodes?{query}", content=body, headers=headers)

    def put(self, name: str, content: bytes, parent: str | None = None) -> str:
        """Upload a file; return its id."""
        answer = self.upload(name, content, parent)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def overwrite(self, node_id: str, content: bytes) -> httpx.Response:
        """Give a file new content."""
        headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        return self.http.put(f"cdproxy/nodes/{node_id}/content", content=form(None, content), headers=headers)

    def node(self, node_id: str) -> Json:
        """Read one node."""
        answer = self.get(f"drive/v1/nodes/{node_id}")
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    def content(self, node_id: str) -> bytes:
        """Download a file."""
        answer = self.get(f"cdproxy/nodes/{node_id}/content")
        assert answer.status_code == 200, answer.text
        return answer.content

    def fault(self, **rule: Any) -> None:
        """Add a fault rule."""
        answer = self.http.post("admin/faults", json=rule)
        assert answer.status_code == 201, answer.text

    def counts(self) -> dict[str, int]:
        """Read how many requests came."""
        found: dict[str, int] = self.get("admin/counts").json()["requests"]
        return found

    def uploads_left(self) -> list[str]:
        """List temporary files."""
        return [path.name for path in (self.folder / "uploads").iterdir() if path.name != "intent"]

    def contents(self) -> set[str]:
        """List content files."""
        return {path.name for path in (self.folder / "content").glob("*/*")}

    def kill(self) -> None:
        """End the process as a crash would."""
        self.http.close()
        self.process.kill()
        self.process.communicate()

    def stop(self) -> str:
        """End the process as a user would; return what it wrote to standard error."""
        self.http.close()
        if self.process.poll() is None:
            self.process.terminate()
        if self.process.stdin is not None and self.process.stdin.closed:
            self.process.stdin = None
        return self.process.communicate(timeout=10)[1].decode()


def form(metadata: Json | None, content: bytes) -> bytes:
    """Write a multipart body as rclone does."""
    head = b""
    if metadata is not None:
        head = b'--%s\r\nContent-Disposition: form-data; name="metadata"\r\n\r\n%s\r\n' % (
            BOUNDARY.encode(),
            json.dumps(metadata).encode(),
        )
    return (
        head
        + b"--%s\r\n" % BOUNDARY.encode()
        + b'Content-Disposition: form-data; name="content"; filename="foo"\r\n'
        + b"Content-Type: application/octet-stream\r\n\r\n"
        + content
        + b"\r\n--%s--\r\n" % BOUNDARY.encode()
    )


@pytest.fixture(scope="session")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drive]:
    """One emulator that tests share; each works in a folder of its own."""
    running = Drive(tmp_path_factory.mktemp("drive"))
    yield running
    assert running.stop() == ""


@pytest.fixture
def folder(drive: Drive) -> str:
    """A fresh folder in the shared emulator."""
    return drive.mkdir(secrets.token_hex(8))


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launch]:
    """Start emulators of one's own; by default always in the same folder."""
    with ExitStack() as running:

        def start(*options: str, folder: Path = tmp_path / "drive") -> Drive:
            started = Drive(folder, *options)
            running.callback(started.stop)
            return started

        yield start
