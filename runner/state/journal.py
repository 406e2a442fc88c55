"""The journal of one run: what it intends and what it did, row by row."""

import calendar
import contextlib
import itertools
import sqlite3
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Self

from runner.model.errors import AcdrunError, StateError
from runner.model.stage import Binding, Stage
from runner.model.tally import Check
from runner.state.database import LATER, Database, glance, insert_all

VERSION = 2


class Header(NamedTuple):
    """The run, as its journal names it; see the table `run`."""

    id: str
    name: str
    file: str
    manifest: str
    digest: str
    version: str
    state: str
    purpose: str
    created: float
    ended: float | None = None
    exit: int | None = None
    begun: float | None = None

    @property
    def since(self) -> float:
        """When its work began: of a plan that is applied that is later than when it was made."""
        return self.created if self.begun is None else self.begun


class Validity(NamedTuple):
    """How long a saved plan may be applied, and what it continues; see the table `validity`."""

    expires: float
    lineage: str
    serial: int
    weak: int


class OpRow(NamedTuple):
    """A planned operation on its way into the table `op`."""

    stage: int
    path: int
    node: str
    size: int
    waits: int
    source: str | None
    destination: str | None
    mtime_ns: int | None
    ours: str
    digest: str
    origin: str
    reason: str
    target: str = ""
    ref: str = ""


class ProblemRow(NamedTuple):
    """An entry that cannot be kept in step, on its way into the table `problem`."""

    stage: int
    path: str
    kind: str
    message: str
    exit: int


@dataclass(slots=True)
class Draft:
    """Rows gathered for one commit."""

    paths: list[tuple[int, int | None, str]] = field(default_factory=list)
    ops: list[OpRow] = field(default_factory=list)
    problems: list[ProblemRow] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.ops) + len(self.problems)


class Journal:
    """One SQLite file per run. `queue` drains it, `account` reads it, this writes it.

    reading: it is only looked at. new: nothing has been done by it yet. What is only read and planned may be lost in
    a power cut, for then nothing was done; before the first operation is taken, and at the end, the disk confirms all.
    """

    def __init__(self, path: Path, *, reading: bool = False, new: bool = False) -> None:
        self.database = Database(
            path, "journal", VERSION, synchronous=LATER if new else "FULL", reading=reading
        )
        try:
            (last,) = self.database.rows("SELECT coalesce(max(id), 0) FROM path")[0]
        except BaseException:
            self.database.close()  # one of our files, but no journal
            raise
        self._paths = itertools.count(int(str(last)) + 1)

    @classmethod
    def create(cls, path: Path, header: Header) -> Self:
        """A new journal, which must not exist yet."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600, exist_ok=False)
        path.unlink()
        journal = cls(path, new=True)
        with journal.database.transaction() as connection:
            connection.execute(f"INSERT INTO run VALUES ({_marks(header)})", header)  # noqa: S608
        return journal

    @property
    def header(self) -> Header:
        """The run as it stands now."""
        return Header(*self.database.rows("SELECT * FROM run")[0])  # type: ignore[arg-type]

    @property
    def validity(self) -> Validity | None:
        """How long the plan may be applied; None for a run, and for a plan that was not saved."""
        rows = self.database.rows("SELECT expires, lineage, serial, weak FROM validity")
        return Validity(*rows[0]) if len(rows) == 1 else None  # type: ignore[arg-type]

    def limit(self, validity: Validity) -> None:
        """Write down how long the plan may be applied."""
        with self.database.transaction() as connection:
            connection.execute("DELETE FROM validity")
            connection.execute("INSERT INTO validity VALUES (?, ?, ?, ?)", validity)

    def mark(self, state: str, *, purpose: str | None = None) -> None:
        """Move the run to its next state."""
        with self.database.transaction() as connection:
            began = time.time() if state == "applying" else None
            connection.execute(
                "UPDATE run SET state = ?, purpose = coalesce(?, purpose), begun = coalesce(begun, ?)",
                (state, purpose, began),
            )

    def confirm(self) -> None:
        """Have the disk confirm the run, and all later commits: something is to be done that is no operation."""
        self.database.firmly()
        with self.database.transaction() as connection:
            connection.execute("UPDATE run SET state = state")

    def end(self, code: int) -> None:
        """Close the run with its exit code."""
        self.database.firmly()
        with self.database.transaction() as connection:
            connection.execute("UPDATE run SET state = 'closed', ended = ?, exit = ?", (time.time(), code))

    def add_stages(self, stages: Sequence[Stage], bindings: Sequence[Binding]) -> None:
        """Write the stage graph down; a stage that waits for none is open."""
        waits = {stage.id: 0 for stage in stages}
        for binding in bindings:
            waits[binding.after] += binding.how in ("all", "ended")
        with self.database.transaction() as connection:
            connection.executemany(
                "INSERT INTO stage (id, pair, job, task, side, effect, waits, state) VALUES (?,?,?,?,?,?,?,?)",
                ((*stage, waits[stage.id], "waiting" if waits[stage.id] else "open") for stage in stages),
            )
            connection.executemany("INSERT INTO edge VALUES (?, ?, ?)", bindings)

    def stages(self) -> list[Stage]:
        """The vertices, in topological order."""
        rows = self.database.rows("SELECT id, pair, job, task, side, effect FROM stage ORDER BY id")
        return [Stage(*row) for row in rows]  # type: ignore[arg-type]

    def bindings(self) -> list[Binding]:
        """The edges."""
        return [Binding(*row) for row in self.database.rows("SELECT before, after, how FROM edge")]  # type: ignore[arg-type]

    def new_path(self) -> int:
        """A number for a row of `path`; every pair's matching draws from the same series."""
        return next(self._paths)

    def add(self, draft: Draft) -> None:
        """Write a batch of planned operations and problems down."""
        with self.database.transaction() as connection:
            insert(connection, draft)

    def count(self, stage: int, counts: Iterable[tuple[str, int, int]]) -> None:
        """Write down (what, files, bytes) that needed no operation; what was counted before is replaced."""
        with self.database.transaction() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO tally VALUES (?, ?, ?, ?)", ((stage, *count) for count in counts)
            )

    def check(self, stage: int, checks: Iterable[Check]) -> None:
        """Write down what a guard, or the door of a wave, found; what it found before is replaced."""
        with self.database.transaction() as connection:
            connection.execute("DELETE FROM finding WHERE stage = ?", (stage,))
            connection.executemany(
                "INSERT INTO finding (stage, what, level, text) VALUES (?, ?, ?, ?)",
                ((stage, *check) for check in checks),
            )

    def accept(self, jobs: Sequence[str]) -> None:
        """What the guards of these jobs refuse has been accepted."""
        with self.database.transaction() as connection:
            connection.execute(
                "UPDATE finding SET level = 'accepted' WHERE level = 'refused' AND stage IN"  # noqa: S608
                f" (SELECT id FROM stage WHERE task = 'guard' AND job IN ({_marks(jobs)}))",
                tuple(jobs),
            )

    def saw(self, pair: str, side: str, identity: str) -> None:
        """Write down which place a side of a pair is."""
        with self.database.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO place VALUES (?, ?, ?)", (pair, side, identity))

    def places(self, pair: str) -> dict[str, str]:
        """Identity by side, as it was last seen."""
        rows = self.database.rows("SELECT side, identity FROM place WHERE pair = ?", pair)
        return {str(side): str(identity) for side, identity in rows}

    def close(self) -> None:
        """Let go of the file. A plan or finished run is then one file; what is neither stays marked as cut off."""
        over = True
        with contextlib.suppress(AcdrunError, IndexError):
            over = self.header.state in ("planned", "closed")
        self.database.close(one_file=over)


def insert(connection: sqlite3.Connection, draft: Draft) -> None:
    """Add the rows of a draft, inside of a commit."""
    insert_all(connection, "INSERT INTO path", "(?,?,?)", draft.paths)
    insert_all(
        connection,
        "INSERT INTO op (stage, path, node, size, waits, source, destination, mtime_ns, ours, digest, origin,"
        " reason, target, ref, state)",
        "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,'planned')",
        draft.ops,
    )
    connection.executemany("INSERT INTO problem VALUES (?, ?, ?, ?, ?)", draft.problems)


def header_of_file(path: Path) -> Header:
    """The run that a journal names; the file stays as it is. Raises StateError."""
    rows = glance(path, VERSION, "SELECT * FROM run")
    if not rows:
        raise StateError(f"{str(path)!r} names no run")
    return Header(*rows[0])  # type: ignore[arg-type]


def new_run(after: str = "") -> str:
    """A label for a run: sorts by time. Its last part is the fraction of the second, in 65,536ths.

    after: the latest label there is; a clock that was set back makes none that sorts before it.
    """
    label = _label(time.time())
    if label > after:
        return label
    try:
        began = calendar.timegm(time.strptime(after[:15], "%Y%m%dT%H%M%S")) + int(after[16:20], 16) / 65536
    except ValueError:
        return label
    return _label(began + 1 / 65536)


def _label(at: float) -> str:
    return f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(at))}-{int(at % 1 * 65536):04x}"


def _marks(row: Sequence[object]) -> str:
    return ",".join("?" * len(row))
