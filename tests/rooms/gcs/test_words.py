"""What the service writes, read: times, digests, generations, complaints; and what nobody should write, refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.backends.gcs.answers import Failed, Gone, Incomplete, Invalid, classify
from runner.backends.gcs.nodes import copied, found, from_base64, number, time_of, was_at
from runner.model.checksum import Checksum
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
)
from runner.model.node import same_content
from runner.remote.http import Reply, Request, TokenExpired
from runner.remote.mtime import as_instant, instant_ns

ONE = {
    "name": "a/b", "size": "5", "generation": "1700000000123456", "md5Hash": "XUFAKrxLKna5cZ2REBfFkg==",
    "crc32c": "mnG7TA==", "updated": "2024-01-02T03:04:05.678Z",
}  # fmt: skip
FIRST, LAST = -62135596800 * 10**9, 253402300799 * 10**9
"""Of the years that RFC 3339 can write."""


@given(st.integers(FIRST, LAST))
def test_a_time_is_read_back_as_it_was_written(mtime_ns: int) -> None:
    assert instant_ns(as_instant(mtime_ns) or "") == mtime_ns
    assert found(ONE | {"metadata": time_of(mtime_ns)}).mtime_ns == mtime_ns


@pytest.mark.parametrize("mtime_ns", [FIRST - 1, LAST + 10**9])
def test_a_time_out_of_all_years_is_kept_to_the_second(mtime_ns: int) -> None:
    assert set(time_of(mtime_ns)) == {"goog-reserved-file-mtime"}
    assert found(ONE | {"metadata": time_of(mtime_ns)}).mtime_ns == mtime_ns // 10**9 * 10**9


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("2026-11-22T15:01:41.810952524Z", 1795359701810952524),
        ("2026-11-22T15:01:41Z", 1795359701 * 10**9),
        ("2026-11-22T16:01:41.5+01:00", 1795359701500000000),
        ("2026-11-22T14:01:41.5-01:00", 1795359701500000000),
        ("1969-12-31T23:59:59.25Z", -750000000),
        ("2026-11-22T15:01:41.810952524", None),
        ("2026-02-30T15:01:41Z", None),
        ("1795359701", None),
        ("", None),
    ],
)
def test_times_of_other_tools_are_read(text: str, ns: int | None) -> None:
    assert instant_ns(text) == ns


def test_times_are_written_as_rclone_and_gsutil_write_them() -> None:
    assert time_of(1795359701810952524) == {
        "mtime": "2026-11-22T15:01:41.810952524Z", "goog-reserved-file-mtime": "1795359701",
    }  # fmt: skip
    assert as_instant(1795359701500000000) == "2026-11-22T15:01:41.5Z"
    assert as_instant(1795359700000000000) == "2026-11-22T15:01:40Z"


@pytest.mark.parametrize(
    ("metadata", "ns"),
    [
        ({"Mtime": "2026-11-22T15:01:41Z"}, 1795359701 * 10**9),
        ({"goog-reserved-file-mtime": "1795359701"}, 1795359701 * 10**9),
        ({"mtime": "yesterday", "goog-reserved-file-mtime": "7"}, 7 * 10**9),
        ({"mtime": "2026-11-22T15:01:41Z", "goog-reserved-file-mtime": "7"}, 1795359701 * 10**9),
        ({"other": "x"}, None),
        ("odd", None),
        (None, None),
    ],
)
def test_the_finer_time_is_taken_whatever_the_case_of_its_name(metadata: object, ns: int | None) -> None:
    assert found(ONE | {"metadata": metadata}).mtime_ns == ns


def test_a_generation_tells_the_content_where_the_service_does() -> None:
    whole, composed = found(ONE), found({k: v for k, v in ONE.items() if k != "md5Hash"})
    copy = found(ONE | {"name": "c", "generation": "9"})

    assert whole.checksum == Checksum("md5", "5d41402abc4b2a76b9719d911017c592")
    assert same_content(whole.stamp, copy.stamp)
    assert whole.stamp != copy.stamp
    assert composed.checksum is None
    assert not same_content(composed.stamp, composed._replace(generation=9).stamp)
    assert number(whole.stamp) == number(composed.stamp) == 1700000000123456
    for wrong in ("", "x", "x~y", "~", "5.-1"):
        with pytest.raises(Stale):
            number(wrong)


def test_a_digest_that_is_none_is_none() -> None:
    assert from_base64("XUFAKrxLKna5cZ2REBfFkg==") == Checksum("md5", "5d41402abc4b2a76b9719d911017c592")
    for wrong in ("", "x", "mnG7TA==", "XUFAKrxLKna5cZ2REBfFkg", "\n"):
        assert from_base64(wrong) is None


def test_a_copy_remembers_a_path_and_forgets_it_again() -> None:
    item = ONE | {"metadata": {"mtime": "x", "mine": "1"}, "contentType": "text/plain", "etag": "C"}

    there = copied(item, was="the/path")

    assert there == {
        "contentType": "text/plain", "metadata": {"mtime": "x", "mine": "1", "acdrun-path": "the/path"},
    }  # fmt: skip
    assert was_at(there) == "the/path"
    assert copied(there, plain=True)["metadata"] == item["metadata"]
    for wrong in ("", "../up", "a//b", 7):
        assert was_at({"metadata": {"acdrun-path": wrong}}) is None


def answer(
    status: int, reason: str = "", url: str = "https://host/storage/v1/b/x/o/y", **headers: str
) -> AcdrunError | None:
    """What an answer is taken for."""
    text = {"code": status, "message": "why", "errors": [{"reason": reason, "message": "why"}]}
    body = json.dumps({"error": text}) if reason else ""
    return classify(Request("GET", url), Reply(status, headers, body.encode()))


@pytest.mark.parametrize(
    ("status", "reason", "kind"),
    [
        (400, "invalid", Invalid),
        (401, "authError", TokenExpired),
        (403, "forbidden", Denied),
        (403, "rateLimitExceeded", Throttled),
        (403, "userRateLimitExceeded", Throttled),
        (403, "quotaExceeded", NoSpace),
        (404, "notFound", NotFound),
        (404, "", BadAnswer),
        (408, "", Unavailable),
        (409, "conflict", Unavailable),
        (410, "", Gone),
        (412, "conditionNotMet", Failed),
        (413, "uploadTooLarge", Blocked),
        (418, "", BadAnswer),
        (429, "rateLimitExceeded", Throttled),
        (500, "backendError", Unavailable),
        (501, "notImplemented", Unsupported),
        (502, "", Unavailable),
        (503, "", Unavailable),
        (507, "", NoSpace),
    ],
)
def test_each_complaint_is_an_error_of_its_kind(status: int, reason: str, kind: type[AcdrunError]) -> None:
    assert type(answer(status, reason)) is kind


def test_some_complaints_depend_on_what_was_asked() -> None:
    assert type(answer(409, "conflict", "https://host/storage/v1/b?project=1")) is Exists
    assert type(answer(404, url="https://host/storage/v1/b/x/o/y?alt=media")) is NotFound
    page = {"content-type": "text/html"}
    assert type(classify(Request("GET", "https://h/y?alt=media"), Reply(404, page, b""))) is BadAnswer
    paid = answer(400, "required")
    assert paid is not None
    assert "user_project" in paid.hint


def test_an_upload_says_what_it_holds() -> None:
    nothing, some, odd = answer(308), answer(308, range="bytes=0-524287"), answer(308, range="bytes=5-9")

    assert isinstance(nothing, Incomplete)
    assert isinstance(some, Incomplete)
    assert (nothing.there, some.there) == (0, 524288)
    assert type(odd) is BadAnswer
    assert answer(302) is None


@given(st.binary(max_size=200))
def test_no_answer_is_too_odd_to_be_judged(body: bytes) -> None:
    for status in (200, 308, 400, 404, 500):
        classify(Request("GET", "https://host/x"), Reply(status, {}, body))
