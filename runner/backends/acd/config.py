"""What a manifest may say of an Amazon Cloud Drive remote."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from runner.model.config import IndexedConfig
from runner.model.secret import Reference


class AcdAuth(BaseModel):
    """How to log in. Without a token here, the one stored by `acdrun login` is used."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    token: Reference | None = Field(
        default=None, description="The token as JSON: access_token, token_type, refresh_token, expiry."
    )
    client_id: Reference | None = Field(
        default=None, description="Client id of your own registered application."
    )
    client_secret: Reference | None = Field(
        default=None, description="Client secret that belongs to the client id."
    )
    auth_url: str | None = Field(
        default=None,
        description="Address of the consent page; by default Amazon's, or the named server's own.",
    )
    token_url: str | None = Field(
        default=None,
        description="Address where tokens are exchanged; by default Amazon's, or the named server's own.",
    )
    pkce: bool = Field(
        default=False,
        description="Bind a log-in to this machine by PKCE (RFC 7636); older applications may not know it.",
    )


class AcdConfig(IndexedConfig):
    """Amazon Cloud Drive, or a server that speaks its protocol."""

    type: Literal["amazon cloud drive", "acd"] = Field(description="Amazon Cloud Drive.")
    server: str = Field(
        default="amazon",
        pattern=r"^(amazon|embedded|https?://.+)$",
        description="`amazon`; `embedded`, the built-in server with files in the state directory; or a URL.",
    )
    auth: AcdAuth = Field(default=AcdAuth.model_construct(), description="How to log in.")
