"""What a place will hold once the jobs that write to it have run, as far as their plans tell."""

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

UNMADE = "(not made yet)"
"""The generation of a file that an earlier job has yet to make: no place has such a one, so none is ever met."""


class Coming(NamedTuple):
    """One path that an earlier job is to make, replace or take away.

    path: below the place that is looked at, as it will be spelled. kind: "gone" for what will not be there.
    pair: whose operation it is. moved: the content stands at that pair's destination already, under another path;
    else it comes from the pair's source. origin, generation: the path there, and what was seen there.
    size, mtime_ns, digest: as the operation says; digest is "md5:..." or "" where it is not known.
    """

    path: str
    kind: Literal["file", "folder", "gone"]
    pair: str
    moved: bool
    origin: str
    generation: str
    size: int
    mtime_ns: int | None
    digest: str


class Foresight(Protocol):
    """What earlier jobs have still to do below one place. Once they have done it, that is nothing."""

    number: int
    """Paths that it tells of, since `begin`."""
    untimed: int
    """Files among them whose times will be kept, and are not known before they are written."""

    def begin(self) -> int:
        """Look into the plans of the earlier jobs; return `number`. Raises Blocked when they will not be done whole."""

    def at(self, path: str) -> Coming | None:
        """What comes at that path, "" for the place itself; None where nothing changes."""

    def below(self, folders: Sequence[str]) -> dict[str, list[Coming]]:
        """What comes directly in these folders, by folder; those in which nothing changes are left out."""

    def among(self, paths: Sequence[str]) -> set[str]:
        """Those of the paths at which something changes."""

    def files(self, after: str) -> Sequence[Coming]:
        """The next files that come, wherever they are, by the bytes of their paths."""

    def key(self, path: str) -> str:
        """The path in the form in which the place compares it."""

    def bind(self) -> None:
        """Write down which operations of the pair that reads the place rest on one that is still to be done."""
