"""References to secrets. A manifest never holds a secret itself."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag


class Secret:
    """A resolved secret. It has no readable form; only `reveal` gives the text away."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself: for the wire and the token store, never for a message."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> str:
        raise TypeError("a secret is not to be pickled")


class _Reference(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class EnvReference(_Reference):
    """The value of an environment variable."""

    env: str = Field(description="Name of the environment variable that holds the value.", min_length=1)


class FileReference(_Reference):
    """The content of a file, without its last newline."""

    file: Path = Field(description="Path of a file that holds the value; only its owner may read it.")


class CommandReference(_Reference):
    """What a command prints, without its last newline."""

    command: list[str] = Field(
        description="Program and arguments that print the value; no shell is involved.", min_length=1
    )


def _which(value: object) -> Literal["env", "file", "command"] | None:
    for word in ("env", "file", "command"):
        if (isinstance(value, dict) and word in value) or hasattr(value, word):
            return word
    return None


Reference = Annotated[
    Annotated[EnvReference, Tag("env")]
    | Annotated[FileReference, Tag("file")]
    | Annotated[CommandReference, Tag("command")],
    Discriminator(
        _which,
        custom_error_type="literal_secret",
        custom_error_message="a value that may be secret is given as {env: NAME}, {file: PATH} or {command: [argv]}",
    ),
]
