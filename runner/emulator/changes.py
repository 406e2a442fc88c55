"""The change feed: one JSON object per line, and no newline after the last. Source: acd-api §10."""

import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from runner.emulator.answers import Json, refused, to_json
from runner.emulator.database import Database
from runner.emulator.nodes import SELECT, show
from runner.emulator.paging import seal, unseal

CHUNK, CHUNK_MOST = 500, 5000
END = b'{"end":true}'
_PURPOSE = "checkpoint"


@dataclass(slots=True)
class Wish:
    """What a client asked of the feed: changes after number `since`, so many a line, so many in all."""

    since: int
    reset: bool
    chunk: int
    most: int | None


def read_wish(body: Json, secret: bytes, newest: int) -> Wish:
    """Check the body of the call; an unknown checkpoint starts from the beginning, with `reset`.

    newest: the number of the last change; a checkpoint beyond it comes from another life of the store.
    Raises Refused 400.
    """
    checkpoint = body.get("checkpoint")
    if checkpoint is not None and not isinstance(checkpoint, str):
        raise refused(400, "checkpoint must be a string")
    if body.get("includePurged") not in (None, True, False, "", "true", "false"):
        raise refused(400, "includePurged must be true or false")
    since = unseal(secret, _PURPOSE, checkpoint) if checkpoint else None
    reset = since is None or since > newest
    chunk = _number(body, "chunkSize") or CHUNK
    return Wish(0 if reset else int(since or 0), reset, min(chunk, CHUNK_MOST), _number(body, "maxNodes"))


async def stream(database: Database, wish: Wish) -> AsyncIterator[bytes]:
    """Yield the lines of the answer: at least one with nodes, perhaps none in it, and the end."""
    since, reset, sent = wish.since, wish.reset, 0
    until = database.near.execute("SELECT max(seq) FROM node").fetchone()[0]
    while True:
        chunk = wish.chunk if wish.most is None else min(wish.chunk, wish.most - sent)

        def read(db: sqlite3.Connection, since: int = since, chunk: int = chunk) -> list[sqlite3.Row]:
            sql = f"{SELECT} WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?"
            return db.execute(sql, (since, until, chunk)).fetchall()

        rows = await database.read(read)
        sent += len(rows)
        if not rows and (sent or since != wish.since):
            break
        since = rows[-1]["seq"] if rows else since
        line: dict[str, Any] = {
            "checkpoint": seal(database.secret, _PURPOSE, since),
            "reset": reset,
            "nodes": [show(row) for row in rows],
            "statusCode": 200,
        }
        yield to_json(line) + b"\n"
        reset = False
        if len(rows) < chunk or (wish.most is not None and sent >= wish.most):
            break
    yield END


def _number(body: Json, name: str) -> int | None:
    value = body.get(name)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        value = int(value)
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value < 10**9:
        raise refused(400, f"{name} must be a positive number")
    return value
