"""Objects as the service writes them, checked before anything is believed."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any, NamedTuple

from runner.model import path as paths
from runner.model.checksum import Checksum
from runner.model.errors import BadAnswer, Stale
from runner.model.node import Node
from runner.remote.mtime import as_instant, instant_ns, seconds_ns

MTIME = "mtime"
"""As rclone writes it: RFC 3339."""
SECONDS = "goog-reserved-file-mtime"
"""As gsutil and gcloud write it: whole seconds since 1970."""
_WAS_AT = "acdrun-path"

FIELDS = (
    "name,size,md5Hash,crc32c,generation,updated,metadata,timeDeleted,softDeleteTime,contentType,contentEncoding,"
    "contentDisposition,contentLanguage,cacheControl"
)
LISTED = "nextPageToken,prefixes,items(name,size,md5Hash,crc32c,generation,updated,metadata)"
KEPT = "nextPageToken,items(name,size,md5Hash,crc32c,generation,updated,metadata,timeDeleted,softDeleteTime)"

_COPIED = ("contentType", "contentEncoding", "contentDisposition", "contentLanguage", "cacheControl")
"""What a copy with other metadata would lose, beside the metadata itself."""

_MOST = 1 << 63


class Found(NamedTuple):
    """One state of one object.

    generation: the service's number for it; checksum: MD5 of the content, None where it was put together of other
    objects; crc32c: as the service writes it. gone_ns: when it was replaced or removed; None while it stands.
    """

    key: str
    size: int
    generation: int
    changed_ns: int | None
    mtime_ns: int | None = None
    checksum: Checksum | None = None
    crc32c: str = ""
    gone_ns: int | None = None

    @property
    def stamp(self) -> str:
        """Its generation in the house's words: what stands before a "~" is the digest, and stays in copies."""
        if self.checksum is not None:
            return f"{self.checksum.digest}~{self.generation}"
        return f"{self.crc32c or '-'}.{self.size}.{self.generation}"

    def node(self) -> Node:
        """The same in the house's words."""
        return Node(
            paths.name(self.key), "file", self.size, self.mtime_ns, self.checksum,
            generation=self.stamp, changed_ns=self.changed_ns,
        )  # fmt: skip

    def same(self, other: "Found") -> bool:
        """Do both hold the same bytes with the same time, as far as the service tells?"""
        digests = (self.checksum, self.crc32c) == (other.checksum, other.crc32c)
        known = self.checksum is not None or bool(self.crc32c)
        return known and digests and (self.size, self.mtime_ns) == (other.size, other.mtime_ns)


def number(stamp: str) -> int:
    """The service's number in a generation of ours. Raises Stale for one that this backend never gave away."""
    text = stamp.replace("~", ".").rpartition(".")[2]
    if not text.isascii() or not text.isdigit() or len(text) > 20:
        raise Stale("not a generation of this service")
    return int(text)


def found(item: Mapping[str, Any]) -> Found:
    """An object of an answer. Raises BadAnswer. Asked for every object there is."""
    get = item.get
    key, checksum = get("name"), get("md5Hash")
    if not isinstance(key, str) or not key:
        raise BadAnswer("an object without a name")
    try:
        size, generation = int(get("size", "")), int(get("generation", ""))
    except (TypeError, ValueError):
        size = generation = -1
    if not (0 <= size < _MOST and 0 < generation < _MOST):
        raise BadAnswer(f"the object {paths.show(key)!r} without a size and a generation")
    metadata, gone = get("metadata"), get("timeDeleted") or get("softDeleteTime")
    return Found(
        key,
        size,
        generation,
        instant_ns(str(get("updated", ""))),
        _mtime_ns(metadata) if metadata else None,
        from_base64(checksum) if isinstance(checksum, str) and checksum else None,
        str(get("crc32c") or ""),
        instant_ns(str(gone)) or 0 if gone else None,
    )


def _mtime_ns(metadata: object) -> int | None:
    if not isinstance(metadata, Mapping):
        return None
    exact = metadata.get(MTIME)
    if isinstance(exact, str) and (told := instant_ns(exact)) is not None:
        return told
    lower = {str(name).lower(): str(value) for name, value in metadata.items()}
    told = instant_ns(lower.get(MTIME, ""))
    return told if told is not None else seconds_ns(lower.get(SECONDS, ""))


def time_of(mtime_ns: int | None) -> dict[str, str]:
    """The metadata that keep a time."""
    if mtime_ns is None:
        return {}
    exact, whole = as_instant(mtime_ns), str(mtime_ns // 10**9)
    return {MTIME: exact, SECONDS: whole} if exact is not None else {SECONDS: whole}


def copied(item: Mapping[str, Any], *, was: str = "", plain: bool = False) -> dict[str, Any]:
    """What a copy is to be told of an object, for it to be as this one.

    was: a path to remember; plain: the one that is remembered is left out.
    """
    metadata = dict(item.get("metadata") or {})
    if plain:
        metadata.pop(_WAS_AT, None)
    if was:
        metadata[_WAS_AT] = was
    return {name: item[name] for name in _COPIED if item.get(name)} | {"metadata": metadata}


def was_at(item: Mapping[str, Any]) -> str | None:
    """The path that an object remembers; None where it remembers none that can be used."""
    path = (item.get("metadata") or {}).get(_WAS_AT)
    return path if isinstance(path, str) and path and not any(map(paths.fault, path.split("/"))) else None


def from_base64(text: str) -> Checksum | None:
    """An MD5 as the service writes it; None when it is none."""
    try:
        digest = binascii.a2b_base64(text, strict_mode=True)
    except (binascii.Error, ValueError):
        return None
    return Checksum("md5", digest.hex()) if len(digest) == 16 else None


def to_base64(digest: str) -> str:
    """A hex digest as the service wants it."""
    return base64.b64encode(bytes.fromhex(digest)).decode("ascii")
