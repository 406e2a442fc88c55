"""Nodes: how they are shown, made, changed and trashed.

Every function that takes a Transaction runs in the writer's thread, inside one change; it raises Refused
and then nothing of the change stays. Source: acd-api §4, §5, §7 and §9.
"""

import base64
import hashlib
import json
import sqlite3
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

from runner.emulator.answers import Json, conflict, refused, unknown_node
from runner.emulator.database import Transaction
from runner.emulator.late import remember

NAME_UNITS = 280
DESCRIPTION_CHARACTERS = 500
LABELS, LABEL_CHARACTERS = 10, 256
PARENTS = (
    "(SELECT json_group_array(parent) FROM (SELECT parent FROM {link} WHERE child = node.id ORDER BY place))"
)
# Names of tables and columns in the SQL below are this program's own; values always travel as parameters.
_COLUMNS = 18
_INSERT = f"INSERT INTO node VALUES ({', '.join('?' * _COLUMNS)})"  # noqa: S608
SELECT = f"SELECT node.*, {PARENTS.format(link='link')} AS parents FROM node"  # noqa: S608


# A node's columns as in the schema, then its parents as a JSON list.
Row = sqlite3.Row | tuple[Any, ...]


class Content(NamedTuple):
    """What only files have, in the order of the columns."""

    size: int | None = None
    md5: str | None = None
    content_type: str | None = None
    content_version: int | None = None
    extension: str | None = None


def find(db: sqlite3.Connection, node_id: str) -> sqlite3.Row:
    """Return the row of a node, its parents as a JSON list beside it; raises Refused 404."""
    row: sqlite3.Row | None = db.execute(f"{SELECT} WHERE node.id = ?", (node_id,)).fetchone()
    if row is None:
        raise unknown_node(node_id)
    return row


def show(row: Row) -> Json:
    """Write a row as the protocol's JSON node (acd-api §4)."""
    node_id, _, name, kind, status, version, created_ms, modified_ms, author, *rest = row[: _COLUMNS + 1]
    description, labels, properties, _, size, md5, content_type, content_version, ending, parents = rest
    tag = hashlib.blake2b(f"{node_id}.{version}".encode(), digest_size=8).digest()
    node: Json = {"id": node_id} if name is None else {"id": node_id, "name": name}
    node |= {
        "kind": kind,
        "version": version,
        "eTagResponse": base64.urlsafe_b64encode(tag)[:11].decode(),
        "createdDate": iso(created_ms),
        "modifiedDate": iso(modified_ms),
        "createdBy": author,
        "labels": [] if labels == "[]" else json.loads(labels),
        "parents": json.loads(parents),
        "status": status,
        "restricted": False,
        "isShared": False,
    }
    if description is not None:
        node["description"] = description
    if properties != "{}":
        node["properties"] = json.loads(properties)
    if name is None:
        node["isRoot"] = True
    if kind == "FILE" and status != "PENDING":
        node["contentProperties"] = {
            "version": content_version,
            "size": size,
            "md5": md5,
            "contentType": content_type,
        }
        if ending is not None:
            node["contentProperties"]["extension"] = ending
    return node


def iso(ms: int) -> str:
    """Write milliseconds since 1970 as ISO 8601, UTC, with milliseconds and a Z."""
    return f"{_iso_second(ms // 1000)}.{ms % 1000:03d}Z"


@lru_cache(maxsize=1024)
def _iso_second(second: int) -> str:
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}"


def check_name(name: Any) -> str:
    """Return the name if it can be one; raises Refused 400 (acd-api §5 and §14)."""
    if not isinstance(name, str) or name == "":
        raise refused(400, "1 validation error detected: Value at 'name' must not be empty")
    if "\0" in name or "/" in name:
        raise refused(
            400, f"1 validation error detected: Value '{name[:300]}' at 'name' holds NUL or a slash"
        )
    if len(name) > NAME_UNITS or len(name.encode("utf-16-le", "surrogatepass")) > 2 * NAME_UNITS:
        raise refused(
            400,
            f"1 validation error detected: Value '{name[:300]}' at 'name' failed to satisfy constraint: "
            f"Member must have length less than or equal to {NAME_UNITS}",
        )
    return name


def check_details(body: Json) -> Json:
    """Return the labels (as JSON) and the description that a body carries; raises Refused 400."""
    found: Json = {}
    if (labels := body.get("labels")) is not None:
        if (
            not _is_list_of_text(labels)
            or len(labels) > LABELS
            or any(len(x) > LABEL_CHARACTERS for x in labels)
        ):
            raise refused(400, f"labels: at most {LABELS} strings of at most {LABEL_CHARACTERS} characters")
        found["labels"] = json.dumps(labels, ensure_ascii=False)
    if (description := body.get("description")) is not None:
        if not isinstance(description, str) or len(description) > DESCRIPTION_CHARACTERS:
            raise refused(400, f"description: a string of at most {DESCRIPTION_CHARACTERS} characters")
        found["description"] = description
    return found


def check_parents(tx: Transaction, wanted: Any) -> list[str]:
    """Return ids of available folders, each once; the root when none is wanted. Raises Refused 400."""
    if wanted is None or wanted == []:
        return [tx.root]
    if not _is_list_of_text(wanted):
        raise refused(400, "parents: a list of ids")
    parents = list(dict.fromkeys(wanted))
    for parent in parents:
        row = tx.db.execute("SELECT kind, status FROM node WHERE id = ?", (parent,)).fetchone()
        if row is None:
            raise refused(400, "One of the parentId doesn't exists")
        if row["kind"] != "FOLDER":
            raise refused(400, f"Parent {parent} is not a folder")
        if row["status"] != "AVAILABLE":
            raise refused(400, "A node cannot be added to trashed parent")
    return parents


def create(
    tx: Transaction, kind: str, body: Json, author: str, *, local_id: str, lag_ms: int, **columns: Any
) -> str:
    """Insert a node with its links; return its id. See `make`."""
    properties = columns.pop("properties", "{}")
    content = Content(**columns)
    row = make(
        tx, kind, body, author, local_id=local_id, lag_ms=lag_ms, properties=properties, content=content
    )
    return str(row[0])


def make(
    tx: Transaction,
    kind: str,
    body: Json,
    author: str,
    *,
    local_id: str,
    lag_ms: int,
    properties: str = "{}",
    content: Content | None = None,
) -> Row:
    """Insert a node with its links; return its row as `find` would.

    body: the request's `name`, `parents`, `labels`, `description`. properties: as JSON, checked.
    Raises Refused 400 for a bad body, 409 for a taken name or a repeated localId.
    """
    name = check_name(body.get("name"))
    details = check_details(body)
    parents = check_parents(tx, body.get("parents"))
    if local_id:
        row = tx.db.execute("SELECT id FROM node WHERE local_id = ?", (local_id,)).fetchone()
        if row is not None:
            raise refused(
                409, f"Node with localId {local_id[:100]} already exists", "", {"nodeId": row["id"]}
            )
    for parent in parents:
        check_free(tx, parent, name)
    content = Content() if content is None else content
    row = (
        *(tx.fresh_id(), tx.next_seq(), name, kind, "AVAILABLE", 1, tx.now_ms, tx.now_ms, author),
        *(details.get("description"), details.get("labels", "[]"), properties, local_id or None),
        *content,
    )
    remember(tx, row[0], lag_ms)
    tx.db.execute(_INSERT, row)
    for place, parent in enumerate(parents, 1):
        tx.db.execute("INSERT INTO link VALUES (?, ?, ?, ?, 1)", (parent, row[0], place, name.casefold()))
    return (*row, json.dumps(parents))


def attach(tx: Transaction, parent: str, child: str, name: str, live: bool) -> None:
    """Insert the link that puts a node into a folder; raises Refused 409 when its name is taken there."""
    if live:
        check_free(tx, parent, name)
    tx.db.execute(
        "INSERT INTO link (parent, child, place, folded, live)"
        " VALUES (?, ?, (SELECT coalesce(max(place), 0) + 1 FROM link WHERE child = ?), ?, ?)",
        (parent, child, child, name.casefold(), int(live)),
    )


def check_free(tx: Transaction, parent: str, name: str, but: str = "") -> None:
    """Raise Refused 409 if an available child of the folder, not `but`, has the name."""
    row = tx.db.execute(
        "SELECT child FROM link WHERE parent = ? AND folded = ? AND live = 1 AND child <> ?",
        (parent, name.casefold(), but),
    ).fetchone()
    if row is not None:
        raise conflict(name, parent, row["child"])


def touch(tx: Transaction, node_id: str, lag_ms: int, **columns: Any) -> None:
    """Set columns of a node and move its version, its date and its place in the change feed on."""
    remember(tx, node_id, lag_ms)
    sets = "".join(f", {name} = ?" for name in columns)
    moved = "seq = ?, version = version + 1, modified_ms = max(?, modified_ms)"
    sql = f"UPDATE node SET {moved}{sets} WHERE id = ?"  # noqa: S608
    tx.db.execute(sql, (tx.next_seq(), tx.now_ms, *columns.values(), node_id))


def hold_back(tx: Transaction, node_id: str) -> None:
    """Leave a new file PENDING, as the service did with broken uploads; its name stays free."""
    tx.db.execute("UPDATE node SET status = 'PENDING' WHERE id = ?", (node_id,))
    tx.db.execute("UPDATE link SET live = 2 WHERE child = ?", (node_id,))


def release(tx: Transaction, node_id: str) -> None:
    """Make a PENDING file AVAILABLE under its present parents and name; raises Refused 409."""
    row = find(tx.db, node_id)
    for parent in json.loads(row["parents"]):
        check_free(tx, parent, row["name"], but=node_id)
    tx.db.execute("UPDATE node SET status = 'AVAILABLE' WHERE id = ?", (node_id,))
    tx.db.execute("UPDATE link SET live = 1 WHERE child = ?", (node_id,))


def trash(tx: Transaction, node_id: str, lag_ms: int) -> sqlite3.Row:
    """Move a node to the trash; its parents and name stay. Twice is as good as once."""
    row = find(tx.db, node_id)
    if row["name"] is None:
        raise refused(403, "The root cannot be moved to the trash")
    if row["status"] == "TRASH":
        return row
    touch(tx, node_id, lag_ms, status="TRASH")
    tx.db.execute("UPDATE link SET live = 0 WHERE child = ?", (node_id,))
    return find(tx.db, node_id)


def restore(tx: Transaction, node_id: str, lag_ms: int) -> sqlite3.Row:
    """Bring a node back from the trash, under its present parents and name."""
    row = find(tx.db, node_id)
    if row["status"] == "AVAILABLE":
        return row
    for parent in check_parents(tx, json.loads(row["parents"])):
        check_free(tx, parent, row["name"])
    touch(tx, node_id, lag_ms, status="AVAILABLE")
    tx.db.execute("UPDATE link SET live = 1 WHERE child = ?", (node_id,))
    return find(tx.db, node_id)


def extension(name: str) -> str | None:
    """Return what follows the last dot of a name, or None; a leading dot opens no extension."""
    stem, dot, last = name.rpartition(".")
    return last if dot and stem and last else None


def _is_list_of_text(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(entry, str) for entry in value)
