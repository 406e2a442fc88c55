"""Claims about the process, its folder and its manners on the wire."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.emulator.conftest import Drive, Launch

HTTP_ERRORS = (httpx.TransportError,)


def start(*options: str) -> tuple[int, str]:
    """Run the command to its end; return exit code and standard error."""
    ended = subprocess.run(
        [sys.executable, "-m", "runner.emulator", *options], capture_output=True, timeout=20, check=False
    )
    return ended.returncode, ended.stderr.decode()


def test_discovery_names_the_address_that_was_used(drive: Drive) -> None:
    port = drive.http.base_url.port
    path = f"http://127.0.0.1:{port}/drive/v1/account/endpoint"
    headers = {"Authorization": f"Bearer {drive.token}"}

    bases = {
        host: httpx.get(path, headers=headers | {"Host": host}).json()["metadataUrl"]
        for host in (f"localhost:{port}", "drive.amazonaws.com", "bad host/x", "nas.local:8080")
    }

    assert bases == {
        f"localhost:{port}": f"http://localhost:{port}/drive/v1/",
        "drive.amazonaws.com": f"{drive.url}drive/v1/",
        "bad host/x": f"{drive.url}drive/v1/",
        "nas.local:8080": "http://nas.local:8080/drive/v1/",
    }


def test_account_calls_answer(drive: Drive) -> None:
    info = drive.get("drive/v1/account/info").json()
    quota = drive.get("drive/v1/account/quota").json()
    usage = drive.get("drive/v1/account/usage").json()

    assert info == {"termsOfUse": "1.0.0", "status": "ACTIVE"}
    assert quota["quota"] == 100 << 30
    assert set(usage) == {"lastCalculated", "other", "doc", "photo", "video"}


def test_repeated_slashes_count_as_one(drive: Drive) -> None:
    answer = drive.http.get(f"{drive.url}drive//v1///nodes/{drive.root}//children")

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "drive/v1/nothing", 404),
        ("GET", "", 404),
        ("GET", "cdproxy/resume?localId=x", 404),
        ("PUT", "drive/v1/nodes", 405),
        ("GET", "drive/v1/nodes/%ff", 400),
        ("GET", "drive/v1/nodes?filters=%ff", 400),
        ("GET", "drive/v1/nodes?" + "a=b&" * 1000, 400),
        ("GET", "drive/v1/nodes/..%2f..%2fetc", 404),
        ("GET", "drive/v1/nodes?filters=" + "a" * 60_000, 400),
        ("PATCH", "drive/v1/nodes/x", 404),
    ],
)
def test_an_odd_request_has_a_plain_answer(drive: Drive, method: str, path: str, status: int) -> None:
    answer = drive.http.request(method, path)

    assert answer.status_code == status
    assert re.fullmatch(r"[0-9a-f-]{36}", answer.headers["x-amzn-RequestId"])
    assert "Traceback" not in answer.text


def test_a_long_json_body_is_refused(drive: Drive) -> None:
    answer = drive.http.post("drive/v1/nodes", content=b'{"name":"' + b"x" * (2 << 20) + b'"}')

    assert answer.status_code == 400


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01",
        b"NONSENSE\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
        b"GET /?" + b"y" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
def test_what_is_not_http_is_answered_400_and_closed(drive: Drive, sent: bytes) -> None:
    with socket.create_connection(
        (drive.http.base_url.host, drive.http.base_url.port or 0), timeout=5
    ) as wire:
        wire.sendall(sent)
        wire.shutdown(socket.SHUT_WR)
        got = b"".join(iter(lambda: wire.recv(65536), b""))

    assert got == b"" or (got.startswith(b"HTTP/1.") and b" 400 " in got and b"x-amzn-RequestId" in got)


@pytest.mark.parametrize(
    "pieces",
    [[b'5\r\n{"na\r\nzz\r\n'], [b'5\r\n{"na', b"\r\nzz\r\n"], [b"zz\r\n"], [b"5\r\nabcde\r\n", b"zz\r\n"]],
)
@pytest.mark.parametrize("at_once", [True, False])
def test_a_broken_chunk_is_refused_without_waiting(drive: Drive, pieces: list[bytes], at_once: bool) -> None:
    head = b"POST /drive/v1/nodes HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
    sent = [head + b"Authorization: Bearer %s\r\n\r\n" % drive.token.encode(), *pieces]

    with socket.create_connection(
        (drive.http.base_url.host, drive.http.base_url.port or 0), timeout=5
    ) as wire:
        for piece in [b"".join(sent)] if at_once else sent:
            wire.sendall(piece)
            time.sleep(0.02)
        got = b"".join(iter(lambda: wire.recv(65536), b""))

    assert got.count(b"HTTP/1.") == got.count(b" 400 ") == 1


def test_what_was_answered_survives_a_kill(launch: Launch) -> None:
    drive = launch()
    made: dict[str, bytes] = {}

    def upload(number: int) -> None:
        content = os.urandom(200_000 if number % 10 == 0 else 50)
        try:
            answer = drive.upload(f"file {number}", content)
            if answer.status_code == 201:
                made[answer.json()["id"]] = content
                if number % 3 == 0:
                    drive.overwrite(answer.json()["id"], content)
        except HTTP_ERRORS:
            return

    with ThreadPoolExecutor(16) as pool:
        uploads = pool.map(upload, range(2000))
        threading.Timer(0.5, drive.process.kill).start()
        list(uploads)
    drive.kill()
    after = launch()

    nodes = after.all(filters="kind:FILE")
    assert made
    assert set(made) <= {node["id"] for node in nodes}
    assert all(after.content(node_id) == content for node_id, content in list(made.items())[:50])
    assert after.contents() == {f"{node['id']}.{node['contentProperties']['version']}" for node in nodes}
    assert after.uploads_left() == []


def test_half_an_upload_is_swept_at_start(launch: Launch) -> None:
    drive = launch()
    lost = "A" * 22
    drive.kill()
    (drive.folder / "uploads" / "17").write_bytes(b"half")
    (drive.folder / "uploads" / "intent").write_text(f"{lost}.1\n../../x.1")
    (drive.folder / "content" / "AA").mkdir()
    (drive.folder / "content" / "AA" / f"{lost}.1").write_bytes(b"placed, never committed")

    after = launch()

    assert after.uploads_left() == []
    assert after.contents() == set()


def test_a_folder_serves_one_process(drive: Drive) -> None:
    code, said = start("--dir", str(drive.folder), "--port", "0")

    assert code == 2
    assert f"already served by another process (pid {drive.process.pid})" in said


def test_a_port_in_use_is_named(drive: Drive, tmp_path: Path) -> None:
    port = str(drive.http.base_url.port)

    code, said = start("--dir", str(tmp_path), "--port", port)

    assert code == 2
    assert f"cannot listen on 127.0.0.1 port {port}" in said


@pytest.mark.parametrize("below", ["file", "file/dir"])
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("in the way")

    code, said = start("--dir", str(tmp_path / below), "--port", "0")

    assert code == 2
    assert "cannot write to" in said
    assert "Traceback" not in said


def test_a_bad_fault_is_named(tmp_path: Path) -> None:
    code, said = start("--dir", str(tmp_path), "--fault", '{"do": "explode"}')

    assert code == 2
    assert "--fault: do must be one of" in said


def test_the_end_of_stdin_is_the_end(launch: Launch) -> None:
    drive = launch()
    drive.http.close()

    assert drive.process.stdin is not None
    drive.process.stdin.close()

    assert drive.process.wait(10) == 0


@pytest.mark.parametrize("ending", ["terminate", "interrupt"])
def test_a_signal_ends_it_quietly(launch: Launch, ending: str) -> None:
    drive = launch()

    if ending == "interrupt":
        drive.process.send_signal(2)
    said = drive.stop()

    assert (drive.process.returncode, said) == (0, "")


def test_the_ready_line_goes_to_a_descriptor_too(tmp_path: Path) -> None:
    reading, writing = os.pipe()

    process = subprocess.Popen(
        [sys.executable, "-m", "runner.emulator", "--dir", str(tmp_path), "--ready-fd", str(writing)],
        pass_fds=[writing],
        stdout=subprocess.PIPE,
    )
    os.close(writing)
    with os.fdopen(reading) as pipe:
        ready = json.loads(pipe.readline())
    process.terminate()
    said = process.communicate(timeout=10)[0].decode()

    assert ready["pid"] == process.pid
    assert said.startswith("serving ")
    assert ready["url"] in said


def test_importing_the_package_brings_nothing_heavy() -> None:
    code = (
        "import sys, runner.emulator; print([name for name in ('aiohttp', 'sqlite3') if name in sys.modules])"
    )

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout.decode()

    assert said.strip() == "[]"
