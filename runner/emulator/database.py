"""The store's one SQLite file: many changes in one commit, and readers beside it.

Changes run on the event loop, one after the other, and only the waiting for the disk is left to a thread:
a thread that ran the changes too would spend its time fighting the loop for the interpreter
(measured: 1,100 uploads a second that way, more than twice as many this way).
"""

import asyncio
import contextlib
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from runner.emulator.shelf import Shelf, Stored

T = TypeVar("T")
Clock = Callable[[], int]

Outcome = tuple[Any, BaseException | None]

BATCH = 64
READERS = 2


def now_ms() -> int:
    """Return the milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class Transaction:
    """What one change may use: the connection, the time, the next sequence number, the content to place."""

    def __init__(self, db: sqlite3.Connection, now: int, root: str, seq: int, used: int) -> None:
        self.db = db
        self.now_ms = now
        self.root = root
        self.seq = seq
        self.used = used
        self.placed: list[tuple[str, Stored]] = []
        self.replaced: list[str] = []
        self._opening = secrets.token_urlsafe(6)

    def fresh_id(self) -> str:
        """Return 22 characters that no node has.

        Ids of one transaction open alike: their rows share pages and their content a folder, so that a
        commit writes few of either. Across transactions they have no order.
        """
        return self._opening + secrets.token_urlsafe(10)

    def next_seq(self) -> int:
        """Return the number of the next change of a node."""
        self.seq += 1
        return self.seq

    def place(self, name: str, stored: Stored) -> None:
        """Have content put in place before the commit."""
        self.placed.append((name, stored))

    def attempt(self, change: Callable[["Transaction"], Any], careful: bool) -> Any:
        """Run one change so that, should it raise, nothing of it stays.

        careful: be able to take back what it wrote. That costs as much as two inserts, and hardly ever does
            a change write before it has checked everything; raises Spoilt when one has.
        """
        placed, replaced, used, changes = (
            len(self.placed),
            len(self.replaced),
            self.used,
            self.db.total_changes,
        )
        if careful:
            self.db.execute("SAVEPOINT change")
        try:
            result = change(self)
        except BaseException as error:
            if careful:
                self.db.execute("ROLLBACK TO change")
            elif self.db.total_changes != changes:
                raise Spoilt from error
            del self.placed[placed:], self.replaced[replaced:]
            self.used = used
            raise
        finally:
            if careful:
                self.db.execute("RELEASE change")
        return result


class Spoilt(Exception):
    """A change failed when it had written already: its transaction must be run again, with care."""


class Database:
    """Opens the store; hands out reads and writes to the event loop it lives on."""

    def __init__(self, folder: Path, clock: Clock = now_ms) -> None:
        self.clock = clock
        self.path = folder / "store.sqlite"
        self.shelf = Shelf(folder)
        self._db = self._connect()
        if not self._db.execute("SELECT 1 FROM sqlite_master WHERE name = 'setting'").fetchone():
            _create(self._db, clock())
        self._db.executescript(
            "BEGIN; DELETE FROM late; DELETE FROM late_node; DELETE FROM late_link; COMMIT;"
        )
        self.settings: dict[str, str] = dict(self._db.execute("SELECT name, value FROM setting"))
        self.root = self.settings["root"]
        self.secret = bytes.fromhex(self.settings["secret"])
        self.seq: int = self._db.execute("SELECT max(seq) FROM node").fetchone()[0]
        self.used: int = self._db.execute("SELECT coalesce(sum(size), 0) FROM node").fetchone()[0]
        self.shelf.settle(self._names_content)
        self.near = self._connect()
        self._waiting: list[tuple[Callable[[Transaction], Any], asyncio.Future[Any]]] = []
        self._committer: asyncio.Task[None] | None = None
        self._disk = ThreadPoolExecutor(1, "commit")
        self._readers = ThreadPoolExecutor(READERS, "read", self._open_reader)
        self._local = threading.local()
        self._loop = asyncio.get_running_loop()

    async def write(self, change: Callable[[Transaction], T]) -> T:
        """Run a change in the next commit; return when it is on disk.

        Raises what the change raises; the other changes of the same commit are not touched by that.
        """
        future: asyncio.Future[T] = self._loop.create_future()
        self._waiting.append((change, future))
        if self._committer is None:
            self._committer = self._loop.create_task(self._commit_waiting())
        return await future

    async def read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Run a query on one snapshot, in a thread of the readers."""

        def run() -> T:
            db: sqlite3.Connection = self._local.db
            db.execute("BEGIN")
            try:
                return query(db)
            finally:
                db.execute("COMMIT")

        return await self._loop.run_in_executor(self._readers, run)

    async def close(self) -> None:
        """Commit what is waiting and close."""
        if self._committer is not None:
            await self._committer
        self._disk.shutdown()
        self._readers.shutdown()
        self.near.close()
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._db.close()
        self.shelf.close()

    def _open_reader(self) -> None:
        self._local.db = self._connect()

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, cached_statements=512)
        db.row_factory = sqlite3.Row
        # FULL: an answered write survives the loss of power, not only of the process.
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "wal_autocheckpoint = 8000"):
            db.execute(f"PRAGMA {pragma}")
        db.execute("PRAGMA cache_size = -65536")
        return db

    def _names_content(self, name: str) -> bool:
        node, _, version = name.rpartition(".")
        row = self._db.execute("SELECT content_version FROM node WHERE id = ?", (node,)).fetchone()
        return row is not None and str(row[0]) == version

    async def _commit_waiting(self) -> None:
        while self._waiting:
            batch = self._waiting[:BATCH]
            del self._waiting[:BATCH]
            try:
                outcomes = await self._commit([change for change, _ in batch])
            except Exception as error:  # not even the way back worked; nobody must wait for ever
                outcomes = [(None, error)] * len(batch)
            _resolve([future for _, future in batch], outcomes)
        self._committer = None

    async def _commit(
        self, changes: list[Callable[[Transaction], Any]], careful: bool = False
    ) -> list[Outcome]:
        """Run the changes in one commit; when the commit itself fails, in one each, to find the guilty."""
        outcomes: list[Outcome] = []
        tx = Transaction(self._db, self.clock(), self.root, self.seq, self.used)
        try:
            self._db.execute("BEGIN IMMEDIATE")
            for change in changes:
                try:
                    outcomes.append((tx.attempt(change, careful), None))
                except Spoilt:
                    self._db.execute("ROLLBACK")
                    return await self._commit(changes, careful=True)
                except Exception as error:
                    outcomes.append((None, error))
            if tx.placed:
                self.shelf.place(tx.placed, tx.replaced)
            await self._loop.run_in_executor(self._disk, self._make_durable, tx)
        except Exception as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            self.shelf.undo(tx.placed)
            if len(changes) == 1:
                return [(None, error)]
            return [outcome for change in changes for outcome in await self._commit([change])]
        self.seq, self.used = tx.seq, tx.used
        # What cannot be dropped costs room, no more; the commit stands.
        with contextlib.suppress(OSError):
            self.shelf.drop(tx.replaced)
        return outcomes

    def _make_durable(self, tx: Transaction) -> None:
        if tx.placed:
            self.shelf.sync([name for name, _ in tx.placed])
        self._db.execute("COMMIT")


def _resolve(futures: list[asyncio.Future[Any]], outcomes: list[Outcome]) -> None:
    for future, (result, error) in zip(futures, outcomes, strict=True):
        if future.cancelled():
            continue
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)


def _create(db: sqlite3.Connection, now: int) -> None:
    schema = resources.files("runner.emulator").joinpath("sql/schema.sql").read_text("utf-8")
    root = secrets.token_urlsafe(16)
    settings = {
        "root": root,
        "account": f"amzn1.account.{secrets.token_hex(14).upper()}",
        "secret": secrets.token_hex(32),
    }
    db.executescript(f"BEGIN; {schema}")
    db.executemany("INSERT INTO setting VALUES (?, ?)", settings.items())
    db.execute(
        "INSERT INTO node"
        " (id, seq, kind, status, version, created_ms, modified_ms, created_by, labels, properties)"
        " VALUES (?, 1, 'FOLDER', 'AVAILABLE', 1, ?, ?, 'CloudDriveFiles', '[]', '{}')",
        (root, now, now),
    )
    db.execute("COMMIT")
