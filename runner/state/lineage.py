"""Lineage and serial: has anything been written to these destinations since a plan was made?

A lineage is what one state directory knows of the writes to a set of destinations, and its serial counts the
runs that wrote. A plan carries both. Where the lineage is known and its serial has moved, the plan is of the
past; where it is not known, on another machine, only the preconditions of the operations speak.
"""

import hashlib
import json
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, Self

from runner.state.database import Database
from runner.state.locks import Scope


class Lineage(NamedTuple):
    """id: of the history; serial: runs that have written so far; writer: label of the latest, "" for none."""

    id: str
    serial: int
    writer: str = ""


class Lineages:
    """The lineages of a state directory. The caller holds the lock of the scopes while it advances one."""

    def __init__(self, state: Path) -> None:
        self._database = Database(state / "lineage.db", "lineage", 1)

    def known(self, scopes: Iterable[Scope]) -> Lineage | None:
        """The lineage of exactly these scopes; None when nothing is known of them."""
        query = "SELECT id, serial, writer FROM lineage WHERE scope = ?"
        rows = self._database.rows(query, _digest(scopes))
        return Lineage(*rows[0]) if rows else None  # type: ignore[arg-type]

    def of(self, scopes: Iterable[Scope]) -> Lineage:
        """The lineage of exactly these scopes, which begins now when there is none yet."""
        scopes = list(scopes)
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO lineage VALUES (?, ?, 0, '')", (_digest(scopes), uuid.uuid4().hex)
            )
        found = self.known(scopes)
        assert found is not None
        return found

    def advance(self, scopes: Iterable[Scope], writer: str) -> None:
        """This run is about to write there; a run that says so again, when it is taken up, counts once."""
        scopes = list(scopes)
        self.of(scopes)
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE lineage SET serial = serial + 1, writer = ? WHERE scope = ? AND writer <> ?",
                (writer, _digest(scopes), writer),
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close(one_file=False)


def _digest(scopes: Iterable[Scope]) -> str:
    return hashlib.sha256(json.dumps(sorted(set(scopes))).encode()).hexdigest()
