"""A man in the middle: passes requests on to an emulator, and answers the chosen ones in its own way."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True)
class Said:
    """An answer. headers: names as they came."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)

    def saying(self, body: Any) -> "Said":
        """The same answer with another body, of JSON unless it is bytes."""
        return Said(self.status, self.headers, body if isinstance(body, bytes) else json.dumps(body).encode())


@dataclass(frozen=True)
class Asked:
    """A request. path: decoded, with its query; number: how many of this method and path came, from 1."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    number: int
    pass_on: Callable[[bytes], Said]

    def real(self) -> Said:
        """What the emulator answers."""
        return self.pass_on(self.body)


Rule = Callable[[Asked], "Said | bytes | None"]
"""What comes back instead: a proper answer, or bytes as they are, after which the connection ends. None
lets the emulator answer."""


@dataclass
class Between:
    """url: for the manifest; rule: may be changed while it runs; seen: method and path of all that came."""

    url: str
    rule: Rule = lambda asked: None
    seen: list[str] = field(default_factory=list)

    def count(self, start: str) -> int:
        """How many requests begin like that."""
        return sum(one.startswith(start) for one in self.seen)


@contextmanager
def between(emulator: str, rule: Rule = lambda asked: None) -> Iterator[Between]:
    """Stand between the program and the emulator at that address."""
    goal = urlsplit(emulator)
    stage = Between("", rule)
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, format: str, *args: object) -> None:
            """Stay quiet."""

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            line = f"{self.command} {unquote(self.path)}"
            with lock:
                stage.seen.append(line)
                number = stage.seen.count(line)
            headers = dict(self.headers.items())

            def pass_on(body: bytes) -> Said:
                connection = HTTPConnection(goal.hostname or "", goal.port, timeout=30)
                sent = {name: value for name, value in headers.items() if name != "Content-Length"}
                connection.request(self.command, self.path, body or None, sent)
                answer = connection.getresponse()
                left_out = _OF_THE_HOP - ({"Content-Length"} if self.command == "HEAD" else set())
                kept = {name: value for name, value in answer.getheaders() if name not in left_out}
                said = Said(answer.status, kept, answer.read())
                connection.close()
                return said

            asked = Asked(self.command, unquote(self.path), headers, body, number, pass_on)
            said = stage.rule(asked)
            if isinstance(said, bytes):
                self.connection.sendall(said)
                self._hang_up()
                return
            said = said or asked.real()
            self.send_response_only(said.status)
            for name, value in {"Content-Length": str(len(said.body)), **said.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(said.body)

        def _hang_up(self) -> None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_WR)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    stage.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield stage
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


_OF_THE_HOP = {"Content-Length", "Transfer-Encoding", "Connection", "Date"}


@contextmanager
def listener() -> Iterator[tuple[str, list[bytes]]]:
    """Somebody else's server: its address, and the first bytes of every connection that was made to it."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        over = threading.Event()

        def listen() -> None:
            server.settimeout(0.05)
            while not over.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                with connection:
                    heard.append(b"")
                    connection.settimeout(1)
                    heard[-1] = connection.recv(65536)

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}", heard
        finally:
            over.set()
            thread.join()


def listing(asked: Asked) -> bool:
    """Is a folder listed?"""
    return asked.method == "GET" and "/nodes?" in asked.path and "parents:" in asked.path


def page_of(asked: Asked) -> Said | None:
    """The page of a listing, if it is one of a folder that holds `old.jpg` or `kept.jpg`."""
    if listing(asked) and "name:" not in asked.path:
        said = asked.real()
        if any(node["name"] in ("old.jpg", "kept.jpg") for node in said.json.get("data", [])):
            return said
    return None


def raw(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """An answer as it goes over the wire."""
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode() + body
