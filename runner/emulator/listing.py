"""Lists of nodes, page by page. Source: acd-api §7.1, §7.4 and §9.

Pages follow keys, not offsets: a node that is there during the whole listing is listed exactly once,
whatever comes and goes meanwhile.
"""

import json
import re
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runner.emulator.answers import Json, front, refused, unknown_node
from runner.emulator.filter_sql import COLUMNS, Condition, both, condition, names_status, required
from runner.emulator.filters import BadFilter, Equal, Filter, parse
from runner.emulator.late import shown
from runner.emulator.nodes import PARENTS, show
from runner.emulator.paging import seal, unseal

PAGE = 200
TOKEN_LIFE_MS = 10 * 60 * 1000
SORTABLE = {"name", "kind", "status", "createdDate", "modifiedDate"} | {
    f"contentProperties.{name}" for name in ("size", "contentType", "contentDate", "extension")
}
_SORT_ENTRY = re.compile(r"""\s*(["'])([A-Za-z.]+)(?:\s+(ASC|DESC))?\1\s*""")


@dataclass(slots=True)
class Sort:
    """One sort key: an SQL expression that is never NULL, and its direction."""

    sql: str
    descending: bool


@dataclass(slots=True)
class Query:
    """One list call, checked: what to find, in which order, from where on."""

    found: Filter | None
    parent: str | None
    trashed: bool
    sort: list[Sort]
    limit: int
    key: list[Any] | None
    count: int | None
    purpose: str


def read_query(
    params: Mapping[str, str], secret: bytes, now_ms: int, parent: str | None, trashed: bool
) -> Query:
    """Check the parameters of a list call.

    parent: id of the folder whose children are listed. trashed: list the trash.
    Raises Refused 400 for what cannot be understood, and for a token that is old or foreign.
    """
    text = params.get("filters", "")
    try:
        found = parse(text) if text.strip() else None
    except BadFilter as error:
        raise refused(400, f"Invalid filter: {error}") from error
    limit = params.get("limit", "") or str(PAGE)
    if not (limit.isascii() and limit.isdigit() and len(limit) < 5 and 1 <= int(limit) <= PAGE):
        raise refused(400, f"limit must be a number from 1 to {PAGE}")
    sort_text = params.get("sort", "")
    asset = params.get("asset", "") or "NONE"
    if asset not in ("ALL", "NONE"):
        raise refused(400, "asset must be ALL or NONE")
    purpose = "page " + json.dumps([parent, trashed, text, sort_text])
    key, count = None, None
    if token := params.get("startToken", ""):
        content = unseal(secret, purpose, token)
        if content is None or now_ms - content[0] > TOKEN_LIFE_MS:
            raise front(400, "Next token is expired")
        _, count, key = content
    return Query(found, parent, trashed, _read_sort(sort_text), int(limit), key, count, purpose)


def list_page(db: sqlite3.Connection, query: Query, root: str, secret: bytes, now_ms: int) -> Json:
    """Read one page; `count` is that of all pages, taken with the first."""
    if (
        query.parent is not None
        and db.execute("SELECT 1 FROM node WHERE id = ?", (query.parent,)).fetchone() is None
    ):
        raise unknown_node(query.parent)
    tables = shown(db, now_ms)
    where, source, id_sql = _plan(query, root, tables.node, tables.link)
    count = query.count
    if count is None:
        # The links alone can count a whole folder, many times faster than with their nodes.
        counted = source if "node." in where.sql else f"{tables.link} AS link"
        sql = f"SELECT count(*) FROM {counted} WHERE {where.sql}"  # noqa: S608  values travel as parameters
        count = db.execute(sql, where.values).fetchone()[0]
    order = [*query.sort, Sort(id_sql, False)]
    if query.key is not None:
        where = both(where, _after(order, query.key))
    keys = "".join(f", {sort.sql} AS key_{i}" for i, sort in enumerate(order))
    parents = PARENTS.format(link=tables.link)
    directions = ", ".join(sort.sql + (" DESC" if sort.descending else "") for sort in order)
    wanted = f"node.*, {parents} AS parents{keys}"
    sql = f"SELECT {wanted} FROM {source} WHERE {where.sql} ORDER BY {directions} LIMIT ?"  # noqa: S608
    rows = db.execute(sql, [*where.values, query.limit + 1]).fetchall()
    page: Json = {"count": count, "data": [show(row) for row in rows[: query.limit]]}
    if len(rows) > query.limit:
        last = rows[query.limit - 1]
        key = [last[f"key_{i}"] for i in range(len(order))]
        page["nextToken"] = seal(secret, query.purpose, [now_ms, count, key])
    return page


def _plan(query: Query, root: str, node: str, link: str) -> tuple[Condition, str, str]:
    """Return condition, FROM clause and id; come in by folder, and name, if it can be."""
    needed = required(query.found) if query.found is not None else []
    parent = query.parent or next((str(term.value) for term in needed if term.field == "parents"), None)
    conditions = []
    live = not query.trashed and (query.found is None or not names_status(query.found))
    if parent is not None:
        conditions.append(Condition("link.parent = ?", [parent]))
        name = next((str(term.value) for term in needed if term.field == "name"), None)
        if name is not None:
            conditions.append(Condition("link.folded = ?", [name.casefold()]))
    if live:
        by_name = any(term.field == "name" for term in needed)  # by the index of available names
        of_folder = "link.live = 1" if by_name else "link.live > 0"
        conditions.append(Condition("node.status <> 'TRASH'" if parent is None else of_folder))
    if query.trashed:
        conditions.append(Condition("node.status = 'TRASH'"))
    is_whole_folder = parent is not None and live and (query.found is None or _says_only(query.found, parent))
    if query.found is not None and not is_whole_folder:
        conditions.append(condition(query.found, root, link))
    if not conditions:
        conditions.append(Condition("node.id <> ''"))
    if parent is None:
        return both(*conditions), f"{node} AS node", "node.id"
    source = f"{link} AS link CROSS JOIN {node} AS node ON node.id = link.child"
    return both(*conditions), source, "link.child"


def _says_only(found: Filter, parent: str) -> bool:
    return found == Equal("parents", parent)


def _after(order: list[Sort], key: list[Any]) -> Condition:
    """Return the condition that a row comes after the one with that key."""
    steps = []
    values: list[str | int] = []
    for i, sort in enumerate(order):
        equal = "".join(f"{earlier.sql} = ? AND " for earlier in order[:i])
        steps.append(f"({equal}{sort.sql} {'<' if sort.descending else '>'} ?)")
        values += [*key[:i], key[i]]
    return Condition("(" + " OR ".join(steps) + ")", values)


def _read_sort(text: str) -> list[Sort]:
    """Read `["name ASC","contentProperties.size DESC"]`; single quotes are seen too."""
    text = text.strip()
    if not text:
        return []
    if not (text.startswith("[") and text.endswith("]")) or len(text) > 1000:
        raise refused(400, 'sort must be a list such as ["name ASC"]')
    sorts = []
    for entry in text[1:-1].split(","):
        found = _SORT_ENTRY.fullmatch(entry)
        if found is None or found[2] not in SORTABLE:
            raise refused(400, f"cannot sort by {entry[:50]}")
        missing = "-1" if found[2].endswith(("size", "Date")) else "''"
        sorts.append(Sort(f"coalesce({COLUMNS[found[2]]}, {missing})", found[3] == "DESC"))
    if len(sorts) > len(SORTABLE):
        raise refused(400, "too many sort keys")
    return sorts
