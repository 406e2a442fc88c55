"""A pair as it will be run: every default filled in, every name resolved."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

from runner.model.backend import Durability
from runner.model.errors import Place
from runner.model.node import Node
from runner.model.policy import ChecksumPolicy, GuardPolicy, RetryPolicy

Mode = Literal["copy", "mirror", "move"]
"""copy removes nothing, mirror trashes what the source lost, move what the destination has got."""


Case = Literal["refuse", "rename"]
"""Files whose names the destination cannot tell apart: refuse them, or store all but one under aliases."""

Renames = Literal["detect", "ignore"]


class Location(NamedTuple):
    """remote: the name of a remote, or "" for the local disk; path: below its root, absolute on the local disk."""

    remote: str
    path: str

    def __str__(self) -> str:
        return f"{self.remote}:{self.path}" if self.remote else self.path


class Filter(Protocol):
    """Says which nodes take part. What it leaves out is neither copied nor trashed."""

    digest: str
    """Changes when the rules do."""

    @property
    def ages(self) -> bool:
        """Do the rules ask how old a file is?"""

    admits_all: bool
    """There is no rule, and nobody need ask."""

    def admits(self, path: str, node: Node) -> bool:
        """Does the node at this path (below the pair's root) take part? A folder that does not is not entered."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A source, a destination and a mode, with the policies they follow.

    name: the job's name, with "#2" and so on for its further pairs; unique in a manifest.
    place: where the manifest asks for it. limits: where it says the limits of the guard, by names such as
    "trash.max"; one that is missing has its default.
    """

    name: str
    job: str
    source: Location
    destination: Location
    mode: Mode
    filter: Filter
    checksum: ChecksumPolicy
    retry: RetryPolicy
    guard: GuardPolicy
    case: Case
    links: Literal["skip", "block"]
    unreadable: Literal["incomplete", "fail"]
    renames: Renames
    durability: Durability
    place: Place
    limits: Mapping[str, Place] = field(default_factory=dict, compare=False, repr=False)
