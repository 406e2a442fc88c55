"""What pydantic finds wrong, in the words of the manifest and at its line."""

import re
from collections.abc import Collection
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, to_json

from runner.manifest.findings import SECRET_KEY, At
from runner.manifest.tree import Key, Keys, Tree
from runner.model.units import AS_WRITTEN

M = TypeVar("M", bound=BaseModel)

_MOST = 200  # problems beyond which nobody reads on
_KINDS = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "path_type": "a path",
}


def check(model: type[M], tree: Tree, keys: Keys = ()) -> M | None:
    """The value at `keys` as a `model`; None when it is not one, and then its problems are in the findings.

    JSON is what pydantic can read strictly: no text becomes a number, and yet a list becomes a tuple.
    """
    try:
        return model.model_validate_json(to_json(tree.get(keys)), strict=True, context=AS_WRITTEN)
    except ValidationError as error:
        for details in _one_per_value(error.errors(include_url=False)[:_MOST], tree, keys):
            _report(details, model, tree, keys)
    return None


def did_you_mean(word: str, known: Collection[str]) -> str:
    """A hint that names the nearest of the known words, or all of them when none is near and they are few."""
    if len(known) > 1000:  # to compare with each would take longer than to look it up
        return ""
    import difflib

    words = sorted(set(known))
    folded = {one.casefold(): one for one in words}
    near = difflib.get_close_matches(word.casefold(), folded, 1, 0.6)
    if near:
        return f'did you mean "{folded[near[0]]}"?'
    return f"known: {', '.join(words)}" if 0 < len(words) <= 12 else ""


def describe(keys: Keys) -> str:
    """The value at these keys as one says it: `pairs[0] of job "photos"`."""
    match keys:
        case ():
            return "the manifest"
        case ("remotes" | "jobs" as room, str(name), *rest):
            return _dotted(rest, f'{room[:-1]} "{name}"')
        case ("policies", ("checksum" | "retry" | "guard") as kind, str(name), *rest):
            return _dotted(rest, f'{kind} policy "{name}"')
        case (str(first), *rest):
            return _dotted([first, *rest], "")
    return _dotted(list(keys), "")


def _dotted(keys: list[Key], whole: str) -> str:
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys).removeprefix(".")
    return f"{text} of {whole}" if text and whole else text or whole


def quote(value: object) -> str:
    """A value of the manifest as a message shows it."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case str():
            shown = value if len(value) <= 40 else value[:37] + "..."
            return '"' + "".join(c if c.isprintable() else "\ufffd" for c in shown) + '"'
        case dict():
            return "a mapping"
        case list():
            return "a list"
    return str(value)


def _one_per_value(errors: list[ErrorDetails], tree: Tree, base: Keys) -> list[tuple[Keys, ErrorDetails]]:
    # Each arm of a union complains about the same value: the arm that got furthest knows best, and of
    # those that got nowhere the one with words of its own also says what the others take.
    found: dict[tuple[Keys, bool], tuple[Keys, ErrorDetails]] = {}
    for error in errors:
        keys = _written(error["loc"], tree.get(base))
        missing = error["type"] == "missing"
        place = (keys + ((error["loc"][-1],) if missing else ()), missing)
        if place not in found or found[place][1]["type"] in _KINDS:
            if place in found and error["type"] == "literal_error":
                error["ctx"] = {**error.get("ctx", {}), "else": _KINDS[found[place][1]["type"]]}
            found[place] = (base + keys, error)
    return list(found.values())


def _written(loc: tuple[Key, ...], value: Any) -> Keys:
    """The part of a location that stands in the file: pydantic adds the names of union arms."""
    best: Keys = ()

    def walk(index: int, here: Any, keys: Keys) -> tuple[bool, int, Keys]:
        if index == len(loc):
            return (bool(keys) and keys[-1] == loc[-1], len(keys), keys)
        key, options = loc[index], [walk(index + 1, here, keys)]
        in_list = isinstance(here, list) and isinstance(key, int) and 0 <= key < len(here)
        if in_list or (isinstance(here, dict) and key in here):
            options.append(walk(index + 1, here[key], (*keys, key)))
        return max(options, key=lambda option: option[:2])

    if len(loc) <= 12:
        best = walk(0, value, ())[2]
    return best


def _report(found: tuple[Keys, ErrorDetails], model: type[BaseModel], tree: Tree, base: Keys) -> None:
    keys, error = found
    findings, kind, context = tree.findings, error["type"], error.get("ctx", {})
    value, last = tree.get(keys), keys[-1] if keys else ""
    at, what = tree.at(keys), f'"{last}"' if isinstance(last, str) and last else describe(keys)
    hidden = isinstance(last, str) and SECRET_KEY.fullmatch(last) is not None
    if kind == "extra_forbidden":
        known = _fields(model, keys[len(base) : -1])
        absent = known - set(tree.mapping(*keys[:-1]))
        near = did_you_mean(str(last), absent or known)
        if keys[0] == "remotes":
            _mask(tree, keys)  # an unknown key of a remote may be the wrong name of a secret
        findings.report(
            tree.key_at(keys), "unknown-key", f"unknown key {what} in {describe(keys[:-1])}", near
        )
    elif kind == "missing":
        lacking = str(error["loc"][-1])
        findings.report(
            at,
            "missing-key",
            f'{describe(keys)} lacks "{lacking}"',
            _description(model, keys[len(base) :], lacking),
        )
    elif kind == "literal_secret":
        _mask(tree, keys)
        findings.report(at, "literal-secret", f"{what} may be secret and stands here itself", error["msg"])
    elif error["loc"] and error["loc"][-1] == "[key]":
        name = str(error["loc"][-2])
        findings.report(
            tree.key_at((*keys, name) if last != name else keys),
            "bad-name",
            f"{quote(name)} cannot be a name",
            'a name is a letter or digit, then letters, digits, "_", "-", "." and spaces, at most 100 in all',
        )
    elif kind in _KINDS:
        shown = "" if hidden else f", not {quote(value)}"
        findings.report(
            at, "bad-type", f"{what} must be {_KINDS[kind]}{shown}", _type_hint(kind, value, hidden)
        )
    elif kind == "literal_error":
        choices = re.findall(r"'([^']*)'|(\d+|True|False)", str(context.get("expected", "")))
        words = [text or bare.lower() for text, bare in choices]
        allowed = [context["else"], *words] if "else" in context else words
        message = f"{what} is {quote(value)}, but must be {' or '.join(allowed)}"
        findings.report(
            at, "bad-value", message, did_you_mean(value, words) if isinstance(value, str) else ""
        )
    elif kind == "string_pattern_mismatch":
        shown = "" if hidden else f" {quote(value)}"
        hint = _description(model, keys[len(base) : -1], str(last))
        findings.report(at, "bad-value", f"{what} cannot be{shown or ' this'}", hint)
    elif kind == "value_error":
        cause = context.get("error")
        code = getattr(cause, "code", "bad-value")
        findings.report(at, code, str(cause), getattr(cause, "hint", ""))
    else:
        message = f"{what} {error['msg'].replace('Input should', 'should')}" + (
            "" if hidden else f", got {quote(value)}"
        )
        findings.report(at, "bad-value", message)


def _type_hint(kind: str, value: object, hidden: bool) -> str:
    if kind == "string_type" and isinstance(value, bool | int | float):
        return "quote it" if hidden else f'quote it: "{quote(value)}"'
    if kind == "tuple_type" and isinstance(value, str):
        return "write a list: [one, two]"
    return ""


def _mask(tree: Tree, keys: Keys) -> None:
    spot = tree.find(keys)
    if isinstance(tree.get(keys), dict | list | str | int | float):
        tree.findings.mask(spot.start, max(spot.end, At(spot.start.line, spot.start.column + 1)))


def _fields(annotation: Any, keys: Keys) -> set[str]:
    """The keys that are known where `keys` lead to, below a value of this type."""
    return {name for model in _models(annotation, keys) for name in model.model_fields}


def _description(annotation: Any, keys: Keys, name: str) -> str:
    for model in _models(annotation, keys):
        if (field := model.model_fields.get(name)) is not None:
            return f'"{name}": {field.description}'
    return ""


def _models(annotation: Any, keys: Keys) -> list[type[BaseModel]]:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _models(arguments[0], keys)
    if origin in (Union, UnionType):
        return [model for arm in arguments for model in _models(arm, keys)]
    if origin in (dict, list, tuple):
        return _models(arguments[1 if origin is dict else 0], keys[1:]) if keys else []
    if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return []
    if not keys:
        return [annotation]
    field = annotation.model_fields.get(str(keys[0]))
    return _models(field.annotation, keys[1:]) if field is not None else []
