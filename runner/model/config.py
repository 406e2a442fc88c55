"""What every remote's configuration has in common."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from runner.model.units import Duration, Rate


class Limits(BaseModel):
    """How hard a remote may be driven; all jobs that use it share these."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    requests_per_s: float | None = Field(
        default=None, gt=0, description="Most requests a second, averaged; no limit by default."
    )
    concurrency: int | Literal["auto"] = Field(
        default="auto",
        description="Most requests under way at once; `auto` begins with the backend's own advice and, at a service"
        " that refuses what is too much, grows as long as throughput grows with it, to 512 at most.",
    )
    bandwidth: Rate | None = Field(
        default=None, description="Most bytes a second in both directions together, such as `20MiB/s`."
    )


class RemoteConfig(BaseModel):
    """The fields of every kind of remote; each kind adds its own and a `type`."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    root: str = Field(default="", description="Folder of the remote below which all paths are taken.")
    limits: Limits = Field(
        default=Limits.model_construct(), description="How hard this remote may be driven."
    )
    lock: Literal["local", "remote"] = Field(
        default="local",
        description="Who is kept out while a run writes here: other runs of this machine (`local`), or of every"
        " machine (`remote`: a lease is kept at the remote, which is right where hosts share it).",
    )


class IndexPolicy(BaseModel):
    """How far the local index of a remote is believed."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    max_age: Duration = Field(
        default=timedelta(days=7),
        description="How long listings may come from the index before the remote is listed whole again, and the"
        " index compared with that.",
    )


def _form(value: object) -> str:
    return "off" if isinstance(value, bool) else "policy"


IndexChoice = Annotated[
    Annotated[Literal[False], Tag("off")] | Annotated[IndexPolicy, Tag("policy")], Discriminator(_form)
]


class IndexedConfig(RemoteConfig):
    """The fields of a kind that has a change feed."""

    index: IndexChoice = Field(
        default=IndexPolicy.model_construct(),
        description="Keep an index of the whole account in the state directory: after a first listing, runs and"
        " plans ask for changes only. `false` lists every time.",
    )
