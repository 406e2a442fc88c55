"""Objects as the service writes them, checked before anything is believed."""

import base64
import binascii
import email.utils
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from runner.model import path as paths
from runner.model.checksum import Checksum
from runner.model.errors import BadAnswer
from runner.model.node import Node
from runner.remote.mtime import seconds_ns

MTIME = "x-amz-meta-mtime"
MD5 = "x-amz-meta-md5chksum"
_WAS_AT = "x-amz-meta-acdrun-path"
_PIECE = 200
"""Bytes of one value of metadata, of which Swift takes 256."""

_MD5 = re.compile(r"[0-9a-f]{32}", re.ASCII)
_HEX = re.compile(r"[0-9a-f]*", re.ASCII)


class Found(NamedTuple):
    """One object.

    etag: without quotes; checksum: of the content, where it is known. version: "null" of what was there before any
    were kept, "" where none are.
    """

    key: str
    size: int
    etag: str
    changed_ns: int | None
    mtime_ns: int | None = None
    checksum: Checksum | None = None
    version: str = ""

    def node(self) -> Node:
        """The same in the house's words. Two states of other content have other ETags, so that is its generation."""
        return Node(
            paths.name(self.key), "file", self.size, self.mtime_ns, self.checksum,
            generation=self.etag, changed_ns=self.changed_ns,
        )  # fmt: skip


def bare(etag: str) -> str:
    """An ETag without quotes, which not every server writes. Raises BadAnswer for one that cannot be sent back."""
    text = etag.strip().removeprefix("W/").strip('"')
    if not text or len(text) > 1024 or not text.isascii() or not text.isprintable() or '"' in text:
        raise BadAnswer("an object without an ETag")
    return text


def md5_of(etag: str) -> Checksum | None:
    """What the ETag of an object says of its content: its MD5 when it was stored in one piece."""
    return Checksum("md5", etag) if _MD5.fullmatch(etag) else None


def whole_number(text: str) -> int:
    """A size. Raises BadAnswer."""
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise BadAnswer("a size that is no number")
    return int(text)


def instant_ns(text: str) -> int | None:
    """An ISO date as listings write it, in ns since 1970, of which headers know whole seconds; None when it is none."""
    try:
        return _minute_ns(text[:16]) + int(text[17:19]) * 10**9
    except (ValueError, OverflowError):
        return None


@lru_cache(maxsize=4096)
def _minute_ns(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9


def told(key: str, headers: Mapping[str, str]) -> Found:
    """An object from the headers of HEAD or GET."""
    etag = bare(headers.get("etag", ""))
    checksum = md5_of(etag)
    if opaque(headers):
        checksum = None
    return Found(
        key,
        whole_number(headers.get("content-length", "")),
        etag,
        date_ns(headers.get("last-modified", "")),
        seconds_ns(headers.get(MTIME, "")),
        from_base64(headers.get(MD5, "")) or checksum,
        headers.get("x-amz-version-id", ""),
    )


def opaque(headers: Mapping[str, str]) -> bool:
    """Is the object encrypted so that its ETag is no digest of the content?"""
    return (
        headers.get("x-amz-server-side-encryption", "").startswith("aws:kms")
        or "x-amz-server-side-encryption-customer-algorithm" in headers
    )


def from_base64(text: str) -> Checksum | None:
    """An MD5 as headers write it; None when it is none."""
    try:
        digest = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return Checksum("md5", digest.hex()) if len(digest) == 16 else None


def to_base64(digest: str) -> str:
    """A hex digest as headers want it."""
    return base64.b64encode(bytes.fromhex(digest)).decode("ascii")


@lru_cache(maxsize=1024)
def date_ns(text: str) -> int | None:
    """A date of a header, in ns since 1970; None when it is none."""
    try:
        return int(email.utils.parsedate_to_datetime(text).timestamp()) * 10**9
    except (ValueError, TypeError, OverflowError):
        return None


def digests(etags: Sequence[str]) -> Sequence[str]:
    """What the ETags of objects say of their contents: MD5s, "" where an object was stored in parts. Most often it is
    the very column."""
    if set(map(len, etags)) == {32} and _HEX.fullmatch("".join(etags)):
        return etags
    return [etag if _MD5.fullmatch(etag) else "" for etag in etags]


def was_at(path: str) -> list[tuple[str, str]]:
    """Metadata that tell where an object of the trash was, when that is too long to stand in its key."""
    text = base64.b64encode(path.encode()).decode("ascii")
    pieces = [text[start : start + _PIECE] for start in range(0, len(text), _PIECE)]
    return [(f"{_WAS_AT}{number}", piece) for number, piece in enumerate(pieces)]


def where(headers: Mapping[str, str]) -> str | None:
    """What `was_at` wrote; None when it cannot be read."""
    pieces = sorted((name, value) for name, value in headers.items() if is_where(name))
    try:
        path = base64.b64decode("".join(piece for _, piece in pieces), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    return path if path and not any(map(paths.fault, path.split("/"))) else None


def is_where(name: str) -> bool:
    """Is it the name of metadata of `was_at`?"""
    return name.startswith(_WAS_AT)
