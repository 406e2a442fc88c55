"""The log-in: TempAuth's (version 1) or Keystone's (version 3), and the token that it brings."""

import asyncio
import json
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

from runner.backends.swift.credentials import Account
from runner.model.errors import AcdrunError, BadAnswer, LoginNeeded, Throttled, Unavailable, UsageError
from runner.model.path import show
from runner.model.secret import Secret
from runner.remote.http import Reply, Request, origin, show_url
from runner.remote.secrets import known
from runner.remote.tokens import sendable
from runner.remote.wire import Wire

_EARLY_S = 60.0
"""A token is renewed this long before its end."""
_MOST = 4 << 20


class Entry(NamedTuple):
    """What a log-in brought. until: on the monotonic clock, None where nobody says."""

    token: str
    storage_url: str
    until: float | None


class Session:
    """Logs in when a token is first needed, and again when it is refused or near its end: one for all who wait.

    wire: with a throttle of its own, for a request that waits for a token holds a place of the other.
    """

    def __init__(self, wire: Wire, account: Account, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._wire = wire
        self._account = account
        self._clock = clock
        self._door = asyncio.Lock()
        self._entry: Entry | None = None

    async def storage_url(self) -> str:
        """Where the account's storage is. Raises LoginNeeded."""
        return self._account.storage_url.rstrip("/") or (await self._current()).storage_url

    async def bearer(self) -> str:
        """The token. Raises LoginNeeded."""
        return (await self._current()).token

    async def renew(self, refused: str) -> None:
        """Get another, unless somebody has. Raises LoginNeeded."""
        async with self._door:
            if self._entry is not None and self._entry.token == refused:
                if self._account.version == 0:
                    raise LoginNeeded("the token is refused, and there is nobody to log in as for another")
                self._entry = await self._log_in()

    async def _current(self) -> Entry:
        entry = self._entry
        if entry is None or (entry.until is not None and self._clock() > entry.until):
            async with self._door:
                if self._entry is entry:
                    self._entry = await self._log_in()
                entry = self._entry
        assert entry is not None
        return entry

    async def _log_in(self) -> Entry:
        account, asked = self._account, self._clock()
        if account.version == 0:
            return Entry(account.token.reveal(), account.storage_url, None)
        entry = await (self._tempauth() if account.version == 1 else self._keystone())
        known(Secret(entry.token))
        if not entry.token or not sendable(entry.token):
            raise BadAnswer("the log-in brought no token that can be sent")
        origin(account.storage_url or entry.storage_url)
        if entry.until is not None:
            # One that lives shorter than the usual is not asked for anew with each request.
            entry = entry._replace(until=asked + max(entry.until - _EARLY_S, entry.until / 2))
        return entry

    async def _tempauth(self) -> Entry:
        account = self._account
        headers = (("X-Auth-User", account.user), ("X-Auth-Key", account.key.reveal()))
        if not all(map(sendable, (value for _, value in headers))):
            raise LoginNeeded("user or key have characters that this log-in cannot send")
        reply = await self._wire.call(Request("GET", account.url, headers=headers, authorised=False))
        life = reply.headers.get("x-auth-token-expires", "")
        return Entry(
            reply.headers.get("x-auth-token", "") or reply.headers.get("x-storage-token", ""),
            reply.headers.get("x-storage-url", "").rstrip("/"),
            float(life) if life.isascii() and life.isdigit() and len(life) < 10 else None,
        )

    async def _keystone(self) -> Entry:
        base = self._account.url
        url = f"{base if '/v3' in base else base + '/v3'}/auth/tokens"
        body = json.dumps({"auth": identity(self._account)}).encode()
        headers = (("Content-Type", "application/json"), ("Accept", "application/json"))
        request = Request("POST", url, headers=headers, body=body, authorised=False)
        reply = await self._wire.call(request, most=_MOST)
        try:
            token: dict[str, Any] = json.loads(reply.body)["token"]
            storage = "" if self._account.storage_url else self._storage_in(token.get("catalog") or [])
            end = (
                datetime.fromisoformat(str(token["expires_at"])).timestamp()
                if token.get("expires_at")
                else None
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise BadAnswer("the log-in was answered with what is no token") from None
        offset = self._wire.service_clock.offset_s or 0.0
        life = None if end is None else max(0.0, end - time.time() - offset)
        return Entry(reply.headers.get("x-subject-token", ""), storage, life)

    def _storage_in(self, catalog: list[dict[str, Any]]) -> str:
        """The storage's address of the region and the interface that are meant. Raises UsageError."""
        region, interface, seen = self._account.region, self._account.interface, list[str]()
        for service in catalog:
            for end in service["endpoints"] if service.get("type") == "object-store" else ():
                where = str(end.get("region_id") or end.get("region") or "")
                if end["interface"] == interface and region in ("", where):
                    return str(end["url"]).rstrip("/")
                seen.append(f"{where} ({end['interface']})")
        there = ", ".join(map(show, seen[:20])) or "none"
        raise UsageError(
            f"the catalog has no object storage in region {region or 'any'!r} with the interface {interface!r}",
            hint=f"it has: {there}",
        )


def identity(account: Account) -> dict[str, Any]:
    """What Keystone is told. Source: Identity API v3, password and application credential authentication."""
    user_domain = _domain(account.user_domain, account.user_domain_id)
    user: dict[str, Any] = (
        {"id": account.user_id} if account.user_id else {"name": account.user, "domain": user_domain}
    )
    if account.credential_id or account.credential_name:
        given: dict[str, Any] = {"secret": account.credential_secret.reveal()}
        if account.credential_id:
            given["id"] = account.credential_id
        else:
            given |= {"name": account.credential_name, "user": user}
        return {"identity": {"methods": ["application_credential"], "application_credential": given}}
    who = {"methods": ["password"], "password": {"user": {**user, "password": account.key.reveal()}}}
    if account.project_id:
        return {"identity": who, "scope": {"project": {"id": account.project_id}}}
    if account.project:
        domain = user_domain
        if account.project_domain or account.project_domain_id:
            domain = _domain(account.project_domain, account.project_domain_id)
        return {"identity": who, "scope": {"project": {"name": account.project, "domain": domain}}}
    return {"identity": who}  # the user's default project, where there is one


def _domain(name: str, id_: str) -> dict[str, str]:
    return {"id": id_} if id_ else {"name": name or "Default"}


def classify(request: Request, reply: Reply) -> AcdrunError | None:
    """The error that an answer of the log-in stands for. What it says is not repeated: it may quote what was sent."""
    where = f"{request.method} {show_url(request.url)}: status {reply.status}"
    if reply.status in (400, 401, 403):
        return LoginNeeded(
            f"the log-in is refused: {where}", hint="are user, key, project and domains those of this cloud?"
        )
    if reply.status == 404:
        return LoginNeeded(
            f"there is no log-in at this address: {where}", hint="is auth.url right, its version too?"
        )
    if reply.status in (429, 498):
        return Throttled(where)
    if reply.status in (408, 500, 502, 503, 504):
        return Unavailable(where)
    return BadAnswer(where) if reply.status >= 400 else None
