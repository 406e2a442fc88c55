"""What the service's complaints mean. The only place that looks at its words. Source: acd-api §3.1, §11."""

import json
from typing import Any, NamedTuple

from runner.model.errors import (
    AcdrunError,
    BadAnswer,
    Blocked,
    Denied,
    Exists,
    NotFound,
    Throttled,
    Unavailable,
)
from runner.model.path import show
from runner.remote.http import Reply, Request, TokenExpired, show_url


class Conflict(Exists):
    """409. node_id: who holds the name, "" when the service does not say. Never leaves this room."""

    def __init__(self, message: str, node_id: str) -> None:
        super().__init__(message)
        self.node_id = node_id


class ListingExpired(AcdrunError):
    """The next page of a listing was asked for too late: begin again. Never leaves this room."""


class Complaint(NamedTuple):
    """form: how the body of an error looked."""

    form: str
    message: str
    code: str
    node_id: str


def complaint(body: bytes) -> Complaint:
    """Read an error's body in any of its shapes, nonsense included; never fails."""
    if not body.strip():
        return Complaint("empty", "", "", "")
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        return Complaint("foreign", show(body[:80].decode("utf-8", "replace")), "", "")
    info = data.get("info")
    node_id = info.get("nodeId") if isinstance(info, dict) else ""
    return Complaint("json", _text(data.get("message")), _text(data.get("code")), _text(node_id))


def classify(request: Request, reply: Reply) -> AcdrunError | None:
    """The error that an answer of the service stands for."""
    status, said = reply.status, complaint(reply.body)
    where = f"{request.method} {show_url(request.url)}: status {status}"
    text = f"{where}: {said.message}" if said.message else where
    match status:
        case 401:
            return TokenExpired(text)
        case 429:
            return Throttled(text)
        case 400:
            return _bad_request(request, said.message, text)
        case 403 if "'Credential'" in said.message:
            return Unavailable(text)
        case 403:
            return Denied(text)
        case 404 if said.form == "foreign":
            return BadAnswer(text)  # an unknown path, or a proxy's page: says nothing about the node
        case 404:
            return NotFound(text)
        case 409:
            return Conflict(text, said.node_id)
        case 413:
            return Blocked(text)
        case 408:
            return Unavailable(text)
    return Unavailable(text) if status >= 500 else BadAnswer(text)


def _bad_request(request: Request, message: str, text: str) -> AcdrunError:
    if "oken has expired" in message:
        return TokenExpired(text)
    if "Next token is expired" in message:
        return ListingExpired(text)
    if "parentId" in message or "trashed parent" in message:
        return NotFound(text)
    if "Cannot complete upload" in message or "Cannot read from request" in message:
        return Unavailable(text)
    return BadAnswer(text) if request.method == "GET" else Blocked(text)


def load(reply: Reply) -> dict[str, Any]:
    """The JSON object of an answer. Raises BadAnswer for anything else."""
    problem = "an answer that is no JSON"
    try:
        data = json.loads(reply.body)
        problem = "an answer that is no JSON object"
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise BadAnswer(f"{problem}: {show(reply.body[:80].decode('utf-8', 'replace'))!r}")
    return data


def _text(value: object) -> str:
    return show(value[:300]) if isinstance(value, str) else ""
