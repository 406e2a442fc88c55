"""The hash cache: what a generation's content was found to be."""

import contextlib
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from runner.model.checksum import Checksum
from runner.model.errors import Spoilt
from runner.model.foresight import UNMADE
from runner.model.nodes import State
from runner.state.database import insert_all, open_cache, renew_cache

RACY_NS = 2_000_000_000
"""A file changed this shortly before it was hashed may change again without its times showing it.
Source: "racily clean" entries of git's index; FAT keeps times to 2 s."""

_VERSION = 2
"""Of the schema: 1 knew no folders, or no upkeep."""

_BATCH = 500

_MOST = 20_000
"""Files of a folder that is kept as one row, and of those that are kept in memory until they are."""

_FOLDERS = 100

_MONTH_D = 30
"""Days between two upkeeps, and for which a row counts as asked for just now."""

_KEPT_D = 180
"""Days for which a row is kept that nobody asks for: those of files that are gone, or were written anew."""


class Hashes:
    """Checksums by (place, generation), written in batches; deleting the file only loses speed.

    A file that is damaged is set aside and begun anew: a cache is no reason to keep a run from its work. One
    that a newer version wrote is that version's, and raises StateError.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._database = open_cache(path, "hashes", _VERSION)
        self._fresh: dict[tuple[str, str], Checksum] = {}
        self._used: list[tuple[str, str]] = []
        self._asked: list[tuple[str, str, str, bytes, str]] = []
        self._asking = 0
        self._asks = False

    def known(self, place: str, generations: Sequence[str], algorithm: str) -> dict[str, Checksum]:
        """The checksums known for these generations, by generation."""
        try:
            return self._known(place, generations, algorithm)
        except Spoilt:
            self._renew()
            return self._known(place, generations, algorithm)

    def _renew(self) -> None:
        self._database.close(one_file=False)
        self._database = renew_cache(self._path, "hashes", _VERSION)

    def _known(self, place: str, generations: Sequence[str], algorithm: str) -> dict[str, Checksum]:
        found: dict[str, Checksum] = {}
        old = _today() - _MONTH_D
        for start in range(0, len(generations), _BATCH):
            some = generations[start : start + _BATCH]
            marks = ",".join("?" * len(some))
            query = (
                f"SELECT generation, checksum, used < ? FROM hash WHERE place = ? AND generation IN ({marks})"  # noqa: S608
            )
            for generation, text, outdated in self._database.rows(query, old, place, *some):
                if outdated:
                    self._used.append((place, str(generation)))
                checksum = Checksum.parse(str(text))
                if checksum.algorithm == algorithm:
                    found[str(generation)] = checksum
        for generation in generations:
            checksum_now = self._fresh.get((place, generation))
            if checksum_now is not None and checksum_now.algorithm == algorithm:
                found[generation] = checksum_now
        if len(self._used) >= _MOST:
            self._touch()
        return found

    def kin(self, place: str, generations: Sequence[str], algorithm: str) -> dict[str, Checksum]:
        """What was known of each of these before what follows its "~" was changed: see `Node.generation`.

        It is no proof: the content may have been changed and its time set back. Left out where several
        contents were known, and for generations without a "~".
        """
        self.flush()
        found: dict[str, Checksum] = {}
        query = "SELECT DISTINCT checksum FROM hash WHERE place = ? AND generation > ? AND generation < ?"
        for generation in generations:
            lasting, tilde, _ = generation.partition("~")
            rows = self._database.rows(query, place, lasting + "~", lasting + "\x7f") if tilde else []
            known = {Checksum.parse(str(text)) for (text,) in rows}
            same = [checksum for checksum in known if checksum.algorithm == algorithm]
            if len(same) == 1:
                found[generation] = same[0]
        return found

    def whole(self, place: str, state: State, algorithm: str) -> bytes | None:
        """The digests of all files of a folder in that state, one after the other in the order of its listing.

        None when they are not known.
        """
        query = "SELECT digests FROM folder WHERE place = ? AND folder = ? AND algorithm = ? AND print = ?"
        try:
            found = self._database.rows(query, place, state.folder, algorithm, state.print)
        except Spoilt:
            self._renew()
            return None
        if not found:
            return None
        digests = found[0][0]
        assert isinstance(digests, bytes)
        return digests

    def ask(self, place: str, state: State, algorithm: str, generations: Sequence[str]) -> None:
        """Keep the digests of that folder as `whole` once those of all its files are known.

        generations: of its files, in the order of the listing.
        """
        if not 0 < len(generations) <= _MOST:
            return
        self._asked.append((place, state.folder, algorithm, state.print, "\n".join(generations)))
        self._asking += len(generations)
        self._asks = True
        if self._asking >= _MOST:
            self._ask()

    def _ask(self) -> None:
        self._database.prepare("folders")
        with self._database.transaction() as connection:
            connection.executemany("INSERT OR REPLACE INTO temp.asked VALUES (?, ?, ?, ?, ?)", self._asked)
        self._asked, self._asking = [], 0

    def _answer(self) -> None:
        """Write down the folders whose files are all known by now."""
        asked = self._database.stream("SELECT * FROM temp.asked", batch=1)
        while some := list(islice(asked, _FOLDERS)):
            kept = []
            for place, folder, algorithm, state, text in some:
                generations = str(text).split("\n")
                known = self._known(str(place), generations, str(algorithm))
                if all(generation in known for generation in generations):
                    digests = bytes.fromhex("".join(known[generation].digest for generation in generations))
                    kept.append((place, folder, algorithm, state, digests))
            with self._database.transaction() as connection:
                connection.executemany("INSERT OR REPLACE INTO folder VALUES (?, ?, ?, ?, ?)", kept)

    def learn(
        self, place: str, generation: str, checksum: Checksum, mtime_ns: int | None, read_ns: int
    ) -> None:
        """Keep a checksum, unless the content is so young that it may change unseen, or not there yet.

        mtime_ns: of the content; read_ns: when reading it began, ns since 1970.
        """
        if mtime_ns is None or read_ns - mtime_ns < RACY_NS or generation == UNMADE:
            return
        self._fresh[place, generation] = checksum
        if len(self._fresh) >= _BATCH:
            self.flush()

    def flush(self) -> None:
        """Write down what was learnt."""
        fresh, self._fresh = self._fresh, {}
        if not fresh:
            return
        day = _today()
        rows = [(place, generation, str(checksum), day) for (place, generation), checksum in fresh.items()]
        try:
            self._write(rows)
        except Spoilt:
            self._renew()
            self._write(rows)

    def _write(self, rows: Sequence[tuple[str, str, str, int]]) -> None:
        with self._database.transaction() as connection:
            insert_all(
                connection,
                "INSERT OR REPLACE INTO hash (place, generation, checksum, used)",
                "(?, ?, ?, ?)",
                rows,
            )

    def _touch(self) -> None:
        used, self._used = self._used, []
        day = _today()
        with self._database.transaction() as connection:
            connection.executemany(
                "UPDATE hash SET used = ? WHERE place = ? AND generation = ?", ((day, *row) for row in used)
            )

    def _keep_up(self) -> None:
        """Once a month, remove what nobody has asked for in a long time.

        Rows of folders answer for those of their files, which are not asked then. They go each time, and the next
        run makes them anew: by that it asks for each file that is still there.
        """
        day = _today()
        known = self._database.rows("SELECT day FROM upkeep")
        last = int(str(known[0][0])) if known else None
        if last is not None and day - _MONTH_D < last <= day:
            return
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM upkeep")
            connection.execute("INSERT INTO upkeep VALUES (?)", (day,))
            if last is not None and last <= day:  # not where the clock was set back
                connection.execute("DELETE FROM folder")
                connection.execute("DELETE FROM hash WHERE used < ?", (day - _KEPT_D,))

    def close(self) -> None:
        """Flush and let go."""
        self.flush()
        with contextlib.suppress(Spoilt):
            if self._asks:
                self._ask()
                self._answer()
            if self._used:
                self._touch()
            self._keep_up()
        self._database.close(one_file=False)


def _today() -> int:
    return int(time.time() // 86400)
