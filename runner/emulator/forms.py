"""The plain form that known clients send, read in one glance when all of it is there.

A form in any other spelling is left to the strict parser, and so is a broken one: what is read here, the
parser reads alike, 15 us later.
"""

import re
from typing import NamedTuple

from python_multipart.multipart import parse_options_header

from runner.emulator.answers import refused

BOUNDARY_BYTES = 200
_TYPE = re.compile(r"multipart/form-data; ?boundary=([0-9A-Za-z_-]{1,70})", re.ASCII)
_HEAD = re.compile(
    rb'Content-Disposition: form-data; name="(metadata|content)"(?:; filename="[ !#-:<-\[\]-~]{0,500}")?'
    rb"(?:\r\nContent-Type: ([!-~]{1,200}))?"
)
_ENDS = (b"--", b"--\r\n")


class Part(NamedTuple):
    """One part of a form."""

    name: bytes
    content_type: bytes | None
    data: bytes


def boundary_of(content_type: str) -> bytes:
    """Return the boundary that a request's Content-Type names; raises Refused 400 when there is none."""
    if (found := _TYPE.fullmatch(content_type)) is not None:
        return found[1].encode()
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not 0 < len(boundary) <= BOUNDARY_BYTES:
        raise refused(400, "Content-Type must be multipart/form-data with a boundary")
    return boundary


def read_plain(body: bytes, boundary: bytes) -> list[Part] | None:
    """Return the parts of a form that is whole and plain; None for any other."""
    opening = b"--" + boundary
    if not body.endswith(_ENDS) or not body.startswith(opening):
        return None
    parts: list[Part] = []
    for piece in body[len(opening) :].split(b"\r\n" + opening):
        if piece.startswith(b"--"):
            return parts
        end = piece.find(b"\r\n\r\n", 2)
        head = _HEAD.fullmatch(piece, 2, end) if end > 0 and piece.startswith(b"\r\n") else None
        if head is None:
            return None
        parts.append(Part(head[1], head[2], piece[end + 4 :]))
    return None
