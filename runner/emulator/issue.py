"""The command `token`: tokens for a client that is set up by hand, whether the emulator runs or not."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

from runner.emulator.answers import Json
from runner.emulator.database import Database, Transaction, now_ms
from runner.emulator.oauth import make_pair, rclone_form

BUSY_S = 10


def issue(folder: Path, life_s: int) -> Json:
    """Make an access token and a refresh token in a store; return them in rclone's form.

    The store's own process, if there is one, sees them at once. Raises OSError or sqlite3.Error when the
    store cannot be written.
    """
    with closing(sqlite3.connect(folder / "store.sqlite", isolation_level=None, timeout=BUSY_S)) as db:
        now = now_ms()
        db.execute("BEGIN IMMEDIATE")
        made = make_pair(Transaction(db, now, root="", seq=0, used=0), life_s)
        db.execute("COMMIT")
    return rclone_form(made, now)


def has_store(folder: Path) -> bool:
    """Tell whether the folder has been served before."""
    return (folder / "store.sqlite").exists()


def make_store(folder: Path) -> None:
    """Make an empty store; the caller holds the folder."""

    async def make() -> None:
        await Database(folder).close()

    asyncio.run(make())
