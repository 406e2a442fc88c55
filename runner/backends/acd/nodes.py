"""Nodes as the service writes them, checked before anything is believed. Source: acd-api §4."""

import re
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from runner.model.checksum import Checksum
from runner.model.errors import BadAnswer
from runner.model.node import Kind, Node
from runner.model.path import fold

EMPTY_MD5 = "d41d8cd98f00b204e9800998ecf8427e"

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_MD5 = re.compile(r"[0-9a-f]{32}", re.ASCII)
_STAGED = re.compile(r"\.acdrun-[0-9a-f]{16}\.partial", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KINDS: dict[str, Kind] = {"FILE": "file", "FOLDER": "folder"}


class AcdNode(NamedTuple):
    """A node of the service.

    name: "" for the root, and for the nameless that a listing drops.
    parents: ids; several for a node that stands in several folders.
    generation: id and version; of a folder only the id, for its version says nothing of what it holds.
    md5: None when the service has not computed it yet.
    created, modified: as the service writes them; modified is when anything of the node was last changed.
    """

    id: str
    name: str
    kind: str
    status: str
    parents: tuple[str, ...]
    generation: str
    size: int
    md5: str | None
    created: str
    temp_link: str
    modified: str = ""

    def stands(self, folder: str, name: str) -> bool:
        """Is it the node of this name in that folder? Names that differ only in case are one here."""
        return self.status == "AVAILABLE" and folder in self.parents and fold(self.name) == fold(name)

    def node(self) -> Node:
        """The same in the house's words."""
        kind = _KINDS.get(self.kind, "other")
        file = kind == "file"
        return Node(
            name=self.name,
            kind=kind,
            size=self.size if file else 0,
            checksum=Checksum("md5", self.md5) if file and self.md5 else None,
            id=self.id,
            generation=self.generation,
            changed_ns=instant_ns(self.modified),
        )


def parse(data: Any) -> AcdNode:
    """A node from its JSON. Raises BadAnswer when a field is not what the protocol allows."""
    if not isinstance(data, dict):
        raise BadAnswer("a node that is no JSON object")
    node_id = check_id(data.get("id"))
    kind, status = _word(data, "kind", node_id), _word(data, "status", node_id)
    parents = data.get("parents") or []
    if not isinstance(parents, list):
        raise BadAnswer(f"node {node_id}: its parents are no list")
    size, md5 = _content(data.get("contentProperties"), node_id) if kind == "FILE" else (0, None)
    return AcdNode(
        id=node_id,
        name=_word(data, "name", node_id),
        kind=kind,
        status=status,
        parents=tuple(check_id(parent) for parent in parents),
        generation=node_id if kind == "FOLDER" else f"{node_id}:{_version(data, node_id)}",
        size=size,
        md5=md5,
        created=_word(data, "createdDate", node_id),
        temp_link=_word(data, "tempLink", node_id),
        modified=_word(data, "modifiedDate", node_id),
    )


def check_id(value: object) -> str:
    """An id that can stand in an address. Raises BadAnswer."""
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise BadAnswer("a node with an id that is none")
    return value


def id_of(generation: str) -> str:
    """The id of the node that a generation is of."""
    return generation.partition(":")[0]


def instant_ns(text: str) -> int | None:
    """A time of the service ("2015-03-31T12:00:00.000Z") in ns since 1970; None when it is not one."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    if instant.tzinfo is None:
        return None
    return (instant - _EPOCH) // timedelta(microseconds=1) * 1000


def staging_name() -> str:
    """A name for content that is not published yet; listings leave it out."""
    return f".acdrun-{secrets.token_hex(8)}.partial"


def is_staged(name: str) -> bool:
    """Is this a name that `staging_name` makes?"""
    return _STAGED.fullmatch(name) is not None


def _word(data: dict[str, Any], key: str, node_id: str) -> str:
    value = data.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadAnswer(f"node {node_id}: its {key} is no text")
    return value


def _version(data: dict[str, Any], node_id: str) -> str:
    version = data.get("version")
    if isinstance(version, int) and not isinstance(version, bool):
        return str(version)
    etag = data.get("eTagResponse")
    if isinstance(etag, str) and 0 < len(etag) <= 200:
        return etag
    raise BadAnswer(f"node {node_id}: it has neither a version nor an eTag")


def _content(properties: object, node_id: str) -> tuple[int, str | None]:
    """Size and MD5. A file without either is an empty one. Source: acd-api §4, last paragraph on fields."""
    if properties is None:
        return 0, EMPTY_MD5
    if not isinstance(properties, dict):
        raise BadAnswer(f"node {node_id}: its contentProperties are no JSON object")
    size, md5 = properties.get("size"), properties.get("md5")
    if size is not None and (not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < 1 << 63):
        raise BadAnswer(f"node {node_id}: its size is no number of bytes")
    if md5 is not None:
        md5 = md5.lower() if isinstance(md5, str) else ""
        if not _MD5.fullmatch(md5):
            raise BadAnswer(f"node {node_id}: its MD5 is none")
        if size is None and md5 != EMPTY_MD5:
            raise BadAnswer(f"node {node_id}: it has an MD5, but no size")
    elif not size:
        md5 = EMPTY_MD5
    return size or 0, md5
