"""The rules of a filter as a manifest writes them."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from runner.manifest.glob import regex
from runner.model.units import Duration, Size


def _checked(glob: str) -> str:
    regex(glob)
    return glob


Glob = Annotated[
    str,
    AfterValidator(_checked),
    Field(
        description="A glob as in .gitignore: `*.tmp` at every depth, `/build/` only at the root, a `/` at "
        "the end for folders only, `**` for any number of folders.",
        examples=["**/.cache/", "*.tmp", "/build/", "**"],
        min_length=1,
    ),
]


class Conditions(BaseModel):
    """Sizes and ages; all that are given must hold. They concern files only."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    larger_than: Size | None = Field(
        default=None, description="Files with more bytes than this, such as `20GiB`."
    )
    smaller_than: Size | None = Field(
        default=None, description="Files with fewer bytes than this, such as `1KiB`."
    )
    older_than: Duration | None = Field(
        default=None,
        description="Files last modified longer ago than this, such as `30d`; unknown times never match.",
    )
    newer_than: Duration | None = Field(
        default=None,
        description="Files last modified less long ago than this, such as `5m`; unknown times never match.",
    )

    @model_validator(mode="after")
    def _some(self) -> "Conditions":
        if not self.model_fields_set:
            raise ValueError("a rule without a condition; use the glob `**` for everything")
        if (
            self.larger_than is not None
            and self.smaller_than is not None
            and self.larger_than >= self.smaller_than
        ):
            raise ValueError("no file is both larger and smaller than this")
        if self.older_than is not None and self.newer_than is not None and self.older_than >= self.newer_than:
            raise ValueError("no file is both older and newer than this")
        return self


def _form(value: Any) -> Literal["glob", "conditions"]:
    return "glob" if isinstance(value, str) else "conditions"


What = Annotated[
    Annotated[Glob, Tag("glob")] | Annotated[Conditions, Tag("conditions")],
    Discriminator(_form),
]


class Rule(BaseModel):
    """Leaves out, or takes in, the nodes it matches."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        defer_build=True,
        json_schema_extra={"oneOf": [{"required": ["exclude"]}, {"required": ["include"]}]},
    )

    exclude: What | None = Field(
        default=None,
        description="Leave out what matches this glob, or these conditions. Excluded folders are not read.",
    )
    include: What | None = Field(
        default=None,
        description="Take in what matches, whatever later rules say; not below an excluded folder.",
    )

    @model_validator(mode="after")
    def _one_verdict(self) -> "Rule":
        if (self.exclude is None) == (self.include is None):
            raise ValueError("a rule is either `exclude:` or `include:`, each in a mapping of its own")
        return self

    @property
    def admits(self) -> bool:
        """What a match means."""
        return self.include is not None

    @property
    def what(self) -> str | Conditions:
        """The glob or the conditions."""
        what = self.include if self.exclude is None else self.exclude
        if what is None:
            raise AssertionError("validated: a rule has one of the two")
        return what

    def __str__(self) -> str:
        if isinstance(self.what, str):
            text = f'"{self.what}"'
        else:
            text = "{" + ", ".join(f"{k}: {v}" for k, v in self.written().items()) + "}"
        return f"{'include' if self.admits else 'exclude'}: {text}"

    def written(self) -> dict[str, Any]:
        """The conditions as a manifest writes them."""
        return {} if isinstance(self.what, str) else self.what.model_dump(mode="json", exclude_none=True)
