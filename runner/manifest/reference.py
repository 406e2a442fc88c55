"""The reference page of manifests, written from the schema: the same descriptions as in editors and messages."""

from collections.abc import Iterator
from typing import Any

from runner.manifest.schema import schema

Part = dict[str, Any]

_SECTIONS = {
    "JobModel": "A job",
    "PairModel": "A pair",
    "Defaults": "`defaults`",
    "Policies": "`policies`",
    "PlanModel": "`plan`",
    "ChecksumPolicy": "A checksum policy",
    "RetryPolicy": "A retry policy",
    "GuardPolicy": "A guard policy",
    "SourceGuard": "`guard.source`",
    "TrashGuard": "`guard.trash`",
    "OverwriteGuard": "`guard.overwrite`",
    "ShrinkGuard": "`guard.shrink`",
    "Rule": "A filter rule",
    "Conditions": "Conditions of a filter rule",
    "Limits": "`limits` of a remote",
    "IndexPolicy": "`index` of a remote",
}
"""What follows the top level, in this order; then the kinds of remotes, then all that is left."""


def reference() -> str:
    """The whole page as Markdown."""
    whole = schema()
    parts: dict[str, Part] = whole["$defs"]
    kinds = [
        name for name, part in parts.items() if "type" in part.get("properties", {}) and name not in _SECTIONS
    ]
    rest = [name for name in parts if name not in _SECTIONS and name not in kinds]
    lines = [
        "# The manifest",
        "",
        "Written by `acdrun schema --format markdown` from the descriptions that editors and messages show too.",
        "A field in bold must be given.",
        *_section("Top level", whole, parts),
    ]
    for name, title in _SECTIONS.items():
        lines += _section(title, parts[name], parts)
    for name in (*kinds, *rest):
        lines += _section(_title(name, parts), parts[name], parts)
    return "\n".join(lines) + "\n"


def _section(title: str, part: Part, parts: dict[str, Part]) -> Iterator[str]:
    yield from ("", f"## {title}", "", part.get("description", "").replace("\n", " "), "")
    fields = part.get("properties")
    if not fields:
        return
    yield "| field | value | default | meaning |"
    yield "|---|---|---|---|"
    for name, field in fields.items():
        shown = f"**`{name}`**" if name in part.get("required", ()) else f"`{name}`"
        cells = (shown, _value(field, parts), _default(field), field.get("description", ""))
        yield "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _title(name: str, parts: dict[str, Part]) -> str:
    if name in _SECTIONS:
        return _SECTIONS[name].strip("`")
    kind = parts[name].get("properties", {}).get("type")
    if kind:
        return f"`type: {kind.get('const') or kind['enum'][0]}`"
    words = "".join(" " + c.lower() if c.isupper() else c for c in name).strip()
    return words.removesuffix(" config").capitalize()


def _value(field: Part, parts: dict[str, Part]) -> str:
    """What may stand there, in words."""
    if "$ref" in field:
        title = _title(field["$ref"].rpartition("/")[2], parts)
        anchor = "".join(c for c in title.lower().replace(" ", "-") if c.isalnum() or c in "-_")
        return f"[{title.replace('`', '')}](#{anchor})"
    for word in ("anyOf", "oneOf"):
        if word in field:
            some = [_value(one, parts) for one in field[word] if one.get("type") != "null"]
            return " or ".join(dict.fromkeys(some))
    if "const" in field or "enum" in field:
        return " or ".join(map(_literal, field.get("enum", [field.get("const")])))
    if field.get("type") == "array":
        return "list of " + _value(field.get("items", {}), parts)
    if field.get("type") == "object":
        inner = field.get("additionalProperties")
        return "name: " + _value(inner, parts) if isinstance(inner, dict) else "mapping"
    examples = field.get("examples")
    return " or ".join(f"`{one}`" for one in examples) if examples else str(field.get("type", "anything"))


def _default(field: Part) -> str:
    default = field.get("default")
    if default in (None, "", {}, []) or isinstance(default, dict | list):
        return ""
    return _literal(default)


def _literal(value: object) -> str:
    return f"`{value}`" if not isinstance(value, bool) else f"`{str(value).lower()}`"
