"""What the service writes, read: times, ETags, listings, complaints; and what nobody should write, refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.backends.s3.answers import Elsewhere, Expired, Failed, NoBucket, Skewed, classify, within
from runner.backends.s3.documents import document
from runner.backends.s3.nodes import bare, instant_ns, md5_of, was_at, where
from runner.backends.s3.parts import joined
from runner.model.checksum import Checksum
from runner.model.errors import (
    AcdrunError,
    BadAnswer,
    Damaged,
    Denied,
    LoginNeeded,
    NoSpace,
    NotFound,
    Throttled,
    Unavailable,
    Unsupported,
)
from runner.remote.http import Reply, Request
from runner.remote.mtime import as_seconds, seconds_ns


@given(st.integers(-(10**20) + 1, 10**20 - 1))
def test_a_time_is_read_back_as_it_was_written(mtime_ns: int) -> None:
    assert seconds_ns(as_seconds(mtime_ns)) == mtime_ns


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1700000000.123456789", 1700000000123456789),
        ("1700000000", 1700000000 * 10**9),
        ("1700000000.5", 1700000000500000000),
        ("-1.25", -1250000000),
        ("", None),
        ("2024-01-01T00:00:00Z", None),
        ("1e9", None),
        ("1700000000.", None),
    ],
)
def test_times_of_other_tools_are_read(text: str, ns: int | None) -> None:
    assert seconds_ns(text) == ns


def test_times_are_written_as_rclone_writes_them() -> None:
    assert as_seconds(1700000000123456789) == "1700000000.123456789"
    assert as_seconds(1700000000500000000) == "1700000000.5"
    assert as_seconds(1700000000000000000) == "1700000000"


def test_only_an_etag_of_one_piece_is_a_digest() -> None:
    assert md5_of(bare('"5d41402abc4b2a76b9719d911017c592"')) == Checksum(
        "md5", "5d41402abc4b2a76b9719d911017c592"
    )
    assert md5_of(bare('"5d41402abc4b2a76b9719d911017c592-2"')) is None
    assert bare("5d41402abc4b2a76b9719d911017c592") == "5d41402abc4b2a76b9719d911017c592"
    for wrong in ("", '""', '"a"b"', "line\nfeed", "x" * 2000):
        with pytest.raises(BadAnswer):
            bare(wrong)


def test_the_etag_of_parts_is_that_of_their_digests() -> None:
    parts = [Checksum.of("md5", b"one").digest, Checksum.of("md5", b"two").digest]

    assert joined(parts) == "1397b7ee3222e3980d0d20f23a871b02-2"
    assert joined(["opaque"]) == ""


def test_listing_and_headers_agree_on_a_time_to_the_second() -> None:
    assert instant_ns("2023-11-14T22:13:20.789Z") == 1700000000 * 10**9
    assert instant_ns("yesterday") is None


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=300))
def test_a_path_is_found_again_in_metadata(name: str) -> None:
    path = f"folder/{name}" if name not in (".", "..") else "folder/x"
    headers = was_at(path)

    assert all(len(value) <= 256 and value.isascii() for _, value in headers)
    assert where(dict(headers)) == path
    assert where({}) is None


BOMB = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "%s">]><Error><Code>&b;</Code></Error>' % (b"x" * 100)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"no xml", b"<a>", BOMB, BOMB.decode().encode("utf-16"),
        b'<?xml version="1.0" encoding="utf-7"?><a/>', b'<?xml version="1.0" encoding="cp037"?><a/>',
        b"<a>\0</a>", b"<a>\xff</a>",
    ],
)  # fmt: skip
def test_documents_that_could_do_harm_are_refused(body: bytes) -> None:
    with pytest.raises(BadAnswer):
        document(body)


def answer(status: int, code: str = "", method: str = "GET", **headers: str) -> AcdrunError | None:
    """What an answer is taken for."""
    body = (
        f"<Error><Code>{code}</Code><Message>why</Message><Region>eu-west-3</Region></Error>" if code else ""
    )
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return classify(Request(method, "https://host/bucket/key"), Reply(status, named, body.encode()))


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (503, "SlowDown", Throttled),
        (503, "ServiceUnavailable", Unavailable),
        (500, "InternalError", Unavailable),
        (400, "RequestTimeout", Unavailable),
        (429, "", Throttled),
        (404, "NoSuchKey", NotFound),
        (404, "NoSuchBucket", NoBucket),
        (404, "", BadAnswer),
        (403, "AccessDenied", Denied),
        (403, "SignatureDoesNotMatch", LoginNeeded),
        (400, "ExpiredToken", Expired),
        (400, "BadDigest", Damaged),
        (412, "PreconditionFailed", Failed),
        (409, "ConditionalRequestConflict", Unavailable),
        (501, "NotImplemented", Unsupported),
        (403, "QuotaExceeded", NoSpace),
        (418, "Teapot", BadAnswer),
        (403, "RequestTimeTooSkewed", Skewed),
        (502, "", Unavailable),
    ],
)
def test_each_complaint_is_an_error_of_its_kind(status: int, code: str, kind: type[AcdrunError]) -> None:
    assert type(answer(status, code)) is kind


def test_an_answer_to_a_head_has_no_words_and_is_believed_by_its_status() -> None:
    assert type(answer(404, method="HEAD")) is NotFound
    assert type(answer(412, method="HEAD")) is Failed


def test_a_bucket_elsewhere_names_its_region() -> None:
    for error in (
        answer(301, "PermanentRedirect", x_amz_bucket_region="eu-west-3"),
        answer(400, "AuthorizationHeaderMalformed"),
        answer(400, method="HEAD", x_amz_bucket_region="eu-west-3"),
    ):
        assert isinstance(error, Elsewhere)
        assert error.region == "eu-west-3"


def test_an_error_under_a_good_status_is_an_error() -> None:
    assert type(within(b"<Error><Code>InternalError</Code></Error>", "copy")) is Unavailable
    assert type(within(b"<Error><Code>SlowDown</Code></Error>", "copy")) is Throttled
    assert within(b"<CopyObjectResult><ETag>x</ETag></CopyObjectResult>", "copy") is None
