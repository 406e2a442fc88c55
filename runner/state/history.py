"""The last good run of each pair: what it saw, and what it left, for guards that compare with it."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from runner.model.tally import Amount, Seen
from runner.state.database import Database


class End(NamedTuple):
    """One side of a pair. location: as the manifest named it; identity: what stood there, "" for unknown."""

    location: str
    identity: str


class Good(NamedTuple):
    """A pair that went well. pair: tells it from all others; seen: None where not all could be listed."""

    pair: str
    file: str
    name: str
    run: str
    source: End
    destination: End
    seen: Seen | None


_RAN = """
INSERT INTO good (pair, file, name, run, source, source_is, destination, destination_is)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (pair) DO UPDATE SET name = excluded.name, run = excluded.run, source = excluded.source,
    source_is = coalesce(nullif(excluded.source_is, ''), source_is), destination = excluded.destination,
    destination_is = coalesce(nullif(excluded.destination_is, ''), destination_is)
"""
_SEEN = """
UPDATE good SET listed = ?, ended = ?, filter = ?, source_files = ?, source_bytes = ?, destination_files = ?,
    destination_bytes = ? WHERE pair = ?
"""


class History:
    """One row per pair, however many runs there were; deleting the file only silences those guards once."""

    def __init__(self, state: Path) -> None:
        self._database = Database(state / "pairs.db", "pairs", 1)

    def last(self, pair: str) -> Seen | None:
        """What the last good run of the pair left; None when none is known."""
        query = (
            "SELECT listed, ended, filter, source_files, source_bytes, destination_files, destination_bytes"
            " FROM good WHERE pair = ? AND listed IS NOT NULL"
        )
        for run, ended, rules, *counts in self._database.rows(query, pair):
            numbers = [int(str(count)) for count in counts]
            return Seen(str(run), float(str(ended)), str(rules), Amount(*numbers[:2]), Amount(*numbers[2:]))
        return None

    def places(self, file: str) -> dict[str, dict[str, End]]:
        """What the pairs of that manifest led to when each last went well: by its name, by side."""
        query = "SELECT name, source, source_is, destination, destination_is FROM good WHERE file = ? ORDER BY run"
        return {
            str(name): {"source": End(*map(str, ends[:2])), "destination": End(*map(str, ends[2:]))}
            for name, *ends in self._database.rows(query, file)
        }

    def files(self, file: str) -> dict[str, tuple[int, int]]:
        """How many files either side of that manifest's pairs had when each last went well, by its name."""
        query = (
            "SELECT name, source_files, destination_files FROM good"
            " WHERE file = ? AND listed IS NOT NULL ORDER BY run"
        )
        return {
            str(name): (int(str(source)), int(str(destination)))
            for name, source, destination in self._database.rows(query, file)
        }

    def learn(self, pairs: Iterable[Good]) -> None:
        """Keep what a good run left."""
        with self._database.transaction() as connection:
            for good in pairs:
                connection.execute(_RAN, (*good[:4], *good.source, *good.destination))
                if (seen := good.seen) is not None:
                    numbers = (*seen.source, *seen.destination)
                    connection.execute(_SEEN, (seen.run, seen.ended, seen.filter, *numbers, good.pair))

    def close(self) -> None:
        """Let go."""
        self._database.close(one_file=False)
