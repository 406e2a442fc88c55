"""How a use case is carried out, and what it comes to."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from runner.model.events import Listener, silent
from runner.model.exits import Exit
from runner.state.account import Account
from runner.state.journal import Journal


@dataclass(frozen=True, slots=True)
class Options:
    """How a use case is carried out.

    state: the state directory; tell: hears what goes on; signals: drain at SIGINT and SIGTERM.
    wait_lock_s: how long to wait for another run; deadline_s, most_bytes: budgets of this run.
    transfers: how many files go over at once; None leaves it to the destination.
    accepted: fingerprints of plans that may be carried out though a guard refuses them.
    new_places: sides ("source", "destination") that may be another place than in the last good run.
    fresh: list remotes whole, whatever their index knows.
    """

    state: Path
    tell: Listener = silent
    signals: bool = False
    wait_lock_s: float = 0.0
    deadline_s: float | None = None
    most_bytes: int | None = None
    transfers: int | None = None
    accepted: frozenset[str] = frozenset()
    new_places: frozenset[str] = frozenset()
    fresh: bool = False


@dataclass(slots=True)
class Result:
    """How a plan or run ended, and its journal, which stays open inside `with`.

    keep: the journal stays afterwards; saved: where the plan was saved, sealed.
    """

    path: Path
    code: Exit
    keep: bool = True
    saved: Path | None = None
    journal: Journal = field(init=False, repr=False)

    def __enter__(self) -> Self:
        self.journal = Journal(self.path, reading=True)
        return self

    def __exit__(self, *_: object) -> None:
        self.journal.close()
        if not self.keep:
            self.path.unlink(missing_ok=True)

    @property
    def account(self) -> Account:
        """The journal's numbers."""
        return Account(self.journal)
