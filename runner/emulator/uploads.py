"""Uploads that have arrived become files. Source: acd-api §8.1, §8.2 and §14."""

import sqlite3
from functools import lru_cache
from mimetypes import MimeTypes

from runner.emulator.answers import Json, refused
from runner.emulator.database import Transaction
from runner.emulator.multipart import Upload, over_quota
from runner.emulator.nodes import (
    Content,
    Row,
    check_free,
    check_name,
    check_parents,
    extension,
    find,
    hold_back,
    make,
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
) -> Row:
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
    row = make(
        tx,
        "FILE",
        body,
        author,
        local_id=local_id,
        lag_ms=lag_ms,
        properties=check_properties(body.get("properties"), author),
        content=_content(upload, str(body.get("name")), version=1),
    )
    node_id = row[0]
    if dedup and stored.size:
        sql = "SELECT id FROM node WHERE md5 = ? AND size = ? AND status = 'AVAILABLE' AND id <> ?"
        twin = tx.db.execute(sql, (stored.md5, stored.size, node_id)).fetchone()
        if twin is not None:
            raise refused(409, f"Duplicate of node {twin['id']}", "MD5_DUPLICATE", {"nodeId": twin["id"]})
    tx.place(f"{node_id}.1", stored)
    tx.used += stored.size
    if pending:
        hold_back(tx, node_id)
        return find(tx.db, node_id)
    return row


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
    touch(tx, node_id, lag_ms, **_content(upload, row["name"], version)._asdict())
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


def _content(upload: Upload, name: str, version: int) -> Content:
    stored = upload.stored
    assert stored is not None
    ending, kind = extension(name), upload.content_type
    if not kind or len(kind) > 200 or kind == "application/octet-stream":
        kind = _guessed(ending or "")
    return Content(stored.size, stored.md5, kind, version, ending)


@lru_cache(maxsize=256)
def _guessed(ending: str) -> str:
    return _TYPES.guess_type(f"x.{ending}")[0] or "application/octet-stream"
