"""Small texts that an app keeps on a node, under its own name as owner. Source: acd-api §7.8."""

import json
import re
import sqlite3
from typing import Any

from runner.emulator.answers import front, refused
from runner.emulator.database import Transaction
from runner.emulator.nodes import find, touch

KEYS = 10
VALUE_CHARACTERS = 500
_KEY = re.compile(r"[A-Za-z0-9_]{1,50}", re.ASCII)


def check(wanted: Any, author: str) -> str:
    """Return the properties of a new node as JSON; raises Refused 400, and 403 for another owner's."""
    if wanted is None:
        return "{}"
    if not isinstance(wanted, dict) or not all(isinstance(entries, dict) for entries in wanted.values()):
        raise refused(400, "properties: an object of owners, each with its keys and values")
    for owner, entries in wanted.items():
        _check_owner(owner, author)
        if len(entries) > KEYS:
            raise refused(400, f"properties: at most {KEYS} keys")
        for key, value in entries.items():
            _check_entry(key, value)
    return json.dumps({owner: entries for owner, entries in wanted.items() if entries}, ensure_ascii=False)


def of(db: sqlite3.Connection, node_id: str, owner: str) -> dict[str, str]:
    """Return the properties that an owner gave a node; none for a stranger."""
    found: dict[str, str] = json.loads(find(db, node_id)["properties"]).get(owner, {})
    return found


def get(db: sqlite3.Connection, node_id: str, owner: str, key: str) -> str:
    """Return one property; raises Refused 404."""
    found = of(db, node_id, owner)
    if key not in found:
        raise refused(404, f"No property {key[:64]}")
    return found[key]


def put(tx: Transaction, node_id: str, owner: str, key: str, value: Any, *, author: str, lag_ms: int) -> None:
    """Set one property; raises Refused 400, 403 or 404."""
    entries = of(tx.db, node_id, owner)
    _check_owner(owner, author)
    _check_entry(key, value)
    if key not in entries and len(entries) >= KEYS:
        raise refused(400, f"properties: at most {KEYS} keys")
    _store(tx, node_id, owner, entries | {key: value}, lag_ms)


def remove(tx: Transaction, node_id: str, owner: str, key: str, *, author: str, lag_ms: int) -> None:
    """Remove one property; raises Refused 403 or 404."""
    entries = of(tx.db, node_id, owner)
    _check_owner(owner, author)
    get(tx.db, node_id, owner, key)
    _store(tx, node_id, owner, {name: value for name, value in entries.items() if name != key}, lag_ms)


def _store(tx: Transaction, node_id: str, owner: str, entries: dict[str, str], lag_ms: int) -> None:
    everything = json.loads(find(tx.db, node_id)["properties"])
    everything.pop(owner, None)
    if entries:
        everything[owner] = entries
    touch(tx, node_id, lag_ms, properties=json.dumps(everything, ensure_ascii=False))


def _check_owner(owner: str, author: str) -> None:
    if owner != author:
        raise front(403, "Insufficient permissions granted for the properties of another owner")


def _check_entry(key: str, value: Any) -> None:
    if not _KEY.fullmatch(key):
        raise refused(400, "properties: a key has 1 to 50 characters of A-Z a-z 0-9 _")
    if not isinstance(value, str) or len(value) > VALUE_CHARACTERS:
        raise refused(400, f"properties: a value is a string of at most {VALUE_CHARACTERS} characters")
