"""The policies a pair follows: what makes a file changed, how long to try, when to refuse."""

from datetime import timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from runner.model.path import fault
from runner.model.units import Backoff, Duration, Percent, Size


class _Policy(BaseModel):
    # A model is built when it is first asked to read: to build each by itself takes as long as all else of a start.
    # So defaults are constructed, not read.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class ChecksumPolicy(_Policy):
    """What makes a file changed, and what proves a transfer."""

    compare: Literal["auto", "hash", "size", "time"] = Field(
        default="auto",
        description="What makes a file changed: its `hash`, its `size` alone, size and modification `time`, "
        "or `auto`, the strongest proof that both sides already carry.",
    )
    verify: Literal["server", "readback", "none"] = Field(
        default="server",
        description="What proves a transfer: the `server`'s own checksum after each upload, `readback` of "
        "the stored bytes, or `none`.",
    )
    sample: Percent = Field(
        default=1.0,
        description="Part of the uploaded files that readback reads, such as `5%`; all of them by default.",
    )

    @model_validator(mode="after")
    def _sample_needs_readback(self) -> "ChecksumPolicy":
        if self.sample != 1.0 and self.verify != "readback":
            raise ValueError(
                f"`sample` has a meaning only with `verify: readback`, not with `verify: {self.verify}`"
            )
        return self


class RetryPolicy(_Policy):
    """How often and how long a run tries again."""

    attempts: int = Field(
        default=3, ge=1, le=100, description="Most tries of one whole operation, the first included."
    )
    calls: int = Field(
        default=6,
        ge=1,
        le=100,
        description="Most tries of one request below an operation, the first included.",
    )
    backoff: Backoff = Field(
        default=Backoff(timedelta(seconds=1), timedelta(minutes=2)),
        description="Least and most wait before a further try, such as `1s..2m`; it grows with each try.",
    )
    budget: Duration = Field(
        default=timedelta(minutes=30),
        description="Most time that one run spends waiting for retries, such as `30m`.",
    )


class SourceGuard(_Policy):
    """What a source must look like before anything is written."""

    sentinel: str | None = Field(
        default=None,
        description="Path of a file, below the source, that must exist: proof that the disk is mounted.",
    )
    min_files: int = Field(default=0, ge=0, description="Fewest files the source must hold.")
    empty: Literal["refuse", "allow"] = Field(
        default="refuse", description="What to do with an empty source while the destination holds something."
    )
    require_mount: bool | Literal["auto"] = Field(
        default="auto",
        description="Whether a local source must be a mount point itself (`true`), or need not (`false`). `auto` "
        "asks of a source below /mnt, /media or /Volumes that something is mounted there, at it or above it.",
    )
    identity: Literal["warn", "same"] = Field(
        default="warn",
        description="What to do when the source is another disk, account or folder than in the last good run: "
        "`warn`, or run only with the `same` (`--accept-new-source` takes the other one from then on).",
    )

    @field_validator("sentinel")
    @classmethod
    def _below_the_source(cls, value: str | None) -> str | None:
        for part in value.split("/") if value is not None else ():
            if why := fault(part):
                raise ValueError(f"the sentinel is a path below the source, but this has {why}")
        return value


class DestinationGuard(_Policy):
    """What a destination must look like before anything is written."""

    identity: Literal["same", "warn"] = Field(
        default="same",
        description="What to do when the destination is another disk, account or folder than in the last good "
        "run: run only with the `same` (`--accept-new-destination` takes the other one from then on), or `warn`.",
    )
    space: Literal["refuse", "ignore"] = Field(
        default="refuse",
        description="Whether a plan is refused that stores more than the destination says it has room for.",
    )


class TrashGuard(_Policy):
    """How much of a destination one run may trash."""

    max: Percent = Field(
        default=0.10, description="Most of the destination's files that a run may trash, such as `10%`."
    )
    max_files: int = Field(
        default=1000, ge=0, description="Most files that a run may trash, whatever their share."
    )
    max_bytes: Size | None = Field(
        default=None,
        description="Most bytes that a run may trash, such as `50GiB`, whatever their share; no limit by default.",
    )
    always: int = Field(
        default=10,
        ge=0,
        description="A plan that trashes no more files than this is never refused by its share, nor for want "
        "of a history.",
    )
    no_history: Literal["refuse", "allow"] = Field(
        default="refuse",
        description="What to do with a plan that trashes more than `always` while no good run of the pair is on "
        "record: on a first run, or after the state directory was lost. `allow` where every run starts without "
        "one, such as on CI runners.",
    )


class OverwriteGuard(_Policy):
    """How much of a destination one run may overwrite."""

    max: Percent = Field(
        default=0.50, description="Most of the destination's files that a run may overwrite, such as `50%`."
    )
    always: int = Field(
        default=100,
        ge=0,
        description="A plan that overwrites no more files than this is never refused by its share.",
    )


class ShrinkGuard(_Policy):
    """How much smaller a source may be than in the last good run. Without such a run nothing is compared."""

    max: Percent = Field(
        default=0.50,
        description="Most of the files, or bytes, of the last good run that a source may lack, such as `50%`; "
        "`100%` for a source that is emptied now and then, such as a camera's card.",
    )
    always: int = Field(
        default=100,
        ge=0,
        description="A source that lacks no more files than this is never refused by their share.",
    )


class GuardPolicy(_Policy):
    """When a finished plan is refused."""

    source: SourceGuard = Field(
        default=SourceGuard.model_construct(), description="What the source must look like."
    )
    destination: DestinationGuard = Field(
        default=DestinationGuard.model_construct(), description="What the destination must look like."
    )
    trash: TrashGuard = Field(default=TrashGuard.model_construct(), description="How much may be trashed.")
    overwrite: OverwriteGuard = Field(
        default=OverwriteGuard.model_construct(), description="How much may be overwritten."
    )
    shrink: ShrinkGuard = Field(
        default=ShrinkGuard.model_construct(),
        description="How much smaller the source may be than in the last good run.",
    )
