"""What the last good run of each pair left, for guards that compare with it."""

from collections.abc import Mapping
from pathlib import Path

from runner.model.tally import Amount, Seen
from runner.state.database import Database


class History:
    """One row per pair, however many runs there were; deleting the file only silences those guards once."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path, "history", 1, synchronous="NORMAL")

    def last(self, pair: str) -> Seen | None:
        """What the last good run of the pair left; None when none is known."""
        query = (
            "SELECT run, ended, filter, source_files, source_bytes, destination_files, destination_bytes"
            " FROM good WHERE pair = ?"
        )
        for run, ended, rules, *counts in self._database.rows(query, pair):
            numbers = [int(str(count)) for count in counts]
            return Seen(str(run), float(str(ended)), str(rules), Amount(*numbers[:2]), Amount(*numbers[2:]))
        return None

    def learn(self, seen: Mapping[str, Seen]) -> None:
        """Keep what a good run left, by pair."""
        with self._database.transaction() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO good VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    (pair, last.run, last.ended, last.filter, *last.source, *last.destination)
                    for pair, last in seen.items()
                ),
            )

    def close(self) -> None:
        """Let go."""
        self._database.close()
