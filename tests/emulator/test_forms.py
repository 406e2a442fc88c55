"""Claims about forms that are read in one glance: nobody can tell it from the strict parser's reading."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runner.emulator.answers import Refused
from runner.emulator.forms import boundary_of, read_plain
from runner.emulator.multipart import Upload
from tests.emulator.conftest import BOUNDARY, form
from tests.emulator.test_uploads import NOWHERE

KIND = f"multipart/form-data; boundary={BOUNDARY}"
WHOLE = form({"name": "x"}, b"content")
PIECES = [
    b"\r\n", b"\r\n\r\n", b"--", b"-", b"--b1b2b3", b"--b1b2b3--", b"\r\n--b1b2b3\r\n", b"\r\n--b1b2b3--", b'"', b"; ",
    b'; filename="y"', b'; filename="\\"; name="metadata"', b'name="metadata"', b"Content-Type: a/b; charset=x\r\n",
    b"Content-Type: text/plain\r\n", b"X: y\r\n", b" ", b"\t", b"\xff", b"\0", b"{}",
]  # fmt: skip
EDITS = st.lists(
    st.tuples(st.integers(0, len(WHOLE)), st.integers(0, 12), st.sampled_from([b"", *PIECES])), max_size=3
)


def edited(edits: list[tuple[int, int, bytes]]) -> bytes:
    """Replace parts of a form by what its parser looks for."""
    body = WHOLE
    for at, removed, piece in edits:
        body = body[:at] + piece + body[at + removed :]
    return body


def outcome(body: bytes, step: int) -> tuple[Any, ...]:
    """Read a form that comes in pieces of so many bytes; return all that is known of it then."""

    async def arriving() -> AsyncIterator[bytes]:
        for start in range(0, len(body), step):
            yield body[start : start + step]

    upload = Upload(NOWHERE, KIND, metadata_first=True, quota=10**6)
    try:
        stored = asyncio.run(upload.receive(arriving()))
    except Refused as refusal:
        return (refusal.answer.status,)
    return stored.data, stored.md5, upload.metadata, upload.content_type


@given(EDITS)
@example([(len(WHOLE), 0, b"--b1b2b3--\r\n")])
@example([(len(WHOLE) - 2, 2, b"an epilogue--")])
@example([(len(WHOLE) - 15, 0, b"\r\n--b1b2b3x")])
@example([(0, 0, b"a preamble\r\n")])
def test_a_form_at_once_reads_like_the_same_in_single_bytes(edits: list[tuple[int, int, bytes]]) -> None:
    body = edited(edits)

    assert outcome(body, len(body) or 1) == outcome(body, 1)


@pytest.mark.parametrize("more", ["", "\r\nContent-Type: application/octet-stream"])
@pytest.mark.parametrize("named", ["", '; filename="foo"', '; filename="a b (1).jpg"'])
def test_the_spellings_of_known_clients_are_read_in_one_glance(named: str, more: str) -> None:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="content"{named}{more}\r\n\r\n'
    content = b"\r\n-\r\n--b1b2b\0\xff"

    parts = read_plain(head.encode() + content + b"\r\n--b1b2b3--\r\n", b"b1b2b3")

    assert parts is not None
    assert [(part.name, part.data) for part in parts] == [(b"content", content)]


@pytest.mark.parametrize(
    ("kind", "boundary"),
    [
        (KIND, b"b1b2b3"),
        ("multipart/form-data;boundary=b1b2b3", b"b1b2b3"),
        ('Multipart/Form-Data; charset=x; boundary="b 1"', b"b 1"),
        ("multipart/form-data; boundary=a+b", b"a+b"),
    ],
)
def test_a_boundary_is_found_in_any_spelling(kind: str, boundary: bytes) -> None:
    assert boundary_of(kind) == boundary
