"""Who asks: what the manifest names, the token of `acdrun login`, or Google's application default credentials."""

import asyncio
import hashlib
import json
from typing import Any, NamedTuple

from runner.backends.gcs.config import GcsConfig
from runner.backends.gcs.login import TOKEN_URL, default_file
from runner.backends.gcs.service_account import Key, ServiceAccount
from runner.model.backend import Setting
from runner.model.errors import LoginNeeded
from runner.model.secret import Reference, Secret
from runner.remote.oauth import OAuth
from runner.remote.secrets import known, read_private, resolve
from runner.remote.tokens import Token, TokenStore
from runner.remote.wire import Authoriser, Wire

_HOW = "acdrun login {0}, name a key file under `auth`, or set GOOGLE_APPLICATION_CREDENTIALS"


class Asker(NamedTuple):
    """authoriser: None for who needs no token. name: tells askers apart, and gives nothing away."""

    authoriser: Authoriser | None
    name: str


async def asker(config: GcsConfig, setting: Setting, wire: Wire, *, emulated: bool) -> Asker:
    """Find out who asks; contacts nobody. Raises LoginNeeded when there is nobody, Denied for an open file.

    wire: a way to the token endpoint; emulated: the service is the emulator that the environment names.
    """
    auth = config.auth
    if auth.anonymous:
        return Asker(None, "anonymous")
    if auth.service_account_file is not None:
        path = auth.service_account_file.expanduser()
        text = await asyncio.to_thread(read_private, path)
        return _account(_fields(text, str(path)), str(path), config, wire)
    if auth.service_account_credentials is not None:
        text = (await asyncio.to_thread(resolve, auth.service_account_credentials)).reveal()
        return _account(_fields(text, "the configured key"), "the configured key", config, wire)
    store = TokenStore(setting.state, setting.remote)
    if auth.token is not None or auth.client_id is not None or store.load() is not None:
        configured = await _secret(auth.token)
        seed = Token.parse(configured.reveal(), "the configured token") if configured is not None else None
        client, secret = await _secret(auth.client_id), await _secret(auth.client_secret)
        oauth = OAuth(
            wire, auth.token_url or TOKEN_URL, store=store, seed=seed, client_id=client, client_secret=secret
        )
        return Asker(oauth, _name("login", setting.remote, str(setting.state)))
    if emulated:
        return Asker(None, "anonymous")
    return await _default(config, setting, wire)


async def _default(config: GcsConfig, setting: Setting, wire: Wire) -> Asker:
    """Google's application default credentials: a file that the environment names, or that gcloud has written."""
    path = default_file()
    if not path.exists():
        raise LoginNeeded("nobody is logged in", remote=setting.remote, hint=_HOW.format(setting.remote))
    data = _fields(await asyncio.to_thread(read_private, path), str(path))
    if data.get("type") == "service_account":
        return _account(data, str(path), config, wire)
    refresh = data.get("refresh_token")
    if data.get("type") != "authorized_user" or not isinstance(refresh, str) or not refresh:
        kind = data.get("type")
        shown = repr(kind) if isinstance(kind, str) and len(kind) < 64 else "nothing known"
        raise LoginNeeded(
            f"{str(path)!r} is for {shown}, and only authorized_user and service_account can be used",
            hint=_HOW.format(setting.remote),
        )
    seed = Token(Secret(""), refresh=known(Secret(refresh)), expiry=0.0)
    client, secret = (known(Secret(str(data.get(word, "")))) for word in ("client_id", "client_secret"))
    oauth = OAuth(
        wire, config.auth.token_url or TOKEN_URL, store=TokenStore(setting.state, setting.remote), seed=seed,
        client_id=client, client_secret=secret,
    )  # fmt: skip
    return Asker(oauth, _name("user", refresh))


def _account(data: dict[str, Any], where: str, config: GcsConfig, wire: Wire) -> Asker:
    key = Key.parse(data, where)
    return Asker(ServiceAccount(wire, key, config.auth.token_url), _name("account", key.email))


def _fields(text: str, where: str) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        data = None  # the error would carry the text
    if not isinstance(data, dict):
        raise LoginNeeded(f"{where} holds no credentials: it is no JSON object")
    return data


def _name(*words: str) -> str:
    return hashlib.sha256("\0".join(words).encode()).hexdigest()[:16]


async def _secret(reference: Reference | None) -> Secret | None:
    return await asyncio.to_thread(resolve, reference) if reference is not None else None
