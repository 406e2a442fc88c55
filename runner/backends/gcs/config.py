"""What a manifest may say of a Google Cloud Storage remote."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from runner.model.config import RemoteConfig
from runner.model.secret import Reference


class GcsAuth(BaseModel):
    """Who asks. Without anything here: the token of `acdrun login`, else Google's application default credentials."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    service_account_file: Path | None = Field(
        default=None, description="Key file of a service account, as JSON; only its owner may read it."
    )
    service_account_credentials: Reference | None = Field(
        default=None, description="The content of such a key file, where it is no file."
    )
    token: Reference | None = Field(
        default=None, description="The token as JSON: access_token, token_type, refresh_token, expiry."
    )
    client_id: Reference | None = Field(
        default=None, description="Client id of your own registered application, for `acdrun login`."
    )
    client_secret: Reference | None = Field(
        default=None, description="Client secret that belongs to the client id."
    )
    auth_url: str | None = Field(
        default=None, description="Address of the consent page; by default Google's."
    )
    token_url: str | None = Field(
        default=None,
        description="Address where tokens are exchanged; by default Google's, or what a key file names.",
    )
    anonymous: bool = Field(
        default=False, description="Ask without a token, which public buckets and emulators allow."
    )


class GcsConfig(RemoteConfig):
    """Google Cloud Storage, or an emulator of it."""

    type: Literal["google cloud storage", "gcs"] = Field(description="Google Cloud Storage.")
    endpoint: str = Field(
        default="",
        pattern=r"^(https?://[^/?#]+(/storage/v1)?/?)?$",
        description="Address of the service; by default Google's, or what STORAGE_EMULATOR_HOST names.",
    )
    bucket: str = Field(
        default="",
        pattern=r"^([a-z0-9][a-z0-9._-]{1,221})?$",
        description="Bucket below which all paths are taken; without it the first part of a path is the bucket.",
    )
    project_number: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9:.-]*$",
        description="Project, by number or id, whose buckets are listed and in which a bucket is made.",
    )
    user_project: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9:.-]*$",
        description="Project that pays for the requests, where the bucket has the requester pay.",
    )
    location: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9-]*$",
        description="Where a bucket is made, such as `europe-west3`; by default where the service makes it.",
    )
    storage_class: str = Field(
        default="",
        pattern=r"^[A-Z_]*$",
        description="Storage class of what is stored, such as `NEARLINE`; by default the bucket's own.",
    )
    trash: Literal["auto", "copies"] = Field(
        default="auto",
        description="Where the content that is removed or replaced stays: `auto` leaves it to the bucket where that"
        " keeps versions or soft-deletes; `copies`, and else, it is copied to `.acdrun-trash` before.",
    )
    auth: GcsAuth = Field(default=GcsAuth.model_construct(), description="Who asks.")
