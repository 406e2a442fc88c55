"""Whose keys sign: the manifest's, the environment's, or those of a profile of the shared credentials file."""

import asyncio
import configparser
import os
from pathlib import Path

from runner.backends.s3.config import S3Config
from runner.backends.s3.sign import Keys
from runner.model.errors import LoginNeeded
from runner.model.secret import Reference, Secret
from runner.remote.secrets import known, read_private, resolve

_HOW = "name them under `auth`, set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or choose a profile"


async def credentials(config: S3Config) -> tuple[Keys, str]:
    """The keys, and the region to ask first. Raises LoginNeeded when there are none, Denied for an open file."""
    auth = config.auth
    region = config.region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or ""
    profile = auth.profile or os.environ.get("AWS_PROFILE") or "default"
    if not region:
        region = _from_profile(_config_file(), profile if profile == "default" else f"profile {profile}").get(
            "region", ""
        )
    region = region or "us-east-1"
    if auth.access_key_id is not None or auth.secret_access_key is not None:
        if auth.access_key_id is None or auth.secret_access_key is None:
            raise LoginNeeded("one half of the keys is missing: access_key_id goes with secret_access_key")
        return await _named(auth.access_key_id, auth.secret_access_key, auth.session_token), region
    if auth.profile is None and os.environ.get("AWS_ACCESS_KEY_ID"):
        words = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
        keys = Keys(*(os.environ.get(word, "") for word in words))
    else:
        section = _from_profile(_credentials_file(), profile)
        words = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
        keys = Keys(*(section.get(word, "").strip() for word in words))
    if not keys.id or not keys.secret:
        raise LoginNeeded("there are no keys to sign with", hint=_HOW)
    known(Secret(keys.secret))
    known(Secret(keys.token))
    return keys, region


async def _named(key: Reference, secret: Reference, token: Reference | None) -> Keys:
    words = [
        await asyncio.to_thread(resolve, one) if one is not None else None for one in (key, secret, token)
    ]
    return Keys(*(word.reveal() if word is not None else "" for word in words))


def _credentials_file() -> Path:
    return Path(os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or os.path.expanduser("~/.aws/credentials"))


def _config_file() -> Path:
    return Path(os.environ.get("AWS_CONFIG_FILE") or os.path.expanduser("~/.aws/config"))


def _from_profile(path: Path, section: str) -> dict[str, str]:
    """A section of one of the two files, empty where there is none. Others may not read the one with the keys."""
    parser = configparser.RawConfigParser(strict=False)
    try:
        text = read_private(path) if path == _credentials_file() else path.read_text(encoding="utf-8")
        parser.read_string(text)
    except LoginNeeded:
        return {}
    except (OSError, UnicodeDecodeError):
        return {}
    except configparser.Error:
        pass
    else:
        return dict(parser[section]) if parser.has_section(section) else {}
    raise LoginNeeded(
        f"{str(path)!r} cannot be read as sections of `name = value`"
    )  # the error would carry lines
