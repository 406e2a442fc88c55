"""What logging in to Google Cloud Storage needs."""

import os
from pathlib import Path

from runner.backends.gcs.config import GcsConfig
from runner.remote.login import Provider

SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"
TOKEN_URL = "https://oauth2.googleapis.com/token"  # noqa: S105  (an address)
EMULATOR = "STORAGE_EMULATOR_HOST"
_AUTH_URL = "https://accounts.google.com/o/oauth2/v2/auth"


def provider(config: GcsConfig) -> Provider | None:
    """Where this remote's tokens come from; None where nobody logs in."""
    auth = config.auth
    if auth.anonymous or auth.service_account_file or auth.service_account_credentials:
        return None
    if (
        auth.client_id is None
        and auth.token is None
        and (os.environ.get(EMULATOR) or default_file().exists())
    ):
        return None
    return Provider(
        auth_url=auth.auth_url or _AUTH_URL,
        token_url=auth.token_url or TOKEN_URL,
        scope=SCOPE,
        pkce=True,
        client_id=auth.client_id,
        client_secret=auth.client_secret,
        token=auth.token,
        more=(("access_type", "offline"), ("prompt", "consent")),
    )


def default_file() -> Path:
    """Google's application default credentials: where the environment names them, else where gcloud writes them."""
    named = os.environ.get("GOOGLE_APPLICATION_CREDENTIALS")
    folder = Path(os.environ.get("CLOUDSDK_CONFIG") or os.path.expanduser("~/.config/gcloud"))
    return Path(named) if named else folder / "application_default_credentials.json"
