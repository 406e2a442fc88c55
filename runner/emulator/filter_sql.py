"""Filters as SQL over `node` and `link`: a condition, and the index to come in by."""

from dataclasses import dataclass, field
from typing import assert_never

from runner.emulator.filters import And, Equal, Filter, Or, Prefix, Range

COLUMNS = {
    "name": "node.name",
    "kind": "node.kind",
    "status": "node.status",
    "description": "node.description",
    "createdDate": "node.created_ms",
    "modifiedDate": "node.modified_ms",
    "contentProperties.contentType": "node.content_type",
    "contentProperties.md5": "node.md5",
    "contentProperties.extension": "node.extension",
    "contentProperties.size": "node.size",
    # Content dates come from recognised pictures; nothing is recognised here.
    "contentProperties.contentDate": "NULL",
}


@dataclass(slots=True)
class Condition:
    """An SQL expression and the values of its question marks."""

    sql: str
    values: list[str | int] = field(default_factory=list)


def condition(found: Filter, root: str, link: str = "link") -> Condition:
    """Translate a filter into a condition on a row of `node`.

    root: id of the root; link: what to read links from.
    """
    match found:
        case And(parts):
            return _join(" AND ", parts, root, link)
        case Or(parts):
            return _join(" OR ", parts, root, link)
        case Equal():
            return _equal(found, root, link)
        case Prefix("labels", start):
            sql = "EXISTS (SELECT 1 FROM json_each(node.labels) AS e WHERE substr(e.value, 1, ?) = ?)"
            return Condition(sql, [len(start), start])
        case Prefix(name, start):
            return Condition(f"substr({COLUMNS[name]}, 1, ?) = ?", [len(start), start])
        case Range(name, low, low_included, high, high_included):
            bounds = [Condition(f"{COLUMNS[name]} IS NOT NULL")]
            if low is not None:
                bounds.append(Condition(f"{COLUMNS[name]} {'>=' if low_included else '>'} ?", [low]))
            if high is not None:
                bounds.append(Condition(f"{COLUMNS[name]} {'<=' if high_included else '<'} ?", [high]))
            return both(*bounds)
        case _:
            assert_never(found)


def both(*conditions: Condition) -> Condition:
    """Join conditions that must all hold."""
    return Condition(
        " AND ".join(c.sql for c in conditions), [value for c in conditions for value in c.values]
    )


def required(found: Filter) -> list[Equal]:
    """Return the equalities without which nothing matches: those on the filter's top level."""
    parts = found.parts if isinstance(found, And) else (found,)
    return [part for part in parts if isinstance(part, Equal)]


def names_status(found: Filter) -> bool:
    """Tell whether a filter speaks of the status anywhere; if not, trashed nodes are left out."""
    if isinstance(found, And | Or):
        return any(names_status(part) for part in found.parts)
    return found.field == "status"


def _join(word: str, parts: tuple[Filter, ...], root: str, link: str) -> Condition:
    conditions = [condition(part, root, link) for part in parts]
    return Condition(
        "(" + word.join(c.sql for c in conditions) + ")", [value for c in conditions for value in c.values]
    )


def _equal(found: Equal, root: str, link: str) -> Condition:
    match found:
        case Equal("isRoot", _):
            return Condition("node.id = ?", [root])
        case Equal("parents", value):
            sql = f"EXISTS (SELECT 1 FROM {link} AS l WHERE l.parent = ? AND l.child = node.id)"  # noqa: S608
            return Condition(sql, [value])
        case Equal("labels", value):
            return Condition("EXISTS (SELECT 1 FROM json_each(node.labels) AS e WHERE e.value = ?)", [value])
        case Equal("status", "TRASH"):
            return Condition("node.status = 'TRASH'")  # a literal, so that the trash's own index serves
        case Equal(name, value):
            return Condition(f"{COLUMNS[name]} = ?", [value])
