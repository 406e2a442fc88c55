"""Who logs in: as the manifest says, or the environment in the words of OpenStack's and Swift's own clients."""

import asyncio
import hashlib
import os
from typing import NamedTuple

from runner.backends.swift.config import SwiftAuth, SwiftConfig
from runner.model.errors import LoginNeeded, UsageError
from runner.model.secret import Reference, Secret
from runner.remote.secrets import known, resolve

_HOW = "name a log-in under `auth`, or set OS_AUTH_URL and what belongs to it, or ST_AUTH, ST_USER and ST_KEY"
_NONE = Secret("")


class Account(NamedTuple):
    """Who logs in where. version: 1 or 3; 0 for nobody, who has a token and the storage's address already.

    Domains: names, but for the environment's, which may be ids. credential: id, or name with a user, and secret.
    """

    version: int
    url: str = ""
    user: str = ""
    user_id: str = ""
    key: Secret = _NONE
    project: str = ""
    project_id: str = ""
    user_domain: str = ""
    user_domain_id: str = ""
    project_domain: str = ""
    project_domain_id: str = ""
    credential_id: str = ""
    credential_name: str = ""
    credential_secret: Secret = _NONE
    token: Secret = _NONE
    storage_url: str = ""
    region: str = ""
    interface: str = "public"

    @property
    def place(self) -> str:
        """Which storage this is, as memories name it: the same for all who log in as this one. Tells no secret."""
        said = [part for part in self if isinstance(part, str | int)]
        return hashlib.sha256(repr(said).encode()).hexdigest()[:24]


async def account(config: SwiftConfig) -> Account:
    """Find out; contact nobody. Raises LoginNeeded, Denied, UsageError."""
    auth = config.auth
    if auth.url or auth.token is not None:
        found = await _named(auth)
    else:
        found = _from_environment()
    found = found._replace(
        storage_url=config.storage_url or found.storage_url,
        region=config.region or found.region,
        interface=config.interface if "interface" in config.model_fields_set else found.interface,
    )
    return _checked(found)


async def _named(auth: SwiftAuth) -> Account:
    return Account(
        _version(auth),
        auth.url.rstrip("/"),
        auth.user,
        auth.user_id,
        await _secret(auth.key),
        auth.project,
        auth.project_id,
        auth.user_domain,
        "",
        auth.project_domain,
        "",
        auth.application_credential_id,
        auth.application_credential_name,
        await _secret(auth.application_credential_secret),
        await _secret(auth.token),
    )


def _version(auth: SwiftAuth) -> int:
    if auth.token is not None:
        return 0
    if auth.version != "auto":
        return auth.version
    keystone = (auth.user_id, auth.project, auth.project_id, auth.user_domain, auth.project_domain)
    more = (auth.application_credential_id, auth.application_credential_name)
    return version_of(auth.url, keystone=any(keystone) or any(more))


def version_of(url: str, *, keystone: bool) -> int:
    """Which log-in is behind this address, where nobody says. Raises UsageError for one that is gone."""
    path = "/" + url.partition("://")[2].partition("/")[2].lower() + "/"
    if "/v2.0/" in path:
        raise UsageError(
            "the log-in of Keystone v2 is gone since 2018", hint="its v3 is at the same host: .../v3"
        )
    if "/v3/" in path:
        return 3
    if "/v1/" in path or "/v1.0/" in path:
        return 1
    return 3 if keystone else 1


async def _secret(reference: Reference | None) -> Secret:
    return _NONE if reference is None else await asyncio.to_thread(resolve, reference)


def _from_environment() -> Account:
    """The words of `openstack` and `swift`, which rclone reads too."""
    if url := _env("OS_AUTH_URL"):
        project = (_env("OS_PROJECT_NAME", "OS_TENANT_NAME"), _env("OS_PROJECT_ID", "OS_TENANT_ID"))
        credential = (_env("OS_APPLICATION_CREDENTIAL_ID"), _env("OS_APPLICATION_CREDENTIAL_NAME"))
        said = _env("OS_IDENTITY_API_VERSION", "ST_AUTH_VERSION").partition(".")[0]
        version = int(said) if said in ("1", "3") else version_of(url, keystone=True)
        return Account(
            version,
            url.rstrip("/"),
            _env("OS_USERNAME"),
            _env("OS_USER_ID"),
            _known("OS_PASSWORD"),
            *project,
            _env("OS_USER_DOMAIN_NAME"),
            _env("OS_USER_DOMAIN_ID"),
            _env("OS_PROJECT_DOMAIN_NAME"),
            _env("OS_PROJECT_DOMAIN_ID"),
            *credential,
            _known("OS_APPLICATION_CREDENTIAL_SECRET"),
            storage_url=_env("OS_STORAGE_URL"),
            region=_env("OS_REGION_NAME"),
            interface=_env("OS_ENDPOINT_TYPE", "OS_INTERFACE").removesuffix("URL") or "public",
        )
    if url := _env("ST_AUTH"):
        return Account(
            1, url.rstrip("/"), _env("ST_USER"), key=_known("ST_KEY"), storage_url=_env("OS_STORAGE_URL")
        )
    return Account(0, token=_known("OS_AUTH_TOKEN"), storage_url=_env("OS_STORAGE_URL"))


def _env(*names: str) -> str:
    return next((value for name in names if (value := os.environ.get(name))), "")


def _known(name: str) -> Secret:
    return known(Secret(_env(name)))


def _checked(found: Account) -> Account:
    """Raises LoginNeeded for one that cannot log in."""
    if found.version == 0:
        if not found.token.reveal() or not found.storage_url:
            raise LoginNeeded("there is nobody to log in as", hint=_HOW)
        return found
    if found.credential_id or found.credential_name:
        if not found.credential_secret.reveal():
            raise LoginNeeded(
                "the application credential has no secret", hint="auth.application_credential_secret"
            )
        if not found.credential_id and not (found.user or found.user_id):
            raise LoginNeeded("an application credential that is named, not given by its id, needs its user")
        return found
    if not (found.user or found.user_id) or not found.key.reveal():
        raise LoginNeeded("one half of the log-in is missing: a user goes with its key", hint=_HOW)
    return found
