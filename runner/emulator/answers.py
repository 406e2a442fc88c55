"""What the emulator can answer: JSON, a slice of a file, a stream, or one of the recorded error shapes.

Source: acd-api §3 and §3.1.
"""

import io
import json
import secrets
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

ERROR_TYPES = {
    400: "BadRequestException",
    401: "UnauthorizedException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    405: "MethodNotAllowedException",
    409: "ConflictException",
    416: "RequestedRangeNotSatisfiableException",
    429: "ThrottlingException",
    500: "InternalFailure",
}
_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)
JSON_TYPE = "application/json"

# A logref is a time-based UUID; a random node part keeps the machine's address out of it.
_NODE = secrets.randbits(48) | (1 << 40)


@dataclass(slots=True)
class FileSlice:
    """`length` bytes of an open file from `start` on; whoever sends it closes it."""

    file: io.FileIO
    start: int
    length: int


@dataclass(slots=True)
class Answer:
    """Everything of an HTTP answer but the wire: a status, a body and the headers that describe it."""

    status: int
    body: bytes | FileSlice | AsyncIterator[bytes] = b""
    headers: dict[str, str] = field(default_factory=dict)


class Refused(Exception):
    """A request that ends in an error answer; raised anywhere, sent by the server."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def json_answer(status: int, body: Mapping[str, Any]) -> Answer:
    """Wrap a JSON object."""
    return Answer(status, to_json(body), {"Content-Type": JSON_TYPE})


def to_json(body: Mapping[str, Any]) -> bytes:
    """Write an object as the compact UTF-8 JSON that the service sent."""
    return _ENCODER.encode(body).encode()


def refused(status: int, message: str, code: str = "", info: Json | None = None) -> Refused:
    """Build a service error: shapes 1 and 2, with a `logref`.

    info: `{"nodeId": ...}` of the node in the way; shape 2 when given.
    """
    body: Json = {"logref": str(uuid.uuid1(_NODE)), "message": _plain(message), "code": code}
    if info is not None:
        body["info"] = info
    return _error(status, to_json(body), JSON_TYPE)


def front(status: int, message: str) -> Refused:
    """Build a front-end error, shape 3: a message and nothing else."""
    return _error(status, to_json({"message": _plain(message)}), JSON_TYPE)


def unknown_operation() -> Refused:
    """Build the answer to a path that the service does not know, shape 4."""
    return _error(404, b"<UnknownOperationException/>", "application/xml")


def unknown_node(node_id: str) -> Refused:
    """Build the 404 of an id that names no node."""
    return refused(404, f"Node {node_id[:64]} does not exist")


def conflict(name: str, parent: str, node_id: str) -> Refused:
    """Build the 409 of a taken name; the service lower-cases the name in the message."""
    words = f"Node with the name {name.lower()} already exists under parentId {parent} conflicting NodeId: "
    return refused(409, words + node_id, "NAME_ALREADY_EXISTS", {"nodeId": node_id})


def empty(status: int) -> Refused:
    """Build an error without a body, as gateways send for 408 and 504."""
    return _error(status, b"", None)


def _error(status: int, body: bytes, kind: str | None) -> Refused:
    headers = {"x-amzn-ErrorType": ERROR_TYPES.get(status, "ServiceException")}
    if kind is not None:
        headers["Content-Type"] = kind
    return Refused(Answer(status, body, headers))


def _plain(message: str) -> str:
    # A lone surrogate in a quoted value could not be sent as UTF-8.
    return message.encode("utf-8", "replace").decode()
