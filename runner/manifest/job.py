"""The manifest as it is written: what each field may hold, and what it means.

The descriptions become the JSON Schema, the wizard's prompts and the reference page.
"""

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, field_validator, model_validator

from runner.manifest.location import REMOTE_NAME
from runner.manifest.rules import Rule
from runner.model.backend import Durability
from runner.model.pair import Case, Renames
from runner.model.policy import ChecksumPolicy, GuardPolicy, RetryPolicy
from runner.model.secret import Reference
from runner.model.units import Duration


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


def _form(value: Any) -> Literal["name", "policy"]:
    return "name" if isinstance(value, str) else "policy"


Name = Annotated[str, Field(pattern=r"^[\w][\w .-]*$", max_length=100)]
RemoteName = Annotated[str, Field(pattern=f"^{REMOTE_NAME}$", max_length=100)]
PolicyName = Annotated[str, Field(description="Name of a policy in `policies`, or `default`.")]

Checksum = Annotated[
    Annotated[PolicyName, Tag("name")] | Annotated[ChecksumPolicy, Tag("policy")], Discriminator(_form)
]
Retry = Annotated[
    Annotated[PolicyName, Tag("name")] | Annotated[RetryPolicy, Tag("policy")], Discriminator(_form)
]
Guard = Annotated[
    Annotated[PolicyName, Tag("name")] | Annotated[GuardPolicy, Tag("policy")], Discriminator(_form)
]

Links = Literal["skip", "block"]
Unreadable = Literal["incomplete", "fail"]
Mode = Literal["copy", "mirror"]
"""A move is done once, by the verb: a job that runs every night has nothing to say it with."""
Command = Annotated[tuple[str, ...], Field(min_length=1)]


class Policies(_Part):
    """Policies with names, so that a pair can say which one it follows. `default` is there already."""

    checksum: dict[Name, ChecksumPolicy] = Field(
        default={}, description="What makes a file changed or proven."
    )
    retry: dict[Name, RetryPolicy] = Field(default={}, description="How often and how long to try again.")
    guard: dict[Name, GuardPolicy] = Field(default={}, description="When a finished plan is refused.")


class Settings(_Part):
    """What a pair may say beside its places, and `defaults` may say for all pairs."""

    checksum: Checksum | None = Field(
        default=None,
        description="What makes a file changed and what proves a transfer: a policy or its name.",
    )
    retry: Retry | None = Field(
        default=None, description="How often and how long to try again: a policy or its name."
    )
    guard: Guard | None = Field(
        default=None, description="When a finished plan is refused: a policy or its name."
    )
    case: Case | None = Field(
        default=None,
        description="Names that the destination cannot tell apart, such as `A` and `a`: `refuse` them (default), "
        "or `rename`: one file keeps its name, each other is stored as `name~3fa2c1.ext`. Folders are refused.",
    )
    links: Links | None = Field(
        default=None,
        description="Symbolic links in the source: `skip` them (default), or `block`: the run is incomplete.",
    )
    unreadable: Unreadable | None = Field(
        default=None,
        description="Entries of the source that cannot be read: the run ends `incomplete`, or has to `fail`.",
    )
    renames: Renames | None = Field(
        default=None,
        description="Files that only changed their place in the source of a mirror: `detect` them by their content "
        "(default) and move them at the destination, or `ignore` that: send them again and trash the old ones.",
    )
    durability: Durability | None = Field(
        default=None,
        description="How a local destination is made to outlast a power cut: each `file` before the next one, or a "
        "`batch` of up to 500 files at once (default), which is many times as fast. Either way no path ever shows a "
        "part of a file, and what the journal calls done is on the disk.",
    )
    filter: tuple[Rule, ...] | None = Field(
        default=None,
        description="Which nodes take part: the first rule that matches decides; without one, a node does.",
    )


class Defaults(Settings):
    """What holds for every pair that does not say it itself; a pair's own value replaces it whole."""


class PairModel(Settings):
    """A source, a destination and a mode."""

    source: str = Field(
        min_length=1,
        description="What to copy: `remote:path`, or a path here; relative ones start at this file's folder.",
        examples=["/srv/photos", "cloud:photos"],
    )
    destination: str = Field(
        min_length=1,
        description="Where to: `remote:path`, or a path here; relative ones start at this file's folder.",
        examples=["cloud:photos"],
    )
    mode: Mode = Field(
        description="`copy` never removes anything; `mirror` also trashes what the source does not have."
    )


class JobModel(_Part):
    """Pairs that belong together, and what has to happen around them."""

    needs: tuple[str, ...] = Field(
        default=(), description="Jobs that must have succeeded before this one starts."
    )
    before: Command | None = Field(
        default=None,
        description="Program and arguments to run before the job; no shell is involved.",
        examples=[["pg_dump", "-Fc", "-f", "/var/backups/app.dump", "app"]],
    )
    after: Command | None = Field(
        default=None,
        description="Program and arguments to run after the job has succeeded; no shell is involved.",
    )
    pairs: tuple[PairModel, ...] = Field(default=(), description="The places to keep in step.")

    @model_validator(mode="after")
    def _does_something(self) -> "JobModel":
        if not self.pairs and self.before is None and self.after is None:
            raise ValueError("a job needs `pairs`, or a command `before` or `after`")
        return self


class PlanModel(_Part):
    """What holds for saved plans of this manifest."""

    key: Reference | None = Field(
        default=None,
        description="Seals saved plans with this secret, for plans that are applied on another machine; at "
        "least 16 characters. `apply -f FILE` takes it from the manifest there; an environment variable "
        "whose name ends in `PLAN_KEY` is found without. By default a plan is sealed with a key that never "
        "leaves the state directory.",
        examples=[{"env": "ACDRUN_PLAN_KEY"}],
    )
    expires: Duration = Field(
        default=timedelta(hours=24),
        description="How long a saved plan may be applied, such as `2h`, counted from when it was begun.",
    )

    @field_validator("expires")
    @classmethod
    def _lasts(cls, value: timedelta) -> timedelta:
        if not value:
            raise ValueError("a plan that expires at once can never be applied")
        return value


class ManifestModel(_Part):
    """A manifest of acdrun: which remotes exist, which pairs to keep in step, and by what policy."""

    version: Literal[1] = Field(description="Version of this format.")
    name: Name = Field(description="Name of the manifest; journals and reports are kept under it.")
    remotes: dict[RemoteName, dict[str, Any]] = Field(
        default={},
        description="The places that `remote:path` may name. Others are looked up in your own remotes.",
    )
    policies: Policies = Field(default=Policies.model_construct(), description="Policies with names.")
    defaults: Defaults = Field(
        default=Defaults.model_construct(), description="What holds for every pair that does not say it."
    )
    plan: PlanModel = Field(default=PlanModel.model_construct(), description="What holds for saved plans.")
    jobs: dict[Name, JobModel] = Field(min_length=1, description="What to do, by name.")


class RemotesModel(_Part):
    """Your own remotes: `remotes.yaml` in the configuration folder."""

    version: Literal[1] = Field(default=1, description="Version of this format.")
    remotes: dict[RemoteName, dict[str, Any]] = Field(default={}, description="The remotes, by name.")
