"""Tokens: their form, and the files in which they are kept."""

import asyncio
import contextlib
import json
import os
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeGuard

from filelock import FileLock, Timeout

from runner.model import path as paths
from runner.model.errors import LoginNeeded, Unavailable
from runner.model.secret import Secret
from runner.remote.private import private_folder, sweep, write_private
from runner.remote.secrets import known, read_private

_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9})\d*)?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII
)
_LOCK_S = 60.0
_LATEST = 253402300799.0
"""The last second of the year 9999, after which no time can be written: seconds since 1970."""


@dataclass(frozen=True, slots=True)
class Token:
    """An OAuth 2.0 token. Its parts have no readable form.

    expiry: seconds since 1970; None when it does not expire or nobody said.
    seed: names the configured token this one was refreshed from; "" for one of `acdrun login`.
    """

    access: Secret
    refresh: Secret | None = None
    type: str = "bearer"
    expiry: float | None = None
    seed: str = field(default="", repr=False)

    @classmethod
    def parse(cls, text: str, where: str) -> "Token":
        """Read the JSON that rclone writes. Raises LoginNeeded, naming `where`, when it is no token."""
        try:
            data: Any = json.loads(text)
        except (ValueError, RecursionError):
            data = None  # the error would carry the text
        if not isinstance(data, dict):
            raise LoginNeeded(f"{where} holds no token")
        access, refresh, kind = (data.get(key, "") for key in ("access_token", "refresh_token", "token_type"))
        if not sendable(access) or not sendable(refresh) or not (access or refresh):
            raise LoginNeeded(f"{where} holds neither an access token nor a refresh token")
        return cls(
            access=known(Secret(access)),
            refresh=known(Secret(refresh)) if refresh else None,
            type=kind if isinstance(kind, str) and kind else "bearer",
            # Without an access token there is nothing to use before the first refresh.
            expiry=_instant(data.get("expiry"), where) if access else 0.0,
            seed=str(data.get("seed", "")),
        )

    def dump(self) -> str:
        """The JSON form, with the secrets in it."""
        data: dict[str, str] = {"access_token": self.access.reveal(), "token_type": self.type}
        if self.refresh is not None:
            data["refresh_token"] = self.refresh.reveal()
        if self.expiry is not None:
            data["expiry"] = datetime.fromtimestamp(self.expiry, UTC).isoformat().replace("+00:00", "Z")
        if self.seed:
            data["seed"] = self.seed
        return json.dumps(data)


def sendable(value: object) -> TypeGuard[str]:
    """Can it be sent as a token? Any other text breaks the header or the form that carries it. "" can."""
    return isinstance(value, str) and value.isascii() and value.isprintable()


class TokenStore:
    """The file of a remote's token: 0600 in a directory 0700, replaced as a whole, locked while refreshed."""

    def __init__(self, state: Path, remote: str) -> None:
        if paths.fault(remote) or remote.startswith("."):
            raise LoginNeeded(f"no token can be kept for a remote of the name {remote!r}")
        self.remote = remote
        self.path = state / "tokens" / f"{remote}.json"

    def load(self) -> Token | None:
        """The token, or None when there is no file. Raises Denied when others could read or replace it."""
        if not self.path.parent.exists():
            return None
        private_folder(self.path.parent)
        if not os.path.lexists(self.path):
            return None
        return Token.parse(read_private(self.path), str(self.path))

    def save(self, token: Token) -> None:
        """Replace the file, durably: after a crash it holds the old token or the new one, whole."""
        write_private(self.path, token.dump())

    @contextlib.asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        """Hold the file against other processes, and clear away what one that died left beside it.

        Raises Unavailable after a minute.
        """
        private_folder(self.path.parent)
        lock = FileLock(self.path.with_name(f".{self.path.name}.lock"), mode=0o600)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _LOCK_S
        while True:
            try:
                lock.acquire(timeout=0)
                break
            except Timeout:
                if loop.time() > deadline:
                    raise Unavailable("another process holds the token file", remote=self.remote) from None
            await asyncio.sleep(0.05)
        try:
            sweep(self.path)
            yield
        finally:
            lock.release()


def _instant(value: object, where: str) -> float | None:
    if value is None or value == "":
        return None
    match = _RFC3339.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise LoginNeeded(f"{where} holds a token whose expiry is no RFC 3339 time")
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    if year <= 1:
        return None  # Go writes its zero time for a token that does not expire
    fraction = int((match[7] or "0").ljust(9, "0")) / 1e9
    offset = timedelta(hours=int(match[9] or 0), minutes=int(match[10] or 0))
    try:
        instant = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC)
    except ValueError:
        raise LoginNeeded(f"{where} holds a token whose expiry is no RFC 3339 time") from None
    ahead_s = offset.total_seconds() * (-1 if match[8] == "-" else 1)
    return min(instant.timestamp() - ahead_s + fraction, _LATEST)
