"""Uploads that have arrived become files. Source: acd-api §8.1, §8.2 and §14."""

import sqlite3
from mimetypes import MimeTypes
from typing import Any

from runner.emulator.answers import Json, refused
from runner.emulator.database import Transaction
from runner.emulator.multipart import Upload, over_quota
from runner.emulator.nodes import (
    check_free,
    check_name,
    check_parents,
    create,
    extension,
    find,
    hold_back,
    release,
    touch,
)
from runner.emulator.properties import check as check_properties

_TYPES = MimeTypes()


def create_file(
    tx: Transaction,
    upload: Upload,
    author: str,
    *,
    local_id: str,
    dedup: bool,
    quota: int,
    lag_ms: int,
    pending: bool,
) -> sqlite3.Row:
    """Make a node of an upload that has wholly arrived; return its row.

    pending: leave it PENDING. dedup: refuse content that an available file has already.
    Raises Refused 400, 403 or 409; name conflicts come before duplicates.
    """
    stored, body = upload.stored, upload.metadata
    assert stored is not None and body is not None
    if body.get("kind", "FILE") != "FILE":
        raise refused(400, "kind must be FILE")
    if tx.used + stored.size > quota:
        raise over_quota()
    name = body.get("name")
    node_id = create(
        tx,
        "FILE",
        body,
        author,
        local_id=local_id,
        lag_ms=lag_ms,
        **_content_columns(upload, str(name), version=1),
        properties=check_properties(body.get("properties"), author),
    )
    if dedup and stored.size:
        sql = "SELECT id FROM node WHERE md5 = ? AND size = ? AND status = 'AVAILABLE' AND id <> ?"
        row = tx.db.execute(sql, (stored.md5, stored.size, node_id)).fetchone()
        if row is not None:
            raise refused(409, f"Duplicate of node {row['id']}", "MD5_DUPLICATE", {"nodeId": row["id"]})
    tx.place(f"{node_id}.1", stored)
    tx.used += stored.size
    if pending:
        hold_back(tx, node_id)
    return find(tx.db, node_id)


def overwrite_file(tx: Transaction, upload: Upload, node_id: str, quota: int, lag_ms: int) -> sqlite3.Row:
    """Give a file new content; return its row. Raises Refused 400, 403 or 404."""
    stored = upload.stored
    assert stored is not None
    row = find(tx.db, node_id)
    if row["kind"] != "FILE":
        raise refused(400, f"Node {node_id} is not a file")
    if tx.used - row["size"] + stored.size > quota:
        raise over_quota()
    version = row["content_version"] + 1
    touch(tx, node_id, lag_ms, **_content_columns(upload, row["name"], version))
    tx.place(f"{node_id}.{version}", stored)
    tx.replaced.append(f"{node_id}.{row['content_version']}")
    tx.used += stored.size - row["size"]
    if row["status"] == "PENDING":
        release(tx, node_id)
    return find(tx.db, node_id)


def check_early(db: sqlite3.Connection, root: str, body: Json) -> None:
    """Raise Refused for metadata that cannot succeed, before its content is stored."""
    tx = Transaction(db, 0, root, 0, 0)
    name = check_name(body.get("name"))
    for parent in check_parents(tx, body.get("parents")):
        check_free(tx, parent, name)


def _content_columns(upload: Upload, name: str, version: int) -> dict[str, Any]:
    stored = upload.stored
    assert stored is not None
    kind = upload.content_type
    if not kind or len(kind) > 200 or kind == "application/octet-stream":
        kind = _TYPES.guess_type("x." + (extension(name) or ""))[0] or "application/octet-stream"
    return {
        "size": stored.size,
        "md5": stored.md5,
        "content_type": kind,
        "content_version": version,
        "extension": extension(name),
    }
