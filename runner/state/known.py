"""Which places the pairs of a manifest led to: when they last went well, and in this run."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from runner.state.database import Database
from runner.state.journal import Journal


class Known(NamedTuple):
    """One side of a pair that went well. location: as the manifest named it; identity: what stood there."""

    pair: str
    side: str
    location: str
    identity: str


class Places:
    """The last good run of every pair of every manifest, one row a side, so that no old journal is opened."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path, "known", 1)

    def last(self, file: str) -> list[Known]:
        """What the pairs of that manifest led to."""
        query = "SELECT pair, side, location, identity FROM place WHERE file = ?"
        return [Known(*row) for row in self._database.rows(query, file)]  # type: ignore[arg-type]

    def learn(self, file: str, run: str, known: Iterable[Known]) -> None:
        """What they led to in a run that went well."""
        with self._database.transaction() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO place (file, pair, side, location, identity, run) VALUES (?,?,?,?,?,?)",
                ((file, *one, run) for one in known),
            )

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()


class Identities:
    """What the two sides of one pair are known by; sides are "source" and "destination".

    last: identity by side in the last good run; accepted: sides that may be another place this once.
    """

    def __init__(
        self, journal: Journal, pair: str, last: Mapping[str, str], accepted: Collection[str] = ()
    ) -> None:
        self._journal = journal
        self._pair = pair
        self.last = last
        self.accepted = accepted

    def seen(self, side: str) -> str:
        """What this run, or the plan that it applies, saw there last; "" for nothing."""
        return self._journal.places(self._pair).get(side, "")

    def saw(self, side: str, identity: str) -> None:
        """Write down what stands there now; "" for nothing."""
        self._journal.saw(self._pair, side, identity)
