"""What a manifest may say of an S3 remote."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from runner.model.config import RemoteConfig
from runner.model.secret import Reference


class S3Auth(BaseModel):
    """Whose keys sign the requests. Without any here: the environment's, then those of the profile."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    access_key_id: Reference | None = Field(default=None, description="Id of the access key.")
    secret_access_key: Reference | None = Field(
        default=None, description="Secret that belongs to the key id."
    )
    session_token: Reference | None = Field(
        default=None, description="Token that belongs to a key of limited life."
    )
    profile: str | None = Field(
        default=None,
        description="Section of the shared credentials file (`~/.aws/credentials`) to take keys from.",
    )


class S3Config(RemoteConfig):
    """Amazon S3, or a server that speaks its protocol."""

    type: Literal["s3"] = Field(description="Amazon S3, or a server that speaks its protocol.")
    endpoint: str = Field(
        default="",
        pattern=r"^((https?://)?[^/]+/?)?$",
        description="Address of the service, such as `minio.example.org:9000`; by default Amazon's in the region.",
    )
    region: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9-]*$",
        description="Region of the bucket; by default that of the environment or profile, else `us-east-1`."
        " A service that knows better is followed.",
    )
    bucket: str = Field(
        default="",
        pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{1,254})?$",
        description="Bucket below which all paths are taken; without it the first part of a path is the bucket.",
    )
    address: Literal["auto", "path", "host"] = Field(
        default="auto",
        description="Where the bucket stands in an address: in its path, or in the host's name."
        " `auto` is `host` with Amazon and `path` elsewhere.",
    )
    storage_class: str = Field(
        default="",
        pattern=r"^[A-Z_]*$",
        description="Storage class of what is stored, such as `STANDARD_IA`; by default the bucket's own.",
    )
    auth: S3Auth = Field(default=S3Auth(), description="Whose keys sign the requests.")
