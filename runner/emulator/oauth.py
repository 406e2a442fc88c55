"""Login with Amazon, as far as clients of the Drive use it: codes, tokens, profile. Source: acd-api §2."""

import base64
import binascii
import hashlib
import secrets
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import unquote_plus

from runner.emulator.answers import Json, Refused, json_answer
from runner.emulator.database import Database, Transaction

CODE_LIFE_MS = 5 * 60 * 1000
EVERYTHING = "clouddrive:read_all clouddrive:write"
REMEMBERED = 10_000


@dataclass(slots=True, frozen=True)
class Grant:
    """What a token or a code allows: for whom, how far and until when (ms since 1970; 0 = for ever)."""

    kind: str
    client: str
    scope: str
    redirect: str
    expires_ms: int

    @property
    def may_read(self) -> bool:
        """Tell whether nodes may be read."""
        return any(scope.startswith("clouddrive:read") for scope in self.scope.split())

    @property
    def may_write(self) -> bool:
        """Tell whether nodes may be written."""
        return "clouddrive:write" in self.scope.split()


class Tokens:
    """Hands out tokens and knows them again; the store keeps their digests only."""

    def __init__(self, database: Database, life_s: int) -> None:
        self.database = database
        self.life_s = life_s
        self._known: dict[str, Grant] = {}

    def grant(self, token: str) -> Grant | None:
        """Return what an access token allows; None if it is unknown or has expired."""
        grant = self._known.get(token)
        if grant is None:
            grant = _read(self.database.near, token)
            if grant is None or grant.kind != "access":
                return None
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[token] = grant
        return grant if self.database.clock() < grant.expires_ms else None

    async def code(self, client: str, scope: str, redirect: str) -> str:
        """Make a code that can be exchanged once, within five minutes, for the same redirect URI."""
        return await self.database.write(
            lambda tx: _make(tx, "code", client, scope, life_ms=CODE_LIFE_MS, redirect=redirect)
        )

    async def pair(self, client: str = "", scope: str = EVERYTHING) -> Json:
        """Make an access token and a refresh token; return them as the token endpoint does."""

        return await self.database.write(lambda tx: make_pair(tx, self.life_s, client, scope))

    async def rclone_form(self) -> Json:
        """Make tokens and return them as rclone's configuration stores them."""
        return rclone_form(await self.pair(), self.database.clock())

    async def exchange(self, form: Mapping[str, str], authorization: str | None) -> Json:
        """Answer a token request; raises Refused 400 or 401 in the shape of OAuth."""
        client = _client(form, authorization)
        match form.get("grant_type"):
            case "authorization_code":
                return await self.database.write(lambda tx: self._from_code(tx, form, client))
            case "refresh_token":
                return await self.database.write(lambda tx: self._from_refresh(tx, form, client))
            case None | "":
                raise oauth_error(
                    400, "invalid_request", "The request is missing a required parameter : grant_type"
                )
            case _:
                raise oauth_error(400, "unsupported_grant_type", "The grant type is not supported")

    def _from_code(self, tx: Transaction, form: Mapping[str, str], client: str) -> Json:
        code = form.get("code", "")
        grant = _read(tx.db, code)
        if (
            grant is None
            or grant.kind != "code"
            or grant.expires_ms <= tx.now_ms
            or grant.client != client
            or grant.redirect != form.get("redirect_uri", "")
        ):
            raise oauth_error(400, "invalid_grant", "The request has an invalid grant parameter : code")
        tx.db.execute("DELETE FROM credential WHERE digest = ?", (_digest(code),))
        return make_pair(tx, self.life_s, client, grant.scope)

    def _from_refresh(self, tx: Transaction, form: Mapping[str, str], client: str) -> Json:
        token = form.get("refresh_token", "")
        grant = _read(tx.db, token)
        # A token made without a client, by the command itself, serves whoever holds it.
        if grant is None or grant.kind != "refresh" or grant.client not in ("", client):
            raise oauth_error(
                400, "invalid_grant", "The request has an invalid grant parameter : refresh_token"
            )
        return make_pair(tx, self.life_s, grant.client or client, grant.scope, refresh=token)


def make_pair(
    tx: Transaction, life_s: int, client: str = "", scope: str = EVERYTHING, refresh: str = ""
) -> Json:
    """Make an access token, and a refresh token unless there is one; return the token endpoint's answer."""
    tx.db.execute("DELETE FROM credential WHERE expires_ms BETWEEN 1 AND ?", (tx.now_ms,))
    return {
        "access_token": _make(tx, "access", client, scope, life_ms=life_s * 1000),
        "refresh_token": refresh or _make(tx, "refresh", client, scope, life_ms=0),
        "token_type": "bearer",
        "expires_in": life_s,
    }


def rclone_form(made: Json, now_ms: int) -> Json:
    """Write the token endpoint's answer, given at `now_ms`, as rclone's configuration stores it."""
    end_ns = (now_ms + made["expires_in"] * 1000) * 1_000_000
    moment = datetime.fromtimestamp(end_ns // 10**9, UTC)
    return {
        "access_token": made["access_token"],
        "token_type": made["token_type"],
        "refresh_token": made["refresh_token"],
        "expiry": f"{moment:%Y-%m-%dT%H:%M:%S}.{end_ns % 10**9:09d}Z",
    }


def oauth_error(status: int, error: str, description: str) -> Refused:
    """Build an error of the OAuth endpoints (RFC 6749, section 5.2)."""
    return Refused(json_answer(status, {"error": error, "error_description": description}))


def _client(form: Mapping[str, str], authorization: str | None) -> str:
    """Return the client id, from HTTP Basic or from the form; any id will do."""
    client = form.get("client_id", "")
    scheme, _, rest = (authorization or "").partition(" ")
    if scheme.lower() == "basic":
        try:
            user = base64.b64decode(rest.strip(), validate=True).decode().partition(":")[0]
        except (binascii.Error, ValueError) as error:
            raise oauth_error(401, "invalid_client", "Client authentication failed") from error
        client = unquote_plus(user) or client
    if not client or len(client) > 500:
        raise oauth_error(401, "invalid_client", "Client authentication failed")
    return client


def _make(tx: Transaction, kind: str, client: str, scope: str, *, life_ms: int, redirect: str = "") -> str:
    opening = {"access": "Atza|", "refresh": "Atzr|", "code": "AN"}[kind]
    text = opening + (secrets.token_urlsafe(14) if kind == "code" else secrets.token_urlsafe(264))
    expires_ms = tx.now_ms + life_ms if life_ms else 0
    tx.db.execute(
        "INSERT INTO credential VALUES (?, ?, ?, ?, ?, ?)",
        (_digest(text), kind, client, scope, redirect, expires_ms),
    )
    return text


def _read(db: sqlite3.Connection, text: str) -> Grant | None:
    sql = "SELECT kind, client, scope, redirect, expires_ms FROM credential WHERE digest = ?"
    row = db.execute(sql, (_digest(text),)).fetchone()
    return None if row is None else Grant(*row)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
