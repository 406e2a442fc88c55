"""Claims about uploads, overwrites and downloads (acd-api §8)."""

import asyncio
import hashlib
import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import pairwise

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.emulator.answers import Refused
from runner.emulator.multipart import Upload
from runner.emulator.shelf import Shelf
from tests.emulator.conftest import BOUNDARY, Drive, Launch, form


def test_an_upload_in_single_bytes_with_an_epilogue_arrives_whole(drive: Drive, folder: str) -> None:
    content = b"\r\n--b1b2b\r\n--b1b2b3x\r\n-"
    body = form({"name": "x", "kind": "FILE", "parents": [folder]}, content)
    body += b"multipart/form-data; boundary=b1b2b3"

    answer = drive.post_form(body[i : i + 1] for i in range(len(body)))

    assert answer.status_code == 201
    assert answer.json()["contentProperties"]["md5"] == hashlib.md5(content).hexdigest()
    assert drive.content(answer.json()["id"]) == content


def test_an_empty_file_is_a_file(drive: Drive, folder: str) -> None:
    chunked = drive.post_form(iter([form({"name": "a", "parents": [folder]}, b"")]))
    measured = drive.upload("b", b"", folder, query="")

    assert [answer.status_code for answer in (chunked, measured)] == [201, 201]
    assert measured.json()["contentProperties"]["md5"] == "d41d8cd98f00b204e9800998ecf8427e"
    assert drive.content(measured.json()["id"]) == b""


def test_a_large_file_goes_through_a_temporary_one(drive: Drive, folder: str) -> None:
    content = os.urandom(3_000_000)

    node = drive.put("large", content, folder)

    assert drive.content(node) == content
    assert drive.uploads_left() == []


def test_equal_content_is_refused_unless_that_is_suppressed(drive: Drive, folder: str) -> None:
    first = drive.put("first", folder.encode(), folder)

    refused = drive.upload("second", folder.encode(), folder, query="")
    allowed = drive.upload("second", folder.encode(), folder)

    assert refused.status_code == 409
    assert refused.json()["info"] == {"nodeId": first}
    assert allowed.status_code == 201


def test_a_taken_name_comes_before_equal_content(drive: Drive, folder: str) -> None:
    drive.put("x", folder.encode(), folder)

    answer = drive.upload("x", folder.encode(), folder, query="")

    assert answer.json()["code"] == "NAME_ALREADY_EXISTS"


def test_an_overwrite_keeps_id_name_and_parents(drive: Drive, folder: str) -> None:
    before = drive.node(drive.put("x.txt", b"old", folder))

    after = drive.overwrite(before["id"], b"newer").json()

    assert [after[key] for key in ("id", "name", "parents")] == [
        before[key] for key in ("id", "name", "parents")
    ]
    assert (after["version"], after["contentProperties"]["version"]) == (2, 2)
    assert after["contentProperties"]["size"] == 5
    assert drive.content(before["id"]) == b"newer"
    assert {name for name in drive.contents() if name.startswith(before["id"])} == {f"{before['id']}.2"}


def test_overwriting_takes_a_file_that_is_there(drive: Drive, folder: str) -> None:
    answers = [drive.overwrite("PPPPPPPPPPPPPPPPPPPPPP", b"x"), drive.overwrite(folder, b"x")]

    assert [answer.status_code for answer in answers] == [404, 400]


META = b'--b1b2b3\r\nContent-Disposition: form-data; name="metadata"\r\n\r\n'
CONTENT = b'--b1b2b3\r\nContent-Disposition: form-data; name="content"; filename="x"\r\n\r\n'
GOOD = b'{"name":"hostile","kind":"FILE"}\r\n'
END = b"--b1b2b3--\r\n"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        END,
        META + GOOD + END,
        CONTENT + b"x\r\n" + META + GOOD + END,
        CONTENT + b"x\r\n" + END,
        META + GOOD + CONTENT + b"x\r\n--b1b2b3",
        META + GOOD + CONTENT + b"x",
        META + b"[1]\r\n" + CONTENT + b"x\r\n" + END,
        META + b"{\r\n" + CONTENT + b"x\r\n" + END,
        META + b'{"name":"\xff"}\r\n' + CONTENT + b"x\r\n" + END,
        META + b'{"name":1e999}\r\n' + CONTENT + b"x\r\n" + END,
        META + b"[" * 100_000 + b"\r\n" + CONTENT + b"x\r\n" + END,
        META + b'{"name":"' + b"a" * (1 << 20) + b'"}\r\n' + CONTENT + b"x\r\n" + END,
        META + GOOD + META + GOOD + CONTENT + b"x\r\n" + END,
        META + GOOD + CONTENT + b"x\r\n" + CONTENT + b"x\r\n" + END,
        b"--b1b2b3\r\n" + b"X: y\r\n" * 1000 + b"\r\n" + GOOD + END,
        b"--b1b2b3\r\nX: " + b"y" * 100_000 + b"\r\n\r\n" + GOOD + END,
        b"--b1b2b3\r\nBad header\r\n\r\n" + GOOD + END,
        b"--b1b2b3\r\n\r\n" + GOOD + CONTENT + b"x\r\n" + END,
    ],
)
def test_a_hostile_form_is_refused_and_leaves_nothing(drive: Drive, body: bytes) -> None:
    before = drive.contents()

    answer = drive.post_form(body)

    assert answer.status_code == 400
    assert drive.uploads_left() == []
    assert drive.contents() == before


@pytest.mark.parametrize(
    "kind", ["", "application/json", "multipart/form-data", f"multipart/form-data; boundary={'b' * 300}"]
)
def test_a_form_needs_a_boundary(drive: Drive, kind: str) -> None:
    answer = drive.http.post("cdproxy/nodes", content=b"x", headers={"Content-Type": kind})

    assert answer.status_code == 400


@pytest.mark.parametrize("length", [b"Content-Length: 9000000", b"Transfer-Encoding: chunked"])
def test_a_cut_off_upload_leaves_nothing_behind(drive: Drive, folder: str, length: bytes) -> None:
    body = form({"name": "cut", "kind": "FILE", "parents": [folder]}, b"x" * 3_000_000)[:-100]
    before = drive.contents()

    with socket.create_connection((drive.http.base_url.host, drive.http.base_url.port or 0)) as wire:
        head = (
            b"POST /cdproxy/nodes HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n" % drive.token.encode()
        )
        wire.sendall(head + b"Content-Type: multipart/form-data; boundary=b1b2b3\r\n" + length + b"\r\n\r\n")
        wire.sendall(body if length.startswith(b"C") else b"%x\r\n%s\r\n" % (len(body), body))
        await_that(lambda: drive.uploads_left() != [])
    await_that(lambda: drive.uploads_left() == [])

    assert drive.names(folder) == []
    assert drive.contents() == before


def await_that(claim: Callable[[], bool]) -> None:
    """Wait until a claim holds, at most five seconds."""
    end = time.monotonic() + 5
    while not claim():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_download_is_whole_or_a_range(drive: Drive, folder: str) -> None:
    path = f"cdproxy/nodes/{drive.put('ä b.txt', b'0123456789', folder)}/content"

    def part(wanted: str) -> tuple[int, bytes, str | None]:
        answer = drive.http.get(path, headers={"Range": wanted})
        return answer.status_code, answer.content, answer.headers.get("Content-Range")

    whole = drive.get(path)
    parts = {wanted: part(f"bytes={wanted}") for wanted in ("2-4", "7-", "-3", "0-9", "0-999", "-99")}
    beyond = drive.http.get(path, headers={"Range": "bytes=10-"})

    assert (whole.status_code, whole.content) == (200, b"0123456789")
    assert whole.headers["Content-Type"] == "text/plain"
    assert parts == {
        "2-4": (206, b"234", "bytes 2-4/10"),
        "7-": (206, b"789", "bytes 7-9/10"),
        "-3": (206, b"789", "bytes 7-9/10"),
        "0-9": (206, b"0123456789", "bytes 0-9/10"),
        "0-999": (206, b"0123456789", "bytes 0-9/10"),
        "-99": (206, b"0123456789", "bytes 0-9/10"),
    }
    assert beyond.status_code == 416
    assert part("bytes=5-2")[0] == part("lines=1-2")[0] == part("bytes=0-1,3-4")[0] == 200
    assert part("bytes=-0")[0] == 416


def test_a_head_tells_the_length_without_the_bytes(drive: Drive, folder: str) -> None:
    node = drive.put("x", b"0123456789", folder)

    answers = [drive.http.head(f"cdproxy/nodes/{node}/content") for _ in range(2)]

    assert [(answer.status_code, answer.headers["Content-Length"]) for answer in answers] == [(200, "10")] * 2
    assert drive.content(node) == b"0123456789"


def test_content_lost_from_the_disk_is_an_internal_failure(launch: Launch) -> None:
    drive = launch()
    node = drive.put("x", b"x" * 1_000_000)
    path = drive.folder / "content" / node[:2] / f"{node}.1"

    path.write_bytes(b"short")
    with pytest.raises(httpx.RemoteProtocolError):
        drive.content(node)
    path.unlink()
    answer = drive.get(f"cdproxy/nodes/{node}/content")
    said = drive.stop()

    assert (answer.status_code, answer.json()) == (500, {"message": "Internal failure"})
    assert said.count("Traceback") == 2


def test_an_overwrite_does_not_disturb_a_reader(drive: Drive, folder: str) -> None:
    old, new = os.urandom(5_000_000), os.urandom(5_000_000)
    node = drive.put("x", old, folder)

    with drive.http.stream("GET", f"cdproxy/nodes/{node}/content") as answer:
        pieces = answer.iter_raw(1000)
        first = next(pieces)
        drive.overwrite(node, new)
        read = first + b"".join(pieces)

    assert read == old
    assert drive.content(node) == new


def test_a_temp_link_needs_no_token_but_its_own_signature(drive: Drive, folder: str) -> None:
    node = drive.put("x", b"0123", folder)
    link = drive.get(f"drive/v1/nodes/{node}", tempLink="true").json()["tempLink"]
    del drive.http.headers["Authorization"]

    good = drive.http.get(link, headers={"Range": "bytes=1-2"})
    forged = drive.http.get(link[:-1] + ("0" if link[-1] != "0" else "1"))
    drive.http.headers["Authorization"] = f"Bearer {drive.token}"

    assert (good.status_code, good.content) == (206, b"12")
    assert forged.status_code == 403


def test_a_full_account_refuses(launch: Launch) -> None:
    drive = launch("--quota", "10")
    drive.put("six", b"123456")

    known, chunked = (drive.upload("x", b"12345"), drive.post_form(iter([form({"name": "y"}, b"12345")])))
    declared = drive.upload("z", b"x" * 3_000_000)

    assert [answer.status_code for answer in (known, chunked, declared)] == [403, 403, 403]
    assert drive.upload("fits", b"1234").status_code == 201
    assert drive.get("drive/v1/account/quota").json()["available"] == 0
    assert drive.overwrite(drive.all(filters="name:six")[0]["id"], b"654321").status_code == 200
    assert drive.uploads_left() == []


def test_a_client_that_waits_is_told_to_continue(drive: Drive, folder: str) -> None:
    body = form({"name": "waits", "parents": [folder]}, b"waits" + folder.encode())

    with socket.create_connection(
        (drive.http.base_url.host, drive.http.base_url.port or 0), timeout=5
    ) as wire:
        wire.sendall(
            b"POST /cdproxy/nodes HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close\r\n"
            b"Authorization: bearer %s\r\nContent-Type: multipart/form-data; boundary=b1b2b3\r\n"
            b"Content-Length: %d\r\n\r\n" % (drive.token.encode(), len(body))
        )
        first = wire.recv(100)
        wire.sendall(body)
        second = wire.recv(100)

    assert first == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert second.startswith(b"HTTP/1.1 201 ")


@given(
    content=st.lists(
        st.sampled_from([b"\r", b"\n", b"-", b"\r\n--b1b2b3", b"\r\n--b1b2", b"b", b"x" * 50, b"\0"])
    ),
    cuts=st.lists(st.integers(0, 400), max_size=20),
)
def test_no_chunk_boundary_changes_a_form(content: list[bytes], cuts: list[int]) -> None:
    wanted = b"".join(content).replace(b"\r\n--b1b2b3", b"\r\n--b1b2bX")
    body = form({"name": "x"}, wanted)

    stored, metadata = asyncio.run(parse(pieces(body, cuts)))

    assert stored == wanted
    assert metadata == {"name": "x"}


@given(st.integers(0, 250), st.binary(max_size=20), st.lists(st.integers(0, 250), max_size=5))
def test_a_damaged_form_is_refused_or_parsed_but_never_an_accident(
    at: int, dirt: bytes, cuts: list[int]
) -> None:
    body = form({"name": "x"}, b"content")
    damaged = body[:at] + dirt + body[at + len(dirt) :]

    outcome = asyncio.run(outcome_of(pieces(damaged, cuts)))

    assert outcome in ("stored", 400)


def pieces(body: bytes, cuts: list[int]) -> Iterator[bytes]:
    """Cut a body at some places."""
    edges = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    return (body[start:end] for start, end in pairwise(edges) if end > start)


async def parse(chunks: Iterator[bytes]) -> tuple[bytes | None, object]:
    """Read a form with the parser under test."""

    async def arriving() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    upload = Upload(NOWHERE, f"multipart/form-data; boundary={BOUNDARY}", metadata_first=True, quota=10**6)
    stored = await upload.receive(arriving())
    return stored.data, upload.metadata


async def outcome_of(chunks: Iterator[bytes]) -> str | int:
    """Tell how reading a form ends."""
    try:
        await parse(chunks)
    except Refused as refusal:
        return refusal.answer.status
    return "stored"


class _Nowhere(Shelf):
    def __init__(self) -> None:
        """Hold nothing: small content never reaches the disk before its commit."""


NOWHERE = _Nowhere()
