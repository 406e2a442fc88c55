"""The workers as one disk has them, and one of them as it is somebody's for a while."""

from collections.abc import Sequence
from typing import Any, Self

from runner.backends.local.crew import CREW, Crew, Worker
from runner.backends.local.listing import Columns

LONG = 2000
"""Files of one disk that are much to list: it takes about as long as a worker takes to be ready."""

_HANDLED = 4
"""To read or store a file takes as long as to list so many, at the very least."""

_PATIENCE_S = 0.1
"""How long a thread waits for one that lists. Where they take longer the disk is slow, and threads wait beside them."""


class Hand:
    """A worker that is somebody's for a block, once it was taken. Every method blocks. crew: None for nobody's."""

    def __init__(self, crew: Crew | None) -> None:
        self._crew = crew
        self._worker: Worker | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._crew is not None and self._worker is not None:
            self._crew.give(self._worker)

    @property
    def possible(self) -> bool:
        """Does it make sense to wait for one?"""
        return self._crew is not None

    def take(self, patience_s: float | None = None) -> bool:
        """Wait for one that has nothing to do, so long at most; False when there is none."""
        if self._crew is not None:
            self._worker = self._crew.take(patience_s)
        return self._worker is not None

    def some(self, root: str, folders: Sequence[str]) -> Sequence[Columns | None] | None:
        """As `worker.some`, with None in the place of an error; None for all when no worker could be had."""
        found = self.ask("list", root, list(folders)) if self.take(_PATIENCE_S) else None
        return None if found is None else [columns and Columns(*columns) for columns in found]

    def ask(self, *question: Any) -> Any:
        """Its answer, in plain values as the question; None when it is gone, and what it did has ended."""
        one, self._worker = self._worker, None
        if one is None or self._crew is None:
            return None
        try:
            answer = one.ask(question)
        except BaseException as error:
            self._crew.drop(one)  # another one would get this answer
            if not isinstance(error, OSError | EOFError | ValueError | TypeError):
                raise
            return None
        self._worker = one
        return answer


class Hands:
    """Workers for one disk: as soon as it has had much to do, or where they are there in any case."""

    def __init__(self) -> None:
        self._crew: Crew | None = None
        self._much = 0

    def note(self, listed: int = 0, handled: int = 0) -> None:
        """So many more files were listed, and so many copied, read or stored."""
        self._much += listed + _HANDLED * handled

    def one(self) -> Hand:
        """A hand that can be taken."""
        if self._crew is None and (CREW.there or self._much >= LONG):
            self._crew = CREW
            self._crew.join()
        return Hand(self._crew)

    def leave(self) -> None:
        """The disk is closed."""
        crew, self._crew = self._crew, None
        if crew is not None:
            crew.leave()
