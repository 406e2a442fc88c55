"""Logging in: OAuth 2.0's authorization code grant, with a browser that comes back to this machine.

Source: RFC 6749 section 4.1, RFC 7636, RFC 8252, acd-api §2.
"""

import asyncio
import base64
import hashlib
import secrets as chance
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlencode

from runner.model.errors import AcdrunError, LoginNeeded
from runner.model.secret import Reference, Secret
from runner.remote import oauth
from runner.remote.http import Engine, Reply, Request, origin
from runner.remote.loopback import DEADLINE_S, PORT, listening
from runner.remote.secrets import known
from runner.remote.throttle import Throttle
from runner.remote.tokens import Token
from runner.remote.wire import Wire

_ANSWER_LIMIT = 1 << 16


@dataclass(frozen=True, slots=True)
class Provider:
    """What the log-in of one remote needs; a kind of storage makes it from its configuration.

    auth_url: the consent page; token_url: where its code becomes a token. pkce: the service knows RFC 7636.
    client_id, client_secret: as configured; any_client: the id that stands in for none, where any will do.
    token: a token that the configuration refers to. One of `acdrun login` would not be used beside it.
    more: further fields of the consent page's address.
    """

    auth_url: str
    token_url: str
    scope: str
    pkce: bool = False
    client_id: Reference | None = None
    client_secret: Reference | None = None
    any_client: str = ""
    token: Reference | None = None
    more: tuple[tuple[str, str], ...] = ()


class Client(NamedTuple):
    """The application that asks for access. secret: None for one that has none."""

    id: Secret
    secret: Secret | None = None


class Asked(NamedTuple):
    """What was asked of the consent page, and what its answer is to be held against.

    verifier: of PKCE; None where the service does not know it.
    """

    url: str
    redirect_uri: str
    state: Secret
    verifier: Secret | None


def ask(provider: Provider, client: Client, state: Secret, redirect_uri: str) -> Asked:
    """The address of the consent page. Raises BadAnswer for one that no browser should be sent to."""
    origin(provider.auth_url)
    verifier = known(Secret(chance.token_urlsafe(48))) if provider.pkce else None
    fields = [
        ("client_id", client.id.reveal()),
        ("redirect_uri", redirect_uri),
        ("response_type", "code"),
        ("scope", provider.scope),
        ("state", state.reveal()),
        *provider.more,
    ]
    if verifier is not None:
        digest = hashlib.sha256(verifier.reveal().encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        fields += [("code_challenge", challenge), ("code_challenge_method", "S256")]
    base = provider.auth_url.partition("#")[0]
    return Asked(base + ("&" if "?" in base else "?") + urlencode(fields), redirect_uri, state, verifier)


async def log_in(
    provider: Provider,
    client: Client,
    engine: Engine,
    begin: Callable[[str], None],
    *,
    port: int = PORT,
    deadline_s: float = DEADLINE_S,
    sleep: Callable[[float], Coroutine[None, None, None]] = asyncio.sleep,
    now: Callable[[], float] = time.time,
) -> Token:
    """Send a person to the consent page, wait until the browser comes back, and return the token.

    begin: is given the page's address once somebody listens for the answer: to print it, to open a browser.
        It must not block.
    sleep: how the deadline passes. now: seconds since 1970.
    Raises Denied when the person or the service refuses, or the answer is not the one to this question;
    LoginNeeded when none came in time; Unavailable when the port is taken or the service is down.
    """
    origin(provider.token_url)  # nobody is sent off for a code that could not be exchanged
    state = known(Secret(chance.token_urlsafe(32)))
    async with listening(state, port) as listener:
        asked = ask(provider, client, state, listener.redirect_uri)
        begin(asked.url)
        code = await listener.code(deadline_s, sleep)
    return await exchange(provider, client, engine, asked, code, now=now)


async def exchange(
    provider: Provider,
    client: Client,
    engine: Engine,
    asked: Asked,
    code: Secret,
    *,
    now: Callable[[], float] = time.time,
) -> Token:
    """Make a token of the code. A code is good once, so a lost answer is not asked for again."""
    fields = {
        "grant_type": "authorization_code",
        "code": code.reveal(),
        "redirect_uri": asked.redirect_uri,
        "client_id": client.id.reveal(),
    }
    if client.secret is not None:
        fields["client_secret"] = client.secret.reveal()
    if asked.verifier is not None:
        fields["code_verifier"] = asked.verifier.reveal()
    request = Request(
        "POST",
        provider.token_url,
        headers=(("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "application/json")),
        body=urlencode(fields).encode("ascii"),
        repeatable=False,
        authorised=False,
    )
    reply = await Wire(engine, Throttle(concurrency=1), classify).call(request, most=_ANSWER_LIMIT)
    return oauth.granted(reply.body, now())


def classify(request: Request, reply: Reply) -> AcdrunError | None:
    """Read an answer of a token endpoint that was given a code, not a refresh token."""
    error = oauth.classify(request, reply)
    if isinstance(error, LoginNeeded):
        if oauth.fields(reply.body).get("error") == "invalid_grant":
            return LoginNeeded("the token endpoint does not take the code", hint="log in again")
        error.hint = "check the client id and its secret"
    return error
