"""The lagging index of the real service, as a fault: listings show a changed node as it was, for a while.

GET of one node, creation checks and the change feed stay current. Source: acd-api §12.
"""

import sqlite3
from typing import NamedTuple

from runner.emulator.database import Transaction

_SHOWN = (
    "(SELECT * FROM {table} WHERE {key} NOT IN (SELECT id FROM late WHERE until_ms > {now})"
    " UNION ALL SELECT * FROM late_{table} WHERE {key} IN (SELECT id FROM late WHERE until_ms > {now}))"
)


class Tables(NamedTuple):
    """SQL expressions to read nodes and links from."""

    node: str
    link: str


CURRENT = Tables("node", "link")


def remember(tx: Transaction, node_id: str, lag_ms: int) -> None:
    """Keep a node as it is now for the listings of the next `lag_ms`; 0 keeps nothing."""
    if lag_ms <= 0:
        return
    tx.db.execute("DELETE FROM late_node WHERE id IN (SELECT id FROM late WHERE until_ms <= ?)", (tx.now_ms,))
    tx.db.execute(
        "DELETE FROM late_link WHERE child IN (SELECT id FROM late WHERE until_ms <= ?)", (tx.now_ms,)
    )
    tx.db.execute("DELETE FROM late WHERE until_ms <= ?", (tx.now_ms,))
    if tx.db.execute("SELECT 1 FROM late WHERE id = ?", (node_id,)).fetchone() is None:
        tx.db.execute("INSERT INTO late_node SELECT * FROM node WHERE id = ?", (node_id,))
        tx.db.execute("INSERT INTO late_link SELECT * FROM link WHERE child = ?", (node_id,))
    tx.db.execute(
        "INSERT INTO late VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET until_ms = excluded.until_ms",
        (node_id, tx.now_ms + lag_ms),
    )


def shown(db: sqlite3.Connection, now_ms: int) -> Tables:
    """Return what listings read from: the tables themselves unless something is late."""
    if db.execute("SELECT 1 FROM late WHERE until_ms > ? LIMIT 1", (now_ms,)).fetchone() is None:
        return CURRENT
    return Tables(
        _SHOWN.format(table="node", key="id", now=int(now_ms)),
        _SHOWN.format(table="link", key="child", now=int(now_ms)),
    )
