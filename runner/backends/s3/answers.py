"""What the service's complaints mean. The only place that looks at its codes."""

from runner.backends.s3.documents import Complaint, complaint
from runner.model.errors import (
    AcdrunError,
    BadAnswer,
    Blocked,
    Damaged,
    Denied,
    Exists,
    LoginNeeded,
    NoSpace,
    NotFound,
    Stale,
    Throttled,
    Unavailable,
    Unsupported,
    UsageError,
)
from runner.remote.http import Reply, Request, show_url


class Failed(Stale):
    """412: a precondition did not hold. Never leaves this room."""


class Elsewhere(AcdrunError):
    """The bucket is in another region. Never leaves this room."""

    def __init__(self, message: str, region: str) -> None:
        super().__init__(message)
        self.region = region


class Skewed(AcdrunError):
    """Our clock differs from the service's. Never leaves this room. date: what its `Date` says."""

    def __init__(self, message: str, date: str) -> None:
        super().__init__(message)
        self.date = date


class Expired(LoginNeeded):
    """The keys are of limited life, and it is over. Leaves this room only where there are no others."""


class NoBucket(UsageError):
    """There is no such bucket."""


_KINDS: dict[str, type[AcdrunError]] = {
    "SlowDown": Throttled,
    "TooManyRequests": Throttled,
    "RequestLimitExceeded": Throttled,
    "ServiceUnavailable": Unavailable,
    "InternalError": Unavailable,
    "RequestTimeout": Unavailable,
    "IncompleteBody": Unavailable,
    "OperationAborted": Unavailable,
    "ConditionalRequestConflict": Unavailable,
    "BadDigest": Damaged,
    "InvalidDigest": Damaged,
    "XAmzContentSHA256Mismatch": Damaged,
    "KeyTooLongError": Blocked,
    "EntityTooLarge": Blocked,
    "MetadataTooLarge": Blocked,
    "InvalidObjectName": Blocked,
    "InvalidURI": Blocked,
    "NoSuchKey": NotFound,
    "BucketAlreadyExists": Exists,
    "BucketAlreadyOwnedByYou": Exists,
    "NoSuchUpload": NotFound,
    "NoSuchVersion": NotFound,
    "NoSuchBucket": NoBucket,
    "InvalidBucketName": UsageError,
    "QuotaExceeded": NoSpace,
    "EntityTooLargeForQuota": NoSpace,
    "XMinioStorageFull": NoSpace,
    "PreconditionFailed": Failed,
    "NotImplemented": Unsupported,
    "ExpiredToken": Expired,
    "InvalidToken": LoginNeeded,
    "TokenRefreshRequired": Expired,
    "InvalidAccessKeyId": LoginNeeded,
    "SignatureDoesNotMatch": LoginNeeded,
    "AccessDenied": Denied,
    "InvalidObjectState": Denied,
}

_STATUSES: dict[int, type[AcdrunError]] = {
    401: LoginNeeded,
    403: Denied,
    408: Unavailable,
    411: BadAnswer,
    412: Failed,
    413: Blocked,
    429: Throttled,
    501: Unsupported,
    507: NoSpace,
}

_HINTS: dict[type[AcdrunError], str] = {
    LoginNeeded: "are key id and secret those of this service?",
    Expired: "get new keys where these came from, and run again",
}


def classify(request: Request, reply: Reply) -> AcdrunError | None:
    """The error that an answer of the service stands for."""
    said = complaint(reply.body)
    where = f"{request.method} {show_url(request.url)}: status {reply.status}"
    return _error(f"{where}: {said.code} {said.message}".rstrip(": "), said, reply, request)


def within(body: bytes, where: str) -> AcdrunError | None:
    """The error in an answer whose status says that all is well; None when all is."""
    said = complaint(body)
    if not said.code:
        return None
    return _error(f"{where}: {said.code} {said.message}", said, Reply(500, {}, body), None)


def _error(text: str, said: Complaint, reply: Reply, request: Request | None) -> AcdrunError | None:
    status, region = reply.status, reply.headers.get("x-amz-bucket-region", said.region)
    moved = status in (301, 307) or said.code == "AuthorizationHeaderMalformed"
    if region and (moved or (status == 400 and not said.code)):  # an answer to a HEAD has no words
        return Elsewhere(text, region)
    if 300 <= status < 400:
        return None
    if said.code == "RequestTimeTooSkewed":
        return Skewed(text, reply.headers.get("date", ""))
    kind = _KINDS.get(said.code) or _STATUSES.get(status)
    if kind is None and status == 404:
        # Without a word of the service it may be a proxy's page, which says nothing of the object.
        kind = NotFound if request is not None and request.method == "HEAD" else BadAnswer
    if kind is None:
        kind = Unavailable if status >= 500 else BadAnswer
    return kind(text, hint=_HINTS.get(kind, ""))
