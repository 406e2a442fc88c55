"""What a manifest may say of a local remote."""

from typing import Literal

from pydantic import Field

from runner.model.config import RemoteConfig


class LocalConfig(RemoteConfig):
    """A folder of this machine. Paths without a remote need no declaration; this is for naming one."""

    type: Literal["local"] = Field(description="A local disk.")
    path: str = Field(
        default="/",
        description="Folder that is the top of this remote, relative to the manifest's; `~` is expanded.",
    )
