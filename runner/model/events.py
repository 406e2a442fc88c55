"""What a run tells while it goes on. Events are for people watching; the journal is what counts."""

from collections.abc import Callable
from typing import NamedTuple


class StageStarted(NamedTuple):
    """total, size: operations and bytes it will handle, as far as is known now."""

    pair: str
    task: str
    total: int
    size: int


class Grown(NamedTuple):
    """A stage that has begun already has more to do: total, size as in `StageStarted`, of all there is by now."""

    pair: str
    task: str
    total: int
    size: int


class StageEnded(NamedTuple):
    """state: done, failed or held; why: what held it; hint: what to try."""

    pair: str
    task: str
    state: str
    why: str = ""
    hint: str = ""


class Listed(NamedTuple):
    """How far a listing has come: files and folders so far."""

    pair: str
    side: str
    files: int
    folders: int


class Moved(NamedTuple):
    """Bytes of content that went over just now."""

    size: int


class Finished(NamedTuple):
    """A batch of operations ended: how many, with how many bytes."""

    pair: str
    task: str
    number: int
    size: int


class Problem(NamedTuple):
    """One operation failed, or one entry cannot be kept in step; again: it will be tried once more."""

    pair: str
    task: str
    path: str
    kind: str
    message: str
    again: bool = False


class Note(NamedTuple):
    """Something to know that is not a problem of one path: waiting for a lock, draining after Ctrl-C."""

    message: str


Event = StageStarted | Grown | StageEnded | Listed | Moved | Finished | Problem | Note
Listener = Callable[[Event], None]


def silent(_: Event) -> None:
    """A listener that does not."""
