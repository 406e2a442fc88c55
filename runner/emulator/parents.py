"""The calls that add, remove and replace parents. Source: acd-api §7.6 and §7.7."""

import json
import sqlite3
from typing import Any

from runner.emulator.answers import refused, unknown_node
from runner.emulator.database import Transaction
from runner.emulator.nodes import attach, check_parents, find, touch

_BELOW_ITSELF = """
WITH RECURSIVE above (id) AS (
    SELECT ?
    UNION
    SELECT link.parent FROM link JOIN above ON link.child = above.id
)
SELECT 1 FROM above WHERE id = ?
"""


def add_parent(tx: Transaction, parent: str, child: str, lag_ms: int) -> sqlite3.Row:
    """Put a node, trashed or not, into one more folder; a parent that it has already changes nothing."""
    row = _movable(tx, parent, child)
    if parent in json.loads(row["parents"]):
        return row
    _check_folder(tx, parent, row)
    touch(tx, child, lag_ms)
    attach(tx, parent, child, row["name"], live=row["status"] == "AVAILABLE")
    return find(tx.db, child)


def remove_parent(tx: Transaction, parent: str, child: str, lag_ms: int) -> sqlite3.Row:
    """Take a node out of a folder; one that loses its last folder falls to the root."""
    row = _movable(tx, parent, child)
    parents = json.loads(row["parents"])
    if parent not in parents:
        raise refused(404, f"Node {child} is not a child of {parent}")
    if parents == [tx.root]:
        return row
    touch(tx, child, lag_ms)
    tx.db.execute("DELETE FROM link WHERE parent = ? AND child = ?", (parent, child))
    if len(parents) == 1:
        attach(tx, tx.root, child, row["name"], live=row["status"] == "AVAILABLE")
    return find(tx.db, child)


def replace_parent(tx: Transaction, parent: str, body: dict[str, Any], lag_ms: int) -> sqlite3.Row:
    """Move a node from `fromParent` to a folder and leave its other parents alone."""
    old, child = body.get("fromParent"), body.get("childId")
    if not isinstance(old, str) or not isinstance(child, str):
        raise refused(400, "fromParent and childId are required")
    row = _movable(tx, parent, child)
    if row["status"] != "AVAILABLE":
        raise refused(400, "Parents of a trashed node cannot be replaced")
    if old not in json.loads(row["parents"]):
        raise refused(400, f"Node {child} is not a child of {old[:64]}")
    _check_folder(tx, parent, row)
    if old == parent:
        return row
    touch(tx, child, lag_ms)
    tx.db.execute("DELETE FROM link WHERE parent = ? AND child = ?", (old, child))
    if parent not in json.loads(row["parents"]):
        attach(tx, parent, child, row["name"], live=True)
    return find(tx.db, child)


def set_parents(tx: Transaction, row: sqlite3.Row, name: str | None, wanted: Any) -> None:
    """Replace all parents of a node, as PATCH does."""
    if name is None:
        raise refused(403, "The root has no parents")
    parents = check_parents(tx, wanted)
    for parent in parents:
        _check_loop(tx, parent, row)
    tx.db.execute("DELETE FROM link WHERE child = ?", (row["id"],))
    for parent in parents:
        attach(tx, parent, row["id"], name, live=row["status"] == "AVAILABLE")


def _movable(tx: Transaction, parent: str, child: str) -> sqlite3.Row:
    row = find(tx.db, child)
    if tx.db.execute("SELECT 1 FROM node WHERE id = ?", (parent,)).fetchone() is None:
        raise unknown_node(parent)
    if row["name"] is None:
        raise refused(403, "The root has no parents")
    return row


def _check_folder(tx: Transaction, parent: str, row: sqlite3.Row) -> None:
    check_parents(tx, [parent])
    _check_loop(tx, parent, row)


def _check_loop(tx: Transaction, parent: str, row: sqlite3.Row) -> None:
    if row["kind"] == "FOLDER" and tx.db.execute(_BELOW_ITSELF, (parent, row["id"])).fetchone() is not None:
        raise refused(400, "A folder cannot become its own descendant")
