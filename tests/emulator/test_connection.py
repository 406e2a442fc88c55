"""Claims about connections: whichever way a request is answered, and however it comes, its client sees one server."""

import asyncio
import json
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Iterator
from http.client import HTTPResponse
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.emulator.database import Database, Transaction
from runner.emulator.nodes import check_name, create
from tests.emulator.conftest import Drive, form

# What is asked, and the status of its answer.
ASKED = {
    "node": ("GET /drive/v1/nodes/{root}", b"", 200),
    "nobody": ("GET /drive/v1/nodes/AAAAAAAAAAAAAAAAAAAAAA", b"", 404),
    "list": ("GET /drive/v1/nodes/{root}/children?limit=1", b"", 200),
    "feed": ("POST /drive/v1/changes", b'{"maxNodes": 1}', 200),
    "file": ("GET /cdproxy/nodes/{file}/content", b"", 200),
    "file's head": ("HEAD /cdproxy/nodes/{file}/content", b"", 200),
    "upload": ("POST /cdproxy/nodes?suppress=deduplication", b"small", 201),
    "long upload": ("POST /cdproxy/nodes?suppress=deduplication", b"x" * 150_000, 201),
    "second": ("POST /cdproxy/nodes", b"broken form", 400),
    "nothing": ("DELETE /admin/counts", b"", 204),
    "twice": ("POST /drive/v1/nodes/{root}/children", b"[]", 400),
}
HOW = st.sampled_from(["measured", "chunked", "in small chunks"])


class Talk:
    """One connection, by hand."""

    def __init__(self, drive: Drive) -> None:
        """Connect."""
        self._drive = drive
        self._wire = socket.create_connection(
            (drive.http.base_url.host, drive.http.base_url.port or 0), timeout=5
        )

    def request(self, line: str, body: bytes, how: str = "measured") -> bytes:
        """Write a request."""
        head = f"{line} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self._drive.token}\r\n"
        if b"form-data" in body or body == b"broken form":
            head += "Content-Type: multipart/form-data; boundary=b1b2b3\r\n"
        if how == "measured" or not body:
            return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        step = 5 if how == "in small chunks" and len(body) < 1000 else 4000
        chunks = (body[start : start + step] for start in range(0, len(body), step))
        wrapped = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
        return f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + wrapped + b"0\r\n\r\n"

    def send(self, data: bytes) -> None:
        """Send some bytes, in a packet of their own if the machine pleases."""
        self._wire.sendall(data)

    def answer(self, method: str = "GET") -> tuple[int, bytes]:
        """Read the next answer."""
        found = HTTPResponse(_Kept(self._wire), method=method)  # type: ignore[arg-type]
        found.begin()
        return found.status, found.read()

    def close(self) -> None:
        """Hang up."""
        self._wire.close()


class _Kept:
    """A socket read byte by byte, so that no answer's reader takes bytes of the next one."""

    def __init__(self, wire: socket.socket) -> None:
        self._wire = wire

    def makefile(self, _: str) -> object:
        """Give a reader without a buffer that reads ahead."""
        return self._wire.makefile("rb", buffering=0)


@pytest.fixture
def talk(drive: Drive) -> Iterator[Talk]:
    """One connection to the shared drive."""
    made = Talk(drive)
    yield made
    made.close()


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    asked=st.lists(st.tuples(st.sampled_from(sorted(ASKED)), HOW), min_size=1, max_size=6),
    cuts=st.lists(st.integers(0, 3000), max_size=6),
)
def test_answers_come_in_order_however_requests_are_cut(
    drive: Drive, asked: list[tuple[str, str]], cuts: list[int]
) -> None:
    folder = drive.mkdir(secrets.token_hex(8))
    names = {"{root}": folder, "{file}": drive.put("file", b"0123456789", folder)}
    talk, sent = Talk(drive), b""
    for number, (what, how) in enumerate(asked):
        line, body, _ = ASKED[what]
        for name, value in names.items():
            line = line.replace(name, value)
        if "upload" in what:
            body = form({"name": f"{number}", "parents": [folder]}, body)
        sent += talk.request(line, body, how)

    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(sent)], strict=True):
        talk.send(sent[start:end])
        time.sleep(0.001)
    answers = [talk.answer(ASKED[what][0].partition(" ")[0])[0] for what, _ in asked]
    talk.close()

    assert answers == [ASKED[what][2] for what, _ in asked]
    uploads = {f"{number}" for number, (what, _) in enumerate(asked) if "upload" in what}
    assert set(drive.names(folder)) == uploads | {"file"}


def test_a_body_that_stalls_is_waited_for(drive: Drive, folder: str, talk: Talk) -> None:
    sent = talk.request("POST /cdproxy/nodes", form({"name": "x", "parents": [folder]}, folder.encode()))

    talk.send(sent[:-10])
    time.sleep(0.3)  # longer than a short request is waited for before its body is read as it comes
    talk.send(sent[-10:])

    assert talk.answer()[0] == 201
    assert drive.names(folder) == ["x"]


def test_what_follows_nonsense_is_not_answered(drive: Drive, talk: Talk) -> None:
    good = talk.request(f"GET /drive/v1/nodes/{drive.root}", b"")

    talk.send(good)
    first = talk.answer()[0]
    talk.send(b"NONSENSE\r\n\r\n" + good)

    assert (first, talk.answer()[0]) == (200, 400)
    with pytest.raises(ConnectionError):
        talk.answer()


@pytest.mark.parametrize("module", ["uvloop", ""])
def test_the_loop_of_the_standard_library_serves_too(tmp_path: Path, module: str) -> None:
    code = (
        f"import sys; sys.modules[{module!r}] = None\n"
        "from runner.emulator import main; sys.exit(main(sys.argv[1:]))"
    )
    options = ["--dir", str(tmp_path), "--ready-json", "--issue-token", "--watch-stdin"]

    with subprocess.Popen(
        [sys.executable, "-c", code, *options],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        bearer = {
            "Authorization": f"Bearer {ready['token']['access_token']}",
            "Content-Type": "multipart/form-data; boundary=b1b2b3",
        }
        with httpx.Client(base_url=ready["url"], headers=bearer) as http:
            node = http.post("cdproxy/nodes", content=form({"name": "x"}, b"0123456789")).json()
            content = http.get(f"cdproxy/nodes/{node['id']}/content").content
        said = process.communicate(timeout=10)[1]

    assert (content, process.returncode, said) == (b"0123456789", 0, b"")


def test_a_change_that_fails_half_done_leaves_nothing_and_harms_nobody(tmp_path: Path) -> None:
    outcomes, names, used = asyncio.run(commit_with_a_bad_change(tmp_path))

    assert [type(outcome).__name__ for outcome in outcomes] == ["str", "ValueError", "Refused", "str"]
    assert names == ["good 1", "good 2"]
    assert used == 0


async def commit_with_a_bad_change(folder: Path) -> tuple[list[object], list[str], int]:
    """Commit four changes together; one fails after it has written, one before."""
    database = Database(folder)

    def make(name: str) -> Awaitable[str]:
        def change(tx: Transaction) -> str:
            check_name(name)
            node = create(tx, "FOLDER", {"name": name}, "me", local_id="", lag_ms=0)
            if name == "bad":
                tx.used += 5
                raise ValueError
            return node

        return database.write(change)

    changes = (make(name) for name in ("good 1", "bad", "", "good 2"))
    outcomes = await asyncio.gather(*changes, return_exceptions=True)
    sql = "SELECT name FROM node WHERE name IS NOT NULL ORDER BY name"
    names = [row[0] for row in database.near.execute(sql)]
    await database.close()
    return list(outcomes), names, database.used
