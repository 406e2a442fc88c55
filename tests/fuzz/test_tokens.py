"""OAuth answers, token files, and the words of HTTP."""

import json
import time
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from runner.model.errors import AcdrunError, BadAnswer, LoginNeeded
from runner.remote import http, oauth
from runner.remote.http import Reply, Request
from runner.remote.tokens import Token
from tests.fuzz.targets import JSON, bent, edited, target, written

ANSWER = {
    "access_token": "Atza|invented", "refresh_token": "Atzr|invented", "token_type": "bearer", "expires_in": 3600,
}  # fmt: skip
FILE = {**ANSWER, "expiry": "2026-11-22T20:00:00.123456789+01:00", "seed": "ab"}
TEXTS = [
    b'"',
    b"\\ud800",
    b"\\u0000",
    b"\\n",
    b"\xed\xa0\x80",
    b"\xff",
    b"NaN",
    b"1e999",
    b"-",
    b"9" * 30,
    b"true",
]
ENDS = st.sampled_from(
    ["9999-12-31T23:59:59-01:00", "0002-01-01T00:00:00+14:00", "2026-02-30T00:00:00Z", "2026-01-01T00:00:60Z"]
)


def usable(token: Token) -> None:
    """A token that was believed can be sent, kept, and read again."""
    for secret in (token.access, token.refresh):
        if secret is not None:
            assert secret.reveal().isascii()
            assert secret.reveal() == "" or secret.reveal().isprintable()
    again = Token.parse(token.dump(), "it")
    assert (again.access.reveal(), again.type, again.seed) == (token.access.reveal(), token.type, token.seed)


@target(bent(ANSWER).map(written) | edited(written(ANSWER), TEXTS) | st.binary(max_size=40), examples=300)
def test_an_answer_of_a_token_endpoint_is_a_token_or_a_bad_answer(body: bytes) -> None:
    try:
        usable(oauth.granted(body, time.time(), Token.parse(json.dumps(FILE), "it")))
    except BadAnswer as error:
        assert error.message
    assert isinstance(oauth.classify(Request("POST", "https://x/"), Reply(400, {}, body)), AcdrunError)


@target(
    bent(FILE).map(json.dumps)
    | edited(written(FILE), TEXTS).map(lambda data: data.decode("utf-8", "surrogateescape"))
    | ENDS.map(lambda text: json.dumps({**FILE, "expiry": text})),
    examples=300,
)
def test_a_token_file_holds_a_token_or_asks_for_a_login(text: str) -> None:
    try:
        token = Token.parse(text, "it")
    except LoginNeeded as error:
        assert "Atz" not in error.message
    else:
        usable(token)


DATES = st.lists(
    st.sampled_from(["Sun", ", ", "06", " ", "Nov", "1994", "08:49:37", "GMT", "-0000", "+9999", "99999", "0",
                     ":", "-"])
    | st.text(max_size=3),
    max_size=9,
).map("".join)  # fmt: skip


@target(DATES | st.text(max_size=20) | st.integers(-5, 10**12).map(str), examples=500)
def test_any_retry_after_is_a_wait_or_nothing(value: str) -> None:
    wait_s = http.retry_after({"retry-after": value}, 1e9)

    assert wait_s is None or 0 <= wait_s < 1e12


HEADERS: st.SearchStrategy[Mapping[str, str]] = st.dictionaries(
    st.sampled_from(["content-length", "transfer-encoding", "retry-after"]), st.text(max_size=12)
)


@target(
    st.tuples(
        st.text(max_size=30),
        st.sampled_from(["http://127.0.0.1:1", "https://x", "http://[::1]"]),
        HEADERS,
        JSON,
    )
)
def test_any_address_is_one_of_ours_or_refused(asked: tuple[str, str, Mapping[str, str], Any]) -> None:
    rest, start, headers, _ = asked
    for url in (rest, start + rest, start + "/" + rest):
        http.show_url(url)
        try:
            scheme, host, port = http.origin(url)
        except BadAnswer:
            continue
        assert scheme == "https" or http.loopback(host)
        assert 0 < port < 65536
    http.proves_its_end("GET", 200, headers)
