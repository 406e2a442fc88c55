"""The grant: what is asked of the consent page, and what becomes of its answer."""

import asyncio
import base64
import hashlib
from dataclasses import replace

import pytest

from runner.model.errors import AcdrunError, BadAnswer, Denied, LoginNeeded, Unclear
from runner.remote.login import Provider, log_in
from runner.remote.secrets import redact
from runner.remote.tokens import Token
from tests.rooms.login.world import ANSWER, CLIENT, PROVIDER, Endpoint, Person, allows


def log(person: Person, endpoint: Endpoint, provider: Provider = PROVIDER) -> Token:
    """Log in on any free port."""
    return asyncio.run(log_in(provider, CLIENT, endpoint.engine, person.begin, port=0, now=lambda: 1000.0))


def test_a_code_becomes_a_token_with_all_its_parts() -> None:
    token = log(Person(allows), Endpoint())

    assert token.access.reveal() == "Atza|access"
    assert token.refresh is not None
    assert token.refresh.reveal() == "Atzr|refresh"
    assert (token.type, token.expiry) == ("bearer", 4600.0)


def test_the_consent_page_is_asked_as_the_service_documents_it() -> None:
    person = Person(allows)

    log(person, Endpoint())

    state, back = person.asked.pop("state"), person.asked.pop("redirect_uri")
    assert len(base64.urlsafe_b64decode(state + "=")) == 32
    assert back.startswith("http://127.0.0.1:")
    assert person.asked == {"client_id": "client-id", "response_type": "code", "scope": PROVIDER.scope}


def test_a_provider_with_pkce_gets_the_challenge_and_then_its_verifier() -> None:
    person, endpoint = Person(allows), Endpoint()

    log(person, endpoint, replace(PROVIDER, pkce=True))

    verifier = endpoint.requests[0]["code_verifier"]
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    assert (person.asked["code_challenge_method"], person.asked["code_challenge"]) == ("S256", digest)
    assert 43 <= len(verifier) <= 128


def test_the_token_endpoint_gets_the_code_once_with_the_same_return_address() -> None:
    person, endpoint = Person(allows), Endpoint()

    log(person, endpoint)

    assert endpoint.requests == [
        {
            "grant_type": "authorization_code",
            "code": "code-canary-123456",
            "redirect_uri": person.asked["redirect_uri"],
            "client_id": "client-id",
            "client_secret": "client-secret-canary",
        }
    ]


def test_every_log_in_has_a_state_of_its_own() -> None:
    first, second = Person(allows), Person(allows)

    log(first, Endpoint())
    log(second, Endpoint())

    assert first.asked["state"] != second.asked["state"]


@pytest.mark.torture
@pytest.mark.parametrize(
    "brings",
    [
        pytest.param({"code": "x", "state": "wrong"}, id="wrong-state"),
        pytest.param({"code": "x"}, id="no-state"),
        pytest.param({"error": "access_denied"}, id="error"),
    ],
)
def test_A6_a_refused_answer_asks_for_no_token(brings: dict[str, str]) -> None:
    endpoint = Endpoint()

    with pytest.raises(Denied):
        log(Person(lambda asked: brings), endpoint)

    assert endpoint.requests == []


@pytest.mark.torture
def test_N20_the_token_endpoint_leads_nowhere_else() -> None:
    endpoint = Endpoint(status=307, headers={"Location": "http://127.0.0.1:2/steal"})

    with pytest.raises(BadAnswer, match="not followed"):
        log(Person(allows), endpoint)

    assert len(endpoint.requests) == 1


def test_a_code_is_sent_once_even_when_its_answer_is_lost() -> None:
    endpoint = Endpoint(status=503, body={})

    with pytest.raises(Unclear):
        log(Person(allows), endpoint)

    assert len(endpoint.requests) == 1


@pytest.mark.parametrize(
    ("error", "words", "hint"),
    [
        ("invalid_grant", "does not take the code", "log in again"),
        ("invalid_client", "client id or its secret", "check the client id"),
        ("unauthorized_client", "client id or its secret", "check the client id"),
    ],
)
def test_a_refusal_of_the_token_endpoint_says_what_to_do(error: str, words: str, hint: str) -> None:
    with pytest.raises(LoginNeeded, match=words) as caught:
        log(Person(allows), Endpoint(status=400, body={"error": error}))

    assert hint in caught.value.hint


@pytest.mark.parametrize("access", [None, "", 7, "a\nb", "ä"])
def test_an_answer_without_a_token_is_no_token(access: object) -> None:
    with pytest.raises(BadAnswer, match="sent no token"):
        log(Person(allows), Endpoint(body={**ANSWER, "access_token": access}))


def test_an_answer_without_a_refresh_token_is_a_token_that_ends() -> None:
    body = {name: value for name, value in ANSWER.items() if name != "refresh_token"}

    assert log(Person(allows), Endpoint(body=body)).refresh is None


@pytest.mark.parametrize("field", ["auth_url", "token_url"])
@pytest.mark.parametrize("url", ["http://example.com/x", "file:///etc/passwd", "javascript:alert(1)"])
def test_nobody_is_sent_to_an_address_without_encryption(field: str, url: str) -> None:
    person = Person(allows)

    with pytest.raises(AcdrunError):
        log(person, Endpoint(), _leading_to(field, url))

    assert person.asked == {}


@pytest.mark.torture
def test_A7_no_message_shows_code_state_or_token() -> None:
    person = Person(allows)

    token = log(person, Endpoint())

    said = redact(f"{person.asked['state']} code-canary-123456 {token.access.reveal()} {token!r}")
    assert person.asked["state"] not in said
    assert "canary" not in said
    assert "access=Secret(***)" in said


def _leading_to(field: str, url: str) -> Provider:
    return replace(PROVIDER, auth_url=url) if field == "auth_url" else replace(PROVIDER, token_url=url)
