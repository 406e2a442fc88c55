"""The call that changes a node's metadata. Source: acd-api §7.6."""

import json
import sqlite3

from runner.emulator.answers import Json, refused
from runner.emulator.database import Transaction
from runner.emulator.nodes import check_details, check_free, check_name, extension, find, release, touch
from runner.emulator.parents import set_parents


def change(tx: Transaction, node_id: str, body: Json, lag_ms: int) -> sqlite3.Row:
    """Apply a PATCH (acd-api §7.6) and return the row after it."""
    row = find(tx.db, node_id)
    if "contentProperties" in body:
        raise refused(403, "contentProperties cannot be written")
    columns = check_details(body)
    live = row["status"] == "AVAILABLE"
    if (name := body.get("name")) is not None and name != row["name"]:
        check_name(name)
        if row["name"] is None:
            raise refused(403, "The root cannot be renamed")
        if live:
            for parent in json.loads(row["parents"]) if body.get("parents") is None else ():
                check_free(tx, parent, name, but=node_id)
        columns["name"] = name
        if row["kind"] == "FILE":
            columns["extension"] = extension(name)
    status = body.get("status")
    released = row["status"] == "PENDING" and status == "AVAILABLE"
    if status is not None and status != row["status"] and not released:
        raise refused(400, f"status cannot become '{str(status)[:50]}' by this call")
    touch(tx, node_id, lag_ms, **columns)
    if "name" in columns:
        if body.get("parents") is not None:
            # The old folders need not have room for the new name: the node leaves them in the same change.
            tx.db.execute("UPDATE link SET live = 0 WHERE child = ?", (node_id,))
        tx.db.execute("UPDATE link SET folded = ? WHERE child = ?", (columns["name"].casefold(), node_id))
    if body.get("parents") is not None:
        set_parents(tx, row, columns.get("name", row["name"]), body["parents"])
    if released:
        release(tx, node_id)
    return find(tx.db, node_id)
