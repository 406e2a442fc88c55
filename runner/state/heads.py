"""What a service told of single objects: times and digests that its listings leave out. Only a cache."""

import contextlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from runner.model.checksum import Checksum
from runner.model.errors import Spoilt
from runner.state.database import Database, insert_all

_BATCH = 500


class Head(NamedTuple):
    """Of one state of one object. checksum: None where nobody knows it; mtime_ns: None where none is kept."""

    generation: str
    mtime_ns: int | None
    checksum: Checksum | None


class Begun(NamedTuple):
    """An upload in parts that was not finished. content: what it was of; begun: seconds since 1970."""

    key: str
    id: str
    content: str
    begun: int


class Heads:
    """By key; what was learnt is written in batches. Losing the file costs requests, and unfinished uploads.

    place: which service and bucket the keys are of. A file that is damaged is set aside.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            self._database = Database(path, "heads", 1, synchronous="NORMAL")
        except Spoilt:
            for end in ("", "-wal", "-shm"):
                file = path.with_name(path.name + end)
                with contextlib.suppress(FileNotFoundError):
                    file.replace(file.with_name(f"{path.name}.damaged{end}"))
            self._database = Database(path, "heads", 1, synchronous="NORMAL")
        self._fresh: dict[tuple[str, str], Head] = {}

    def known(self, place: str, keys: Sequence[str]) -> dict[str, Head]:
        """What is known of these keys, be it of a state that is gone: the caller compares generations."""
        found = {key: self._fresh[place, key] for key in keys if (place, key) in self._fresh}
        asked = [key for key in keys if key not in found] if found else keys
        for start in range(0, len(asked), _BATCH):
            some = asked[start : start + _BATCH]
            marks = ",".join("?" * len(some))
            query = (
                f"SELECT key, generation, mtime_ns, checksum FROM head WHERE place = ? AND key IN ({marks})"  # noqa: S608
            )
            for key, generation, mtime_ns, text in self._database.rows(query, place, *some):
                checksum = None if text is None else Checksum.parse(str(text))
                found[str(key)] = Head(str(generation), mtime_ns, checksum)  # type: ignore[arg-type]
        return found

    def learn(self, place: str, key: str, head: Head) -> None:
        """Keep what was told of the object as it is now."""
        self._fresh[place, key] = head
        if len(self._fresh) >= _BATCH:
            self.flush()

    def begin(self, place: str, begun: Begun) -> None:
        """Write down an upload before its first part is sent."""
        with self._database.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO upload VALUES (?, ?, ?, ?, ?)", (place, *begun))

    def begun(self, place: str, key: str) -> Begun | None:
        """The unfinished upload of this key."""
        query = "SELECT key, id, content, begun FROM upload WHERE place = ? AND key = ?"
        rows = self._database.rows(query, place, key)
        return Begun(*rows[0]) if rows else None  # type: ignore[arg-type]

    def old(self, place: str, before: int) -> list[Begun]:
        """Unfinished uploads that were begun before this second."""
        query = "SELECT key, id, content, begun FROM upload WHERE place = ? AND begun < ?"
        return [Begun(*row) for row in self._database.rows(query, place, before)]  # type: ignore[arg-type]

    def ended(self, place: str, key: str, id_: str, *, firmly: bool = False) -> None:
        """The upload is finished or given up. firmly: that is to outlast a power cut."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM upload WHERE place = ? AND key = ? AND id = ?", (place, key, id_))
        if firmly:
            self._database.rows("PRAGMA wal_checkpoint(FULL)")

    def flush(self) -> None:
        """Write down what was learnt."""
        fresh, self._fresh = self._fresh, {}
        if not fresh:
            return
        day = int(time.time() // 86400)
        rows = [
            (place, key, head.generation, head.mtime_ns, head.checksum and str(head.checksum), day)
            for (place, key), head in fresh.items()
        ]
        with self._database.transaction() as connection:
            insert_all(connection, "INSERT OR REPLACE INTO head", "(?, ?, ?, ?, ?, ?)", rows)

    def close(self) -> None:
        """Flush and let go."""
        self.flush()
        self._database.close(one_file=False)
