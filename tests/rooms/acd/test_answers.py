"""What the service's complaints mean."""

import pytest

from runner.backends.acd.answers import Conflict, ListingExpired, classify, complaint, load
from runner.backends.acd.servers import AMAZON, server
from runner.model.errors import AcdrunError, BadAnswer, Blocked, Denied, NotFound, Throttled, Unavailable
from runner.remote.http import Reply, Request, TokenExpired

UPLOAD = Request("POST", "https://content-na.drive.amazonaws.com/cdproxy/nodes?suppress=deduplication")
LIST = Request("GET", "https://drive.amazonaws.com/drive/v1/nodes?filters=x")


@pytest.mark.parametrize(
    ("request_", "status", "body", "kind"),
    [
        (LIST, 401, b"", TokenExpired),
        (LIST, 401, b'{"message":"Token has expired"}', TokenExpired),
        (
            UPLOAD,
            400,
            b'{"message":"com.x.UnauthourizedAccessException: [401] Token has expired"}',
            TokenExpired,
        ),
        (LIST, 400, b'{"logref":"b","message":"Next token is expired"}', ListingExpired),
        (UPLOAD, 400, b'{"message":"One of the parentId doesn\\u0027t exists","code":""}', NotFound),
        (UPLOAD, 400, b'{"message":"A node cannot be added to trashed parent"}', NotFound),
        (UPLOAD, 400, b'{"message":"Cannot complete upload"}', Unavailable),
        (UPLOAD, 400, b'{"message":"Cannot read from request."}', Unavailable),
        (UPLOAD, 400, b'{"message":"1 validation error detected: Value at name failed"}', Blocked),
        (LIST, 400, b'{"message":"malformed filter"}', BadAnswer),
        (LIST, 403, b'{"message":"Authorization header requires \'Credential\' parameter. x"}', Unavailable),
        (LIST, 403, b'{"message":"app","code":"APP_ID_NOT_WHITELISTED"}', Denied),
        (LIST, 404, b'{"message":"unknown"}', NotFound),
        (LIST, 404, b"", NotFound),
        (LIST, 404, b"<UnknownOperationException/>", BadAnswer),
        (LIST, 404, b"<html>a proxy's page</html>", BadAnswer),
        (LIST, 405, b"", BadAnswer),
        (LIST, 412, b"", BadAnswer),
        (UPLOAD, 408, b"", Unavailable),
        (LIST, 429, b"{}", Throttled),
        (LIST, 429, b'{"message":"Rate exceeded"}', Throttled),
        (LIST, 500, b'{"message":"Internal failure"}', Unavailable),
        (LIST, 502, b"<html/>", Unavailable),
        (LIST, 504, b"", Unavailable),
    ],
)
def test_every_recorded_complaint_has_its_kind(
    request_: Request, status: int, body: bytes, kind: type[AcdrunError]
) -> None:
    assert type(classify(request_, Reply(status, {}, body))) is kind


def test_a_conflict_names_the_node_that_has_the_name() -> None:
    body = (
        b'{"logref":"b","message":"Node with the name x","code":"NAME_ALREADY_EXISTS","info":{"nodeId":"N1"}}'
    )

    error = classify(UPLOAD, Reply(409, {}, body))

    assert isinstance(error, Conflict)
    assert error.node_id == "N1"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"null",
        b"[]",
        b"7",
        b'"x"',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"message":7,"info":[]}',
        b"9" * 9999,
    ],
)
def test_no_body_crashes_the_reading_of_an_error(body: bytes) -> None:
    read = complaint(body)

    assert read.node_id == ""
    assert isinstance(classify(UPLOAD, Reply(409, {}, body)), Conflict)


@pytest.mark.parametrize("body", [b"", b"<html>login</html>", b"[]", b"null", b"{", b"[" * 100_000])
def test_an_answer_that_is_no_json_object_is_bad(body: bytes) -> None:
    with pytest.raises(BadAnswer):
        load(Reply(200, {}, body))


@pytest.mark.parametrize(
    "url",
    [
        "https://cdws.us-east-1.amazonaws.com/drive/v1/",
        "https://content-eu.drive.amazonaws.com/cdproxy",
        "https://drive.amazonaws.com/drive/v1/",
    ],
)
def test_amazons_own_hosts_get_the_token(url: str) -> None:
    assert AMAZON.check(url) == url.rstrip("/") + "/"


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/",
        "https://drive.amazonaws.com.evil.example/",
        "https://bucket.s3.amazonaws.com/",
        "https://xdrive.amazonaws.com/",
        "http://drive.amazonaws.com/",
        "http://127.0.0.1/",
        "http://169.254.169.254/",
        "https://cdws.a.b.amazonaws.com/",
        "https://user@drive.amazonaws.com/",
        "file:///etc/passwd",
    ],
)
def test_no_other_host_gets_the_token(url: str) -> None:
    with pytest.raises(BadAnswer):
        AMAZON.check(url)


def test_a_named_servers_token_stays_with_it() -> None:
    mine = server("https://drive.example:8443/")

    assert mine.check("https://drive.example/content") == "https://drive.example/content/"
    assert mine.token_url == "https://drive.example:8443/auth/o2/token"
    for url in ("https://other.example/", "https://drive.amazonaws.com/", "http://drive.example/"):
        with pytest.raises(BadAnswer):
            mine.check(url)


def test_signed_links_lead_to_the_services_storage_only() -> None:
    assert AMAZON.check_link("https://bucket.s3.amazonaws.com/x?X-Amz-Signature=1")
    for url in (
        "https://evil.example/x",
        "http://169.254.169.254/latest",
        "",
        "https://amazonaws.com.evil.example/",
    ):
        with pytest.raises(BadAnswer):
            AMAZON.check_link(url)
