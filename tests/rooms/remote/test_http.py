"""The words of the wire: addresses, waits, ends."""

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest

from runner.model.errors import BadAnswer
from runner.remote.http import origin, proves_its_end, retry_after, show_url


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("https://drive.amazonaws.com/drive/v1/", ("https", "drive.amazonaws.com", 443)),
        ("https://X.Example:8443", ("https", "x.example", 8443)),
        ("http://127.0.0.1:8080/a/../b?c=d", ("http", "127.0.0.1", 8080)),
        ("http://127.9.9.9/", ("http", "127.9.9.9", 80)),
        ("http://[::1]:90/", ("http", "[::1]", 90)),
        ("http://localhost/", ("http", "localhost", 80)),
    ],
)
def test_an_address_has_an_origin(url: str, where: tuple[str, str, int]) -> None:
    assert origin(url) == where


@pytest.mark.parametrize(
    "url",
    [
        "http://drive.amazonaws.com/",
        "http://127.0.0.1.example/",
        "http://169.254.169.254/latest",
        "http://localhost.example/",
        "http://[::2]/",
        "http://0.0.0.0/",
        "ftp://127.0.0.1/",
        "//127.0.0.1/",
        "https://user:canary@host/",
        "https://host/with space",
        "https://host/a\r\nX: y",
        "https://host/é",
        "https://host:0/",
        "https://host:99999/",
        "https:///x",
        "",
    ],
)
def test_what_is_no_safe_address_is_refused(url: str) -> None:
    with pytest.raises(BadAnswer) as caught:
        origin(url)

    assert "canary" not in str(caught.value)


def test_an_address_is_shown_without_its_query_and_user() -> None:
    assert show_url("https://user:canary@s3.example/a/b?X-Amz-Signature=canary#x") == "https://s3.example/a/b"


@pytest.mark.torture
def test_N4_the_wait_asked_for_is_a_number_or_a_date() -> None:
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    later = format_datetime(datetime(2026, 1, 2, 3, 5, 5, tzinfo=UTC), usegmt=True)

    assert retry_after({"retry-after": "120"}, now.timestamp()) == 120
    assert retry_after({"retry-after": later}, now.timestamp()) == 60
    assert retry_after({"retry-after": later}, now.timestamp() + 600) == 0


@pytest.mark.parametrize("value", ["", "soon", "-5", "1e9", "٣", "Fri, 99 Zzz 2026 00:00:00 GMT", "9" * 5000])
def test_an_unreadable_wait_is_none(value: str) -> None:
    assert retry_after({"retry-after": value}, 0.0) is None


def test_an_answer_that_only_stops_does_not_prove_its_end() -> None:
    assert proves_its_end("GET", 200, {"content-length": "5"})
    assert proves_its_end("GET", 200, {"transfer-encoding": "chunked"})
    assert proves_its_end("DELETE", 204, {})
    assert not proves_its_end("GET", 200, {"connection": "close"})
