"""The log-in of a service account: a statement signed with its key is good for a token of an hour.

Source: RFC 7523, and Google's description of OAuth 2.0 for server to server applications.
"""

import base64
import json
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from runner.backends.gcs.login import SCOPE, TOKEN_URL
from runner.model.errors import LoginNeeded
from runner.model.secret import Secret
from runner.remote.oauth import OAuth
from runner.remote.secrets import known
from runner.remote.signing import rs256
from runner.remote.tokens import Token
from runner.remote.wire import Wire

_LIFE_S = 3600
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_NONE_YET = Token(Secret(""), expiry=0.0)


class Key(NamedTuple):
    """What a key file holds. token_url: where its statements are good."""

    email: str
    id: str
    private: Secret
    token_url: str

    @classmethod
    def parse(cls, data: dict[str, Any], where: str) -> "Key":
        """Read the fields of a key file. Raises LoginNeeded, naming `where`."""
        email, private = data.get("client_email"), data.get("private_key")
        if not isinstance(email, str) or not isinstance(private, str) or not email or not private:
            raise LoginNeeded(
                f"{where} is no key of a service account: it has no client_email and private_key"
            )
        for line in private.splitlines():
            if not line.startswith("-----"):
                known(Secret(line))
        return cls(
            email, str(data.get("private_key_id") or ""), known(Secret(private)),
            str(data.get("token_uri") or TOKEN_URL),
        )  # fmt: skip


class ServiceAccount(OAuth):
    """The authoriser of a remote whose requests a service account makes. Its tokens are kept nowhere."""

    def __init__(
        self, wire: Wire, key: Key, token_url: str | None, *, now: Callable[[], float] = time.time
    ) -> None:
        super().__init__(wire, token_url or key.token_url, store=None, now=now)
        self._key = key
        self._audience = key.token_url
        self._remote = wire.remote
        self._sign = rs256(key.private, f"the service account {key.email!r}", "gcs")

    def _at_hand(self) -> Token:
        return self._token or _NONE_YET

    def _grant(self, old: Token) -> dict[str, str]:
        now = int(self._now())
        claims = {
            "iss": self._key.email, "scope": SCOPE, "aud": self._audience, "iat": now, "exp": now + _LIFE_S,
        }  # fmt: skip
        head = {"alg": "RS256", "typ": "JWT", "kid": self._key.id}
        text = f"{_part(head)}.{_part(claims)}"
        signature = base64.urlsafe_b64encode(self._sign(text.encode())).rstrip(b"=").decode()
        return {"grant_type": _GRANT, "assertion": known(Secret(f"{text}.{signature}")).reveal()}

    def _login(self, why: str) -> LoginNeeded:
        return LoginNeeded(
            f"the token endpoint refuses the key of {self._key.email!r}: {why}",
            remote=self._remote,
            hint="is the key still one of the account's, and is this machine's clock right?",
        )


def _part(fields: dict[str, Any]) -> str:
    text = json.dumps(fields, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()
