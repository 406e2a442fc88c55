"""A manifest as it will be run: every default filled in, with the line that each value comes from."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from runner.manifest.manifest import Manifest
from runner.model.pair import Location

_BARE = re.compile(r"[A-Za-z_/][\w./-]*(:[\w./-]+)?|[0-9]+(\.[0-9]+)?%|[0-9]+[A-Za-z]+(/s)?", re.ASCII)
_WORDS = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}
_PAIR = (
    "source",
    "destination",
    "mode",
    "filter",
    "checksum",
    "retry",
    "guard",
    "case",
    "links",
    "unreadable",
    "renames",
    "durability",
)
_POLICY = (
    "compare",
    "verify",
    "sample",
    "attempts",
    "calls",
    "backoff",
    "budget",
    "source",
    "destination",
    "trash",
    "overwrite",
    "shrink",
)
_DEFAULTED = ("filter", "checksum", "retry", "guard", "case", "links", "unreadable", "renames", "durability")
_NOTES_AT = 48


def effective_text(manifest: Manifest) -> str:
    """YAML that is again a manifest and asks for the same; its comments tell where values come from."""
    effective = json.loads(manifest.canonical())["manifest"]
    whole: dict[str, Any] = {"version": 1, "name": effective["name"]}
    notes: dict[tuple[Any, ...], str] = {}
    if effective["remotes"]:
        whole["remotes"] = {name: _given(fields) for name, fields in effective["remotes"].items()}
        for name, fields in whole["remotes"].items():
            for key in fields:
                notes["remotes", name, key] = _origin(manifest, ("remotes", name, key))
    whole["plan"] = _given(effective["plan"])
    for key in whole["plan"]:
        at = manifest.places.get(("plan", key))
        notes["plan", key] = f"line {at[0]}" if at else "default"
    whole["jobs"] = {job["name"]: _job(job) for job in effective["jobs"]}
    for job in manifest.jobs:
        for number in range(len(job.pairs)):
            for key in _DEFAULTED:
                keys = ("jobs", job.name, "pairs", number, key)
                notes[keys] = _origin(manifest, keys)
    return "\n".join(_lines(whole, (), "", notes)) + "\n"


def _job(job: Mapping[str, Any]) -> dict[str, Any]:
    fields = {key: job[key] for key in ("needs", "before", "after") if job[key]}
    fields["pairs"] = [_pair(pair) for pair in job["pairs"]]
    return fields


def _pair(pair: Mapping[str, Any]) -> dict[str, Any]:
    ends = {end: str(Location(*pair[end])) for end in ("source", "destination")}
    fields = {**_given(pair), **ends}
    policies = {key: _sorted(fields[key], _POLICY) for key in ("checksum", "retry", "guard")}
    return _sorted({**fields, **policies}, _PAIR)


def _sorted(fields: Mapping[str, Any], order: Sequence[str]) -> dict[str, Any]:
    """In the order in which a person writes them, all others last."""
    return dict(
        sorted(fields.items(), key=lambda item: order.index(item[0]) if item[0] in order else len(order))
    )


def _given(value: Any) -> Any:
    """Without what is not set: leaving it out means the same."""
    if isinstance(value, dict):
        inner = {key: _given(v) for key, v in value.items()}
        return {key: v for key, v in inner.items() if v is not None and v != {}}
    return [_given(v) for v in value] if isinstance(value, list) else value


def _origin(manifest: Manifest, keys: tuple[Any, ...]) -> str:
    if (at := manifest.places.get(keys)) is not None:
        return f"line {at[0]}"
    if (at := manifest.places.get(("defaults", keys[-1]))) is not None and keys[0] == "jobs":
        return f"defaults, line {at[0]}"
    return "default" if keys[0] == "jobs" or keys[:2] in manifest.places else "your own remotes"


def _lines(
    value: Mapping[str, Any], keys: tuple[Any, ...], indent: str, notes: Mapping[tuple[Any, ...], str]
) -> Iterator[str]:
    for key, inner in value.items():
        here = (*keys, key)
        head = f"{indent}{_scalar(key)}:"
        note = notes.get(here, "")
        if isinstance(inner, dict) and any(isinstance(leaf, dict | list) for leaf in inner.values()):
            yield _noted(head, note)
            yield from _lines(inner, here, indent + "  ", notes)
        elif isinstance(inner, list) and any(isinstance(item, dict) for item in inner):
            yield _noted(head, note)
            for number, item in enumerate(inner):
                first, *rest = _lines(item, (*here, number), indent + "    ", notes)
                yield f"{indent}  - {first[len(indent) + 4 :]}"
                yield from rest
        else:
            yield _noted(f"{head} {_flow(inner)}", note)


def _noted(text: str, note: str) -> str:
    return f"{text:<{_NOTES_AT}}  # {note}" if note else text


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return (
            "{ " + ", ".join(f"{_scalar(k)}: {_flow(v)}" for k, v in value.items()) + " }" if value else "{}"
        )
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return _scalar(value)


def _scalar(value: Any) -> str:
    if isinstance(value, str) and (not _BARE.fullmatch(value) or value.lower() in _WORDS):
        return json.dumps(value, ensure_ascii=not value.isprintable())
    return value if isinstance(value, str) else json.dumps(value)
