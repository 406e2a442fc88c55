"""The forms of Google Cloud Storage's JSON API, for the strict server: names, bodies of two parts, masks, dates."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import unquote


class Wrong(Exception):
    """A complaint. status, reason: as the service writes them."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status, self.reason, self.message = status, reason, message


class Answer(NamedTuple):
    """What comes back."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Asked(NamedTuple):
    """A request. line: method, path and query, decoded; body: as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def line(self) -> str:
        return f"{self.method} {unquote(self.path)}?{'&'.join(f'{k}={v}' for k, v in self.query.items())}"


def check_name(name: object) -> None:
    good = isinstance(name, str) and name not in ("", ".", "..") and len(name.encode()) <= 1024
    if not good or re.search(r"[\r\n]", str(name)) or str(name).startswith(".well-known/acme-challenge/"):
        raise Wrong(400, "invalid", "Disallowed object name")


def parts_of(asked: Asked) -> tuple[dict[str, Any], bytes]:
    kind = asked.headers.get("content-type", "")
    mark = re.fullmatch(r'multipart/related; *boundary="?([^";]+)"?', kind)
    if mark is None:
        raise Wrong(400, "invalid", f"Bad content type {kind!r}")
    edge = b"--" + mark[1].encode()
    first, _, rest = asked.body.partition(edge + b"\r\n")[2].partition(b"\r\n" + edge + b"\r\n")
    data = rest.rpartition(b"\r\n" + edge + b"--")[0]
    about: dict[str, Any] = json.loads(first.partition(b"\r\n\r\n")[2])
    return about, data[2:] if data.startswith(b"\r\n") else data.partition(b"\r\n\r\n")[2]


def mask_of(text: str) -> dict[str, Any]:
    """A list of fields as a tree."""
    tree: dict[str, Any] = {}
    stack = [tree]
    for word, mark in re.findall(r"([^,()]*)([,()]?)", text):
        if word:
            place = stack[-1]
            for part in word.split("/"):
                last, place = place, place.setdefault(part, {})
        if mark == "(":
            stack.append(last[word.split("/")[-1]])
        if mark == ")":
            stack.pop()
    return tree


def picked(data: Any, mask: dict[str, Any]) -> Any:
    if not mask or "*" in mask:
        return data
    if isinstance(data, list):
        return [picked(one, mask) for one in data]
    return {name: picked(value, mask[name]) for name, value in data.items() if name in mask}


def date_of(ns: int) -> str:
    return datetime.fromtimestamp(ns / 1e9, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
