"""Claims about the proxy that leads unmodified clients to the emulator (acd-api §1 and §13.5)."""

import os
import re
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

pytest.importorskip("cryptography", reason="the intercept needs acdrun[intercept]")

from runner.emulator.certificates import HOSTS
from runner.emulator.intercept import Declined, read_head
from tests.emulator.conftest import Drive, Launch

DISCOVERY = "https://drive.amazonaws.com/drive/v1/account/endpoint"


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drive]:
    """One emulator with a proxy that tests share."""
    running = Drive(tmp_path_factory.mktemp("drive"), "--intercept")
    yield running
    assert running.stop() == ""


def client(drive: Drive) -> httpx.Client:
    """An HTTP client that goes through the proxy and trusts its authority only."""
    trusted = ssl.create_default_context(cafile=drive.ready["intercept"]["ca"])
    bearer = {"Authorization": f"Bearer {drive.token}"}
    return httpx.Client(proxy=drive.ready["intercept"]["proxy"], verify=trusted, headers=bearer, timeout=20)


def say(drive: Drive, text: bytes) -> bytes:
    """Send bytes to the proxy's port; return all that comes back until it ends the connection."""
    port = int(drive.ready["intercept"]["proxy"].rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as wire:
        wire.sendall(text)
        return b"".join(iter(lambda: wire.recv(65536), b""))


def test_discovery_names_an_address_that_needs_no_proxy(proxied: Drive) -> None:
    with client(proxied) as http:
        found = http.get(DISCOVERY).json()

    assert found["metadataUrl"] == f"{proxied.url}drive/v1/"
    assert found["contentUrl"] == f"{proxied.url}cdproxy/"


@pytest.mark.parametrize("host", HOSTS)
def test_each_of_amazons_hosts_leads_to_the_emulator(proxied: Drive, host: str) -> None:
    with client(proxied) as http:
        answer = http.get(f"https://{host}/drive/v1/nodes?filters=isRoot:true")

    assert answer.json()["data"][0]["id"] == proxied.root


@pytest.mark.parametrize(
    "target",
    [
        "example.com:443",
        "drive.amazonaws.com.example.com:443",
        "xdrive.amazonaws.com:443",
        "s3.amazonaws.com:443",
        "127.0.0.1:443",
        "localhost:443",
        "drive.amazonaws.com:80",
        "drive.amazonaws.com:8443",
    ],
)
def test_any_other_goal_is_refused_in_plain_words(proxied: Drive, target: str) -> None:
    said = say(proxied, f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())

    assert said.startswith(b"HTTP/1.1 403 ")
    assert b"served" in said.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (b"GET http://example.com/ HTTP/1.1\r\n\r\n", 403),
        (b"GET / HTTP/1.1\r\nHost: drive.amazonaws.com\r\n\r\n", 403),
        (b"GET http://drive.amazonaws.com@example.com/ HTTP/1.1\r\n\r\n", 403),
        (b"CONNECT drive.amazonaws.com HTTP/1.1\r\n\r\n", 400),
        (b"CONNECT [::1]:443 HTTP/1.1\r\n\r\n", 400),
        (b"hello\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400),
        (b"GET http://drive.amazonaws.com/ HTTP/1.1\r\nX: %s\r\n\r\n" % (b"x" * 20_000), 431),
    ],
)
def test_what_is_not_for_amazons_hosts_is_refused(proxied: Drive, text: bytes, status: int) -> None:
    said = say(proxied, text)

    assert said.startswith(b"HTTP/1.1 %d " % status)


def test_a_request_in_the_clear_is_the_last_of_its_connection(proxied: Drive) -> None:
    first = b"GET http://drive.amazonaws.com/drive/v1/account/info HTTP/1.1\r\nHost: drive.amazonaws.com\r\n"
    bearer = b"Authorization: Bearer %s\r\n" % proxied.token.encode()

    said = say(proxied, first + bearer + b"Connection: keep-alive\r\nProxy-Connection: keep-alive\r\n\r\n")

    assert said.startswith(b"HTTP/1.1 200 ")
    assert b"connection: close" in said.lower()


def test_content_streams_both_ways(proxied: Drive) -> None:
    content = os.urandom(9 << 20)
    metadata = '{"name":"big.bin","kind":"FILE"}'
    with client(proxied) as http:
        made = http.post(
            "https://content-na.drive.amazonaws.com/cdproxy/nodes?suppress=deduplication",
            files={"metadata": (None, metadata), "content": ("x", content)},
        ).json()

        back = http.get(f"https://content-eu.drive.amazonaws.com/cdproxy/nodes/{made['id']}/content")

    assert back.content == content


def test_a_cut_answer_is_cut_for_the_client_too(proxied: Drive) -> None:
    node = proxied.put("cut.bin", os.urandom(1 << 20))
    proxied.fault(match={"method": "GET", "path": "/cdproxy/nodes/{id}/content"}, do="cut", times=1)

    with client(proxied) as http, pytest.raises(httpx.TransportError):
        http.get(f"https://content-na.drive.amazonaws.com/cdproxy/nodes/{node}/content")


def test_administration_is_not_for_those_who_come_by_amazons_names(proxied: Drive) -> None:
    with client(proxied) as http:
        answer = http.get("https://drive.amazonaws.com/admin/faults")

    assert answer.status_code == 403


def test_a_client_that_does_not_know_the_authority_refuses(proxied: Drive) -> None:
    with (
        httpx.Client(proxy=proxied.ready["intercept"]["proxy"]) as http,
        pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        http.get(DISCOVERY)

    assert proxied.get("drive/v1/account/info").status_code == 200


@pytest.mark.parametrize(
    "line", [b"CONNECT drive.amazonaws.com:443 HTTP/1.0", b"CONNECT DRIVE.AmazonAWS.com:443 HTTP/1.1"]
)
def test_a_tunnel_is_asked_for_in_either_version_and_any_case(line: bytes) -> None:
    assert read_head(line + b"\r\n\r\n") is None


@pytest.mark.parametrize("port", ["0443", "443443", "99999", "-1"])
def test_a_port_that_is_none_is_refused(port: str) -> None:
    with pytest.raises(Declined):
        read_head(f"CONNECT drive.amazonaws.com:{port} HTTP/1.1\r\nA: b\r\n\r\n".encode())


def test_open_tunnels_do_not_hold_up_the_end(launch: Launch) -> None:
    drive = launch("--intercept")
    with client(drive) as http:
        http.get(DISCOVERY)
        began = time.monotonic()

        errors = drive.stop()

    assert errors == ""
    assert time.monotonic() - began < 5


def test_the_intercept_is_for_this_machine_alone(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "runner.emulator", "--dir", str(tmp_path / "d"), "--host", "0.0.0.0"]

    ended = subprocess.run([*command, "--intercept"], capture_output=True, text=True, timeout=20, check=False)

    assert ended.returncode == 2
    assert "loopback" in ended.stderr


def test_without_the_library_a_sentence_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['cryptography'] = None; from runner.emulator import main; sys.exit(main())"
    )

    ended = subprocess.run(
        [sys.executable, "-c", code, "--dir", str(tmp_path / "d"), "--intercept"],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )

    assert ended.returncode == 2
    assert "acdrun[intercept]" in ended.stderr


def test_people_are_told_what_to_paste(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "runner.emulator",
        "--dir",
        str(tmp_path / "d"),
        "--intercept",
        "--watch-stdin",
    ]

    ended = subprocess.run(command, input="", capture_output=True, text=True, timeout=20, check=False)

    told = dict(re.findall(r"^export (\w+)=(\S+)$", ended.stdout, re.MULTILINE))
    assert told["HTTPS_PROXY"].startswith("http://127.0.0.1:")
    assert Path(told["RCLONE_CA_CERT"]).read_bytes().startswith(b"-----BEGIN CERTIFICATE-----")
    assert {"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"} <= set(told)
    assert "[acd]\ntype = amazon cloud drive\n" in ended.stdout
    assert "Atzr|" in ended.stdout
