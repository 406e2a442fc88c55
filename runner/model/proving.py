"""How a pair is verified."""

from dataclasses import dataclass
from hashlib import blake2b
from typing import Protocol

from runner.model.node import Node


class Selection(Protocol):
    """Paths of a pair, few or many."""

    def names(self, folder: str) -> dict[str, bool]:
        """What is chosen directly in the folder: name to whether it is meant itself, or only leads there."""


@dataclass(frozen=True, slots=True)
class Proving:
    """What a verification looks at, and what it knows from before.

    read: the destination's bytes are read back even where its listing carries digests.
    part, parts: of the files that have to be read, only those of this part are; 0 of 1 is all of them.
    since_ns: when the pair's last good run began, ns since 1970; None where there was none.
    only: nothing else is looked at; None for everything.
    """

    read: bool = False
    part: int = 0
    parts: int = 1
    since_ns: int | None = None
    only: Selection | None = None

    def looks_at(self, path: str) -> bool:
        """Does the path belong to the part whose turn it is? The same answer for ever, wherever it is asked."""
        if self.parts == 1:
            return True
        digest = blake2b(path.encode("utf-8", "surrogatepass"), digest_size=8, person=b"verify").digest()
        return int.from_bytes(digest) % self.parts == self.part

    def is_since(self, node: Node) -> bool:
        """Was the node touched after the pair's last good run began? By its place's own clock, where that tells."""
        times = [time for time in (node.mtime_ns, node.changed_ns) if time is not None]
        return self.since_ns is not None and bool(times) and max(times) >= self.since_ns
