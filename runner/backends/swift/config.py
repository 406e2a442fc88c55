"""What a manifest may say of a Swift remote."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from runner.model.config import RemoteConfig
from runner.model.secret import Reference

WORDS = {
    "auth": "auth.url", "auth_version": "auth.version", "user": "auth.user", "user_id": "auth.user_id",
    "key": "auth.key", "tenant": "auth.project", "tenant_id": "auth.project_id", "domain": "auth.user_domain",
    "tenant_domain": "auth.project_domain", "auth_token": "auth.token", "endpoint_type": "interface",
}  # fmt: skip
"""rclone's words for the fields."""


class SwiftAuth(BaseModel):
    """Who logs in, and where. Without a `url` here: what the environment says (`OS_*`, then `ST_*`)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(
        default="",
        pattern=r"^(https?://\S+)?$",
        description="Address of the log-in, such as `https://keystone.example.org:5000/v3` or"
        " `https://swift.example.org/auth/v1.0`.",
    )
    version: Literal["auto", 1, 3] = Field(
        default="auto",
        description="Protocol of the log-in; by default as its address and the other fields tell.",
    )
    user: str = Field(default="", description="Name of the user; with version 1, `account:user`.")
    user_id: str = Field(default="", description="Id of the user, in place of its name and domain.")
    key: Reference | None = Field(default=None, description="Password, or with version 1 the key.")
    project: str = Field(default="", description="Name of the project (tenant) whose storage is meant.")
    project_id: str = Field(default="", description="Id of the project, in place of its name and domain.")
    user_domain: str = Field(default="", description="Domain of the user, by name; `Default` by default.")
    project_domain: str = Field(
        default="", description="Domain of the project, by name; by default that of the user."
    )
    application_credential_id: str = Field(default="", description="Id of an application credential.")
    application_credential_name: str = Field(
        default="", description="Name of an application credential of the user, in place of its id."
    )
    application_credential_secret: Reference | None = Field(
        default=None, description="Secret of the application credential."
    )
    token: Reference | None = Field(
        default=None,
        description="A token that somebody else has got; it goes with `storage_url`, and is not renewed.",
    )


class SwiftConfig(RemoteConfig):
    """OpenStack Swift, or a server that speaks its protocol."""

    type: Literal["swift"] = Field(description="OpenStack Swift, or a server that speaks its protocol.")
    container: str = Field(
        default="",
        pattern=r"^[^/]*$",
        max_length=256,
        description="Container below which all paths are taken; without it the first part of a path is the container.",
    )
    region: str = Field(default="", description="Region of the storage; by default the catalog's first.")
    interface: Literal["public", "internal", "admin"] = Field(
        default="public", description="Which of the storage's addresses in the catalog is used."
    )
    storage_url: str = Field(
        default="",
        pattern=r"^(https?://\S+)?$",
        description="Address of the storage, in place of the one that the log-in tells.",
    )
    storage_policy: str = Field(
        default="",
        pattern=r"^\S*$",
        description="Storage policy of containers that are made; by default the cluster's.",
    )
    segments: str = Field(
        default="",
        pattern=r"^[^/]*$",
        max_length=256,
        description="Container for the segments of large files; by default the container's name and `_segments`.",
    )
    auth: SwiftAuth = Field(default=SwiftAuth(), description="Who logs in, and where.")
