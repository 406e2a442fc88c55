"""OAuth 2.0: tokens that are renewed once for all who need them."""

import asyncio
import contextlib
import hashlib
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from runner.model.errors import AcdrunError, BadAnswer, LoginNeeded, Throttled, Unavailable
from runner.model.secret import Secret
from runner.remote.http import Reply, Request
from runner.remote.secrets import known
from runner.remote.tokens import Token, TokenStore, sendable
from runner.remote.wire import Wire

MARGIN_S = 120.0
"""A token is renewed this long before it expires, so that none expires on the way. Source: acd-api §2.3."""

_ANSWER_LIMIT = 1 << 16


class OAuth:
    """The authoriser of one remote: `Authorization: Bearer`, renewed by the refresh token.

    wire: a way to the token endpoint that asks for no token itself, and classifies by `classify`.
    store: where renewed tokens are kept; None for tokens that die with their server.
    seed: the configured token. A stored one that was refreshed from another seed is passed over.
    now: seconds since 1970.
    """

    def __init__(
        self,
        wire: Wire,
        token_url: str,
        *,
        store: TokenStore | None,
        seed: Token | None = None,
        client_id: Secret | None = None,
        client_secret: Secret | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._wire = wire
        self._url = token_url
        self._store = store
        self._seed = replace(seed, seed=_fingerprint(seed)) if seed is not None else None
        self._client_id = client_id
        self._client_secret = client_secret
        self._now = now
        self._token: Token | None = None
        self._lock: asyncio.Lock | None = None

    async def bearer(self) -> str:
        """See `wire.Authoriser`."""
        token = self._token
        if token is None or self._expiring(token):
            token = await self._fresh(None)
        return "Bearer " + token.access.reveal()

    async def renew(self, refused: str) -> None:
        """See `wire.Authoriser`."""
        await self._fresh(refused.removeprefix("Bearer "))

    async def _fresh(self, refused: str | None) -> Token:
        if self._lock is None:
            self._lock = asyncio.Lock()
        async with self._lock:
            if self._token is None:
                self._token = self._at_hand()
            if self._good(self._token, refused):
                return self._token
            async with self._alone():
                there = self._at_hand()  # another process may have been faster
                if not self._good(there, refused):
                    there = await self._refresh(there)
                self._token = there
                return there

    def _good(self, token: Token, refused: str | None) -> bool:
        return not self._expiring(token) and token.access.reveal() != refused

    def _expiring(self, token: Token) -> bool:
        return token.expiry is not None and token.expiry - MARGIN_S <= self._now()

    def _at_hand(self) -> Token:
        stored = self._store.load() if self._store is not None else self._token
        if stored is not None and (self._seed is None or stored.seed == self._seed.seed):
            return stored
        if self._seed is not None:
            return self._seed
        raise self._login("no token")

    @contextlib.asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        if self._store is None:
            yield
        else:
            async with self._store.locked():
                yield

    async def _refresh(self, old: Token) -> Token:
        fields = self._grant(old)
        request = Request(
            "POST",
            self._url,
            headers=(("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "application/json")),
            body=urlencode(fields).encode("ascii"),
            authorised=False,
        )
        try:
            reply = await self._wire.call(request, most=_ANSWER_LIMIT)
        except LoginNeeded as error:
            raise self._login(error.message) from error
        token = granted(reply.body, self._now(), old, self._wire.remote)
        # Saved before it is used, with nothing awaited in between: where the service replaces refresh
        # tokens, the one in this answer is the only one left.
        if self._store is not None:
            self._store.save(token)
        return token

    def _grant(self, old: Token) -> dict[str, str]:
        """What the token endpoint is shown for another token. Raises LoginNeeded."""
        if old.refresh is None:
            raise self._login("the token has expired, and there is no refresh token")
        fields = {"grant_type": "refresh_token", "refresh_token": old.refresh.reveal()}
        if self._client_id is not None:
            fields["client_id"] = self._client_id.reveal()
        if self._client_secret is not None:
            fields["client_secret"] = self._client_secret.reveal()
        return fields

    def _login(self, why: str) -> LoginNeeded:
        name = self._wire.remote
        hint = f"acdrun login {name}"
        if self._seed is not None:
            hint = f"renew the token that its configuration names, or take `token` out of its `auth` and then {hint}"
        return LoginNeeded(why, remote=name, hint=hint)


def granted(body: bytes, now: float, old: Token | None = None, remote: str = "") -> Token:
    """The token that an answer holds.

    old: the one that was refreshed; what the answer does not say of the new one is taken from it.
    now: seconds since 1970. Raises BadAnswer when there is no access token.
    """
    data = fields(body)
    access, refresh = data.get("access_token"), data.get("refresh_token")
    kind, seconds = data.get("token_type"), data.get("expires_in")
    if not access or not sendable(access):
        raise BadAnswer("the token endpoint sent no token", remote=remote)
    if refresh and not sendable(refresh):
        raise BadAnswer("the token endpoint sent a refresh token that cannot be sent back", remote=remote)
    before = old or Token(Secret(""))
    return Token(
        access=known(Secret(access)),
        refresh=known(Secret(refresh)) if refresh else before.refresh,
        type=kind if isinstance(kind, str) and kind else before.type,
        expiry=now + seconds if isinstance(seconds, int | float) and 0 < seconds < 1e9 else None,
        seed=before.seed,
    )


def classify(request: Request, reply: Reply) -> AcdrunError | None:
    """Read an answer of a token endpoint. Source: RFC 6749 section 5.2, acd-api §2.3."""
    if reply.status == 429:
        return Throttled("the token endpoint asks for fewer requests")
    if reply.status >= 500 or reply.status == 408:
        return Unavailable(f"the token endpoint answers with status {reply.status}")
    code = fields(reply.body).get("error")
    if code == "invalid_grant":
        return LoginNeeded("the refresh token is not valid any more")
    if code in ("invalid_client", "unauthorized_client"):
        return LoginNeeded("the client id or its secret is not valid")
    shown = code if isinstance(code, str) and code.isidentifier() and len(code) < 64 else "no reason given"
    return BadAnswer(f"the token endpoint answers with status {reply.status}: {shown}")


def fields(body: bytes) -> dict[str, Any]:
    """The fields of an answer in JSON; none for anything else."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return {}  # the error would carry the text
    return data if isinstance(data, dict) else {}


def _fingerprint(token: Token) -> str:
    secret = token.refresh or token.access
    return hashlib.sha256(secret.reveal().encode()).hexdigest()
