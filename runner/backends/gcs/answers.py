"""What the service's complaints mean. The only place that looks at its reasons."""

import json
import re
from collections.abc import Mapping
from typing import Any

from runner.model.errors import (
    AcdrunError,
    BadAnswer,
    Blocked,
    Denied,
    Exists,
    NoSpace,
    NotFound,
    Stale,
    Throttled,
    Unavailable,
    Unsupported,
    UsageError,
)
from runner.model.path import show
from runner.remote.http import Reply, Request, TokenExpired, show_url

_RANGE = re.compile(r"bytes=0-(\d{1,18})", re.ASCII)


class Failed(Stale):
    """412: a precondition did not hold. Never leaves this room."""


class Invalid(BadAnswer):
    """400: the service does not take what it was sent. Never leaves this room where bytes were sent."""


class Gone(NotFound):
    """410: an upload that cannot be gone on with. Never leaves this room."""


class NoBucket(UsageError):
    """There is no such bucket."""


class Incomplete(AcdrunError):
    """308: an upload that waits for more. there: bytes that it holds. Never leaves this room."""

    def __init__(self, message: str, there: int) -> None:
        super().__init__(message)
        self.there = there


_REASONS: dict[str, type[AcdrunError]] = {
    "rateLimitExceeded": Throttled,
    "userRateLimitExceeded": Throttled,
    "quotaExceeded": NoSpace,
    "storageQuotaExceeded": NoSpace,
    "backendError": Unavailable,
    "internalError": Unavailable,
    "uploadTooLarge": Blocked,
}

_STATUSES: dict[int, type[AcdrunError]] = {
    400: Invalid,
    401: TokenExpired,
    403: Denied,
    408: Unavailable,
    409: Unavailable,
    410: Gone,
    412: Failed,
    413: Blocked,
    429: Throttled,
    501: Unsupported,
    507: NoSpace,
}

_PAYS = "a bucket whose requester pays wants `user_project`"


def classify(request: Request, reply: Reply) -> AcdrunError | None:
    """The error that an answer of the service stands for."""
    status, where = reply.status, f"{request.method} {show_url(request.url)}: status {reply.status}"
    if status == 308:
        return _incomplete(where, reply.headers)
    if 300 <= status < 400:
        return None
    said = _error(reply.body)
    reason, text = said.get("reason", ""), f"{where}: {said.get('reason', '')} {said.get('message', '')}"
    kind = _REASONS.get(reason) or _STATUSES.get(status)
    if status == 404:
        # Without a word of the service it may be a proxy's page, which says nothing of the object.
        kind = NotFound if said or _plain(request, reply) else BadAnswer
    if status == 409 and reason == "conflict" and request.url.partition("?")[0].endswith("/storage/v1/b"):
        kind = Exists
    if kind is None:
        kind = Unavailable if status >= 500 else BadAnswer
    return kind(text.rstrip(": "), hint=_PAYS if status == 400 and reason == "required" else "")


def load(reply: Reply) -> dict[str, Any]:
    """The object that an answer holds. Raises BadAnswer."""
    try:
        data = json.loads(reply.body)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        shown = show(reply.body[:80].decode("utf-8", "replace"))
        raise BadAnswer(f"an answer that is no JSON object: {shown!r}")
    return data


def _incomplete(where: str, headers: Mapping[str, str]) -> AcdrunError:
    text = headers.get("range", "").strip()
    if not text:
        return Incomplete(where, 0)
    match = _RANGE.fullmatch(text)
    if match is None:
        return BadAnswer(f"{where}: an upload that does not say what it holds")
    return Incomplete(where, int(match[1]) + 1)


def _error(body: bytes) -> dict[str, str]:
    """Reason and message of a complaint; none where it is no such thing. Never fails."""
    try:
        data = json.loads(body)["error"]
        first = (data.get("errors") or [{}])[0]
        return {
            "reason": show(str(first.get("reason", ""))[:80]),
            "message": show(str(data["message"])[:300]),
        }
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError, IndexError):
        return {}


def _plain(request: Request, reply: Reply) -> bool:
    """Is it the service's answer to somebody who asked for content? That one has no JSON."""
    kind = reply.headers.get("content-type", "")
    return "alt=media" in request.url and not kind.startswith("text/html") and len(reply.body) < 1100
