"""What the service's complaints mean. The only place that looks at its statuses."""

from runner.model.errors import (
    AcdrunError,
    BadAnswer,
    Blocked,
    Corrupted,
    Damaged,
    Denied,
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


class Failed(Stale):
    """412: a precondition did not hold. Never leaves this room."""


class NoContainer(UsageError):
    """There is no such container."""


_STATUSES: dict[int, type[AcdrunError]] = {
    401: TokenExpired,
    403: Denied,
    404: NotFound,
    408: Unavailable,
    411: BadAnswer,
    412: Failed,
    413: NoSpace,
    414: Blocked,
    422: Damaged,
    429: Throttled,
    498: Throttled,
    499: Unavailable,
    501: Unsupported,
}
"""By status; 498 is Swift's own rate limit, and 507 one disk of many that is full, which passes."""

_SERVICES_OWN = ("x-trans-id", "x-openstack-request-id")
"""What every answer of the service has, and no other's."""

_HINTS: dict[int, str] = {
    413: "is the account's or the container's quota used up? Or does the cluster take no objects of this size?",
}


def classify(request: Request, reply: Reply) -> AcdrunError | None:
    """The error that an answer of the service stands for."""
    if 300 <= reply.status < 400:
        return None
    said = show(" ".join(reply.body[:300].decode("utf-8", "replace").split()))
    if said.startswith("<"):  # a page for people, which says what the status says
        said = ""
    text = f"{request.method} {show_url(request.url)}: status {reply.status} {said}".rstrip()
    kind = _STATUSES.get(reply.status)
    if reply.status == 404 and not any(name in reply.headers for name in _SERVICES_OWN):
        kind = BadAnswer  # it may be a proxy's page, which says nothing of the object
    if reply.status == 409:
        # Of a large object a segment is gone or another; in a write somebody else's has a later stamp.
        kind = Corrupted if request.method == "GET" else Unavailable
    if kind is None:
        kind = Unavailable if reply.status >= 500 else BadAnswer
    return kind(text, hint=_HINTS.get(reply.status, ""))


def no_container(container: str, error: AcdrunError) -> NoContainer:
    """What a 404 means where the container itself was asked for."""
    hint = "make it first: acdrun mkdir REMOTE:CONTAINER, or without CONTAINER if one is configured"
    problem = NoContainer(f"there is no container {show(container)!r}", hint=hint)
    problem.__cause__ = error
    return problem
