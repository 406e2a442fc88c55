"""A saved plan as a file from outside: what it says of itself, and whether a seal fits it."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runner.state.foreign import foreign
from runner.state.journal import VERSION, Header, Validity
from runner.state.keys import Key
from runner.state.seal import Seal, fits, seal_of


class Outside:
    """A journal that is only read. What it holds more or less than once, it does not hold."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @property
    def header(self) -> Header | None:
        """The run that it names."""
        rows = self._connection.execute("SELECT * FROM run LIMIT 2").fetchall()
        return Header(*rows[0]) if len(rows) == 1 else None

    @property
    def validity(self) -> Validity | None:
        """Until when the plan holds, and what it continues."""
        query = "SELECT expires, lineage, serial, weak FROM validity LIMIT 2"
        rows = self._connection.execute(query).fetchall()
        return Validity(*rows[0]) if len(rows) == 1 else None

    @property
    def seal(self) -> Seal | None:
        """The seal it carries, of a kind we know."""
        return seal_of(self._connection)

    def sealed_with(self, key: Key) -> bool:
        """Was every row sealed with this key as it stands now? Reads all of them."""
        found = self.seal
        return found is not None and found.key == key.id and fits(self._connection, found, key)


@contextmanager
def outside(path: Path, name: str) -> Iterator[Outside]:
    """A private copy of a saved plan, or of the journal of a run. name: for messages. Raises PlanStale."""
    with foreign(path, "journal", VERSION, name) as connection:
        yield Outside(connection)
