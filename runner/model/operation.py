"""An operation: one task at one path, a row of the journal."""

from enum import StrEnum
from typing import NamedTuple


class State(StrEnum):
    """Where an operation stands. `planned` and `taken` are open, all others are final for a run."""

    PLANNED = "planned"
    TAKEN = "taken"
    DONE = "done"
    SAME = "same"  # hashing showed that there is nothing to do
    STALE = "stale"  # a side is no longer what the plan saw, so nothing was done
    FAILED = "failed"
    HELD = "held"  # something it waits for did not succeed


OPEN = (State.PLANNED, State.TAKEN)


class Operation(NamedTuple):
    """One row, as a task gets it.

    size: bytes it moves; 0 for folders.
    tries: how often it was tried before.
    again: True when an earlier try may have had its effect (its end was never written down).
    source, destination: generation seen on that side when it was planned; None where nothing was there.
        A source "" is one that must be read before a rename is believed.
    mtime_ns: of the source.
    ours, digest: of source and destination as far as they are known, "md5:...", in the pair's algorithm; else "".
    origin: where the node is now, when the operation moves it.
    target: the path it has at the destination, when it cannot have its own there; else "".
    ref: what brings back what an undo brings back.
    node: file or folder.
    stored: generation that the operation before it at this path has left at the destination; "" for none.
    """

    id: int
    path: str
    size: int = 0
    tries: int = 0
    again: bool = False
    source: str | None = None
    destination: str | None = None
    mtime_ns: int | None = None
    ours: str = ""
    digest: str = ""
    origin: str = ""
    target: str = ""
    ref: str = ""
    node: str = "file"
    stored: str = ""

    @property
    def there(self) -> str:
        """Its path at the destination."""
        return self.target or self.path


class Outcome(NamedTuple):
    """What became of it.

    proof: what proves the bytes now at the destination: "md5", "read back", "size", or "" where none were sent.
    ref: what takes a trashed or replaced node back.
    note: anything a person wants to know: the error, or "found complete".
    kind: the error's kind in words, when it failed; exit: the code that it calls for.
    stored: generation that stands at the destination now; digest: of its content, "md5:...", where that is known.
    """

    state: State = State.DONE
    proof: str = ""
    ref: str = ""
    note: str = ""
    kind: str = ""
    exit: int = 0
    stored: str = ""
    digest: str = ""
