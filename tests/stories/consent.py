"""A drive that asks for consent, the browser that gives it, and the machine of whom it belongs to."""

import json
import secrets as chance
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.stories.conftest import Machine, Said

SECRET = f"canary-{chance.token_hex(8)}"
"""Of this process alone: other tests put theirs among arguments, to see them refused."""

BROWSER = """\
#!{python}
import html, json, re, sys
from urllib.parse import urljoin
import httpx

url, seen = sys.argv[1], []
hooks = {{"request": [lambda request: seen.append(str(request.url))]}}
with httpx.Client(follow_redirects=True, trust_env=False, event_hooks=hooks) as client:
    page = client.get(url)
    if "<form" in page.text:
        fields = dict(re.findall(r'name="([^"]*)" value="([^"]*)"', page.text))
        data = {{name: html.unescape(value) for name, value in fields.items()}}
        page = client.post(urljoin(url, "/ap/oa"), data=data)
with open({report!r}, "w") as file:
    json.dump({{"seen": seen, "page": page.text, "headers": dict(page.headers)}}, file)
"""


@dataclass(frozen=True)
class Service:
    """A drive of its own process, its log, and the machine of a user of it."""

    machine: Machine
    url: str
    log: Path

    @property
    def report(self) -> Path:
        """What the browser saw."""
        return self.machine.home / "browser.json"

    @property
    def token_file(self) -> Path:
        """Where the token is kept."""
        return self.machine.state / "tokens" / "cloud.json"

    @property
    def token(self) -> dict[str, str]:
        """The token as it is kept."""
        kept: dict[str, str] = json.loads(self.token_file.read_text())
        return kept

    def browser(self) -> str:
        """A browser that gives consent and comes back, to be named in BROWSER."""
        path = self.machine.home / "browser"
        path.write_text(BROWSER.format(python=sys.executable, report=str(self.report)))
        path.chmod(0o755)
        return str(path)

    def configure(self) -> None:
        """Make the remote `cloud`, its secret in the environment."""
        fields = [f"server={self.url}", "client_id=my-application", "client_secret=env:CLIENT_SECRET"]
        said = self.machine.acdrun("config", "create", "cloud", "acd", *fields)
        assert said.code == 0, said.err

    def acdrun(self, *args: str, **more: str) -> Said:
        """Call the program with the secret in its environment and the browser at hand."""
        return self.machine.acdrun(*args, CLIENT_SECRET=SECRET, BROWSER=self.browser(), **more)

    def login(self, *args: str) -> Said:
        """`acdrun login cloud`, on a port that is free."""
        return self.acdrun("login", "cloud", "--port", str(free_port()), *args)

    def token_requests(self) -> int:
        """How often the token endpoint was asked."""
        return self.log.read_text().count("/auth/o2/token")

    def age(self) -> None:
        """Let the kept token be past its time."""
        self.token_file.write_text(json.dumps({**self.token, "expiry": "2001-01-01T00:00:00Z"}))


def free_port() -> int:
    """A port that nobody listens on: other tests log in at the same time."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@contextmanager
def drive(machine: Machine, *options: str) -> Iterator[Service]:
    """Serve a drive."""
    log = machine.home / "drive.log"
    command = [sys.executable, "-m", "runner.emulator", "--dir", str(machine.home / "drive"), "--port", "0"]
    with log.open("w") as errors:
        process = subprocess.Popen(
            [*command, "--ready-json", "--watch-stdin", "--verbose", *options],
            env=machine.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
        )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield Service(machine, json.loads(process.stdout.readline())["url"].rstrip("/"), log)
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(timeout=20)
