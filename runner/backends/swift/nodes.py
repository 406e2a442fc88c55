"""Objects as the service writes them, checked before anything is believed."""

import base64
import binascii
import email.utils
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal, NamedTuple
from urllib.parse import unquote

from runner.model import path as paths
from runner.model.checksum import Checksum
from runner.model.errors import BadAnswer
from runner.model.node import Node
from runner.remote.mtime import seconds_ns

MTIME = "x-object-meta-mtime"
MD5 = "x-object-meta-md5chksum"
EMPTY = Checksum.of("md5", b"")
_MARK = "application/directory"
_WAS_AT = "x-object-meta-acdrun-path"
_PIECE = 200
"""Bytes of one value of metadata, of which the service takes 256."""

_MD5 = re.compile(r"[0-9a-f]{32}", re.ASCII)

Large = Literal["", "slo", "dlo"]
"""How an object is kept: in one piece, as a manifest that names its segments, as one that names their prefix."""


class Found(NamedTuple):
    """One object.

    etag: without quotes; of a large object the digest of its segments' digests, never that of its manifest.
    changed_ns: by the service's clock; modified_s: the same in whole seconds, rounded up, as headers have it.
    checksum: of the content, where it is known. version: "" where none are kept. unsure: listed with no bytes, so that
    its true size may be another. other: a link, or a mark of a folder, which is nobody's file.
    """

    key: str
    size: int
    etag: str
    changed_ns: int | None = None
    modified_s: int = 0
    mtime_ns: int | None = None
    checksum: Checksum | None = None
    large: Large = ""
    version: str = ""
    unsure: bool = False
    other: Literal["", "link", "mark"] = ""

    def node(self) -> Node:
        """The same in the house's words. Two states of other content have other ETags, so that is its generation."""
        if self.other:
            return Node(paths.name(self.key), "other", generation=self.etag, changed_ns=self.changed_ns)
        return Node(
            paths.name(self.key), "file", self.size, self.mtime_ns, self.checksum,
            generation=self.etag, changed_ns=self.changed_ns,
        )  # fmt: skip

    @property
    def stamp(self) -> str:
        """One state of the object with its metadata, which can change while its content does not.

        The answer to a write tells the time of the change in whole seconds alone.
        """
        return (
            f"{self.etag}@{self.modified_s}s" if self.changed_ns is None else f"{self.etag}@{self.changed_ns}"
        )

    def stamped(self, stamp: str) -> bool:
        """Is it the state of which this stamp was made?"""
        return stamp in (self.stamp, f"{self.etag}@{self.modified_s}s")


def bare(etag: str) -> str:
    """An ETag without quotes. Raises BadAnswer for one that cannot be sent back."""
    text = etag.strip().removeprefix("W/").strip('"')
    if not text or len(text) > 1024 or not text.isascii() or not text.isprintable() or '"' in text:
        raise BadAnswer("an object without an ETag")
    return text


def md5_of(etag: str) -> Checksum | None:
    """The ETag of an object in one piece as a checksum; None when it is none."""
    return Checksum("md5", etag) if _MD5.fullmatch(etag) else None


def whole_number(text: str) -> int:
    """A size. Raises BadAnswer."""
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise BadAnswer("a size that is no number")
    return int(text)


def told(container: str, key: str, headers: Mapping[str, str]) -> Found:
    """An object from the headers of HEAD or GET."""
    large: Large = ""
    if headers.get("x-static-large-object", "").lower() == "true":
        large = "slo"
    elif headers.get("x-object-manifest"):
        large = "dlo"
    other: Literal["", "link", "mark"] = ""
    stands = headers.get("content-location", "").partition("?")[0]
    if stands and not unquote(stands).endswith(f"/{container}/{key}"):
        other = "link"
    length = headers.get("content-length", "")
    if large == "dlo" and not length:
        length = "0"
    size = whole_number(length)
    if not size and not large and headers.get("content-type", "").partition(";")[0].strip() == _MARK:
        other = "mark"
    # A manifest of more segments than a listing has is not measured by the service: see `Objects.measured`.
    unsure = large == "dlo" and not headers.get("etag")
    etag = "unmeasured" if unsure else bare(headers.get("etag", ""))
    return Found(
        key,
        size,
        etag,
        timestamp_ns(headers.get("x-timestamp", "")),
        date_s(headers.get("last-modified", "")),
        seconds_ns(headers.get(MTIME, "")),
        from_base64(headers.get(MD5, "")) or (None if large else md5_of(etag)),
        large,
        headers.get("x-object-version-id", ""),
        unsure,
        other,
    )


def timestamp_ns(text: str) -> int | None:
    """Seconds with digits behind the point, as the service stamps everything; None for anything else."""
    return seconds_ns(text.partition("_")[0])


def date_s(text: str) -> int:
    """A date of a header, in seconds since 1970; 0 when it is none."""
    try:
        return int(email.utils.parsedate_to_datetime(text).timestamp())
    except (ValueError, TypeError, OverflowError):
        return 0


def from_base64(text: str) -> Checksum | None:
    """An MD5 as headers write it; None when it is none."""
    try:
        digest = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return Checksum("md5", digest.hex()) if len(digest) == 16 else None


def to_base64(digest: str) -> str:
    """A hex digest as headers have it."""
    return base64.b64encode(bytes.fromhex(digest)).decode("ascii")


def from_listing(entry: dict[str, Any]) -> Found:
    """An object as a listing writes it: without its time, and without a digest where it is large. Raises BadAnswer.

    Asked for every object there is, hence the short way for what nearly all look like.
    """
    try:
        key, size, stored, changed = entry["name"], entry["bytes"], entry["hash"], entry["last_modified"]
        if not isinstance(key, str) or type(size) is not int or size < 0 or not isinstance(stored, str):
            raise BadAnswer("an entry of a listing with a name, a size or a digest that is none")
        changed_ns = _instant_ns(changed)
    except (KeyError, TypeError):
        raise BadAnswer("an entry of a listing that is not like one") from None
    modified_s = -(-changed_ns // 10**9) if changed_ns is not None else 0
    version = str(entry.get("version_id") or "")
    if size and "slo_etag" not in entry and "symlink_path" not in entry and _MD5.fullmatch(stored):
        return Found(key, size, stored, changed_ns, modified_s, None, Checksum("md5", stored), "", version)
    if joined := entry.get("slo_etag"):
        return Found(key, size, bare(str(joined)), changed_ns, modified_s, large="slo", version=version)
    etag = bare(str(stored))
    if "symlink_path" in entry and not entry.get("version_symlink"):
        return Found(key, size, etag, changed_ns, modified_s, other="link")
    if size:
        return Found(key, size, etag, changed_ns, modified_s, None, md5_of(etag), "", version)
    if str(entry.get("content_type", "")).partition(";")[0].strip() == _MARK:
        return Found(key, 0, etag, changed_ns, modified_s, version=version, other="mark")
    return Found(key, 0, etag, changed_ns, modified_s, version=version, unsure=True)


def _instant_ns(text: str) -> int | None:
    """`2026-11-23T01:51:37.106960`, in UTC, in ns since 1970; None when it is none."""
    try:
        clock = int(text[11:13]) * 3600 + int(text[14:16]) * 60 + int(text[17:19])
        return (_day_s(text[:10]) + clock) * 10**9 + int((text[20:29] or "0").ljust(9, "0"))
    except (ValueError, OverflowError):
        return None


@lru_cache(maxsize=1024)
def _day_s(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


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
    return name.lower().startswith(_WAS_AT)
