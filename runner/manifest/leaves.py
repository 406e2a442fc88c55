"""The fields of a kind of remote, one by one: what a wizard asks, and what a model says of an answer."""

import itertools
import types
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from runner.backends import registry
from runner.manifest.findings import SECRET_KEY, At, Findings
from runner.manifest.remotes import declared
from runner.manifest.scalars import Ambiguous, meaning
from runner.manifest.tree import Keys, Spot, Tree
from runner.model.config import RemoteConfig
from runner.model.errors import Problem, UsageError
from runner.model.secret import EnvReference
from runner.model.show import write_duration

_HERE = "/"


class Leaf(NamedTuple):
    """A field that holds no further fields.

    keys: where it stands below the remote. default: as text, "" when there is none. choices: all there are.
    referred: its value is kept elsewhere and referred to; secret: it is not to be seen when it is typed.
    common: a field of every kind, which few people ever set.
    """

    keys: tuple[str, ...]
    description: str
    default: str
    required: bool
    choices: tuple[str, ...]
    referred: bool
    secret: bool
    common: bool

    @property
    def name(self) -> str:
        """Its keys, as a person writes them: `auth.client_id`."""
        return ".".join(self.keys)


def leaves(kind: str) -> list[Leaf]:
    """The fields of a kind by its full name: its own first, those of every kind last; without `type`."""
    found = [leaf for leaf in _leaves(registry.config(kind), ()) if leaf.keys != ("type",)]
    return sorted(found, key=lambda leaf: (leaf.common, leaf.keys[0] in RemoteConfig.model_fields))


def find_leaf(kind: str, word: str) -> Leaf | None:
    """The field of this name, or whose name alone ends in this word, be it rclone's word; None when there is none."""
    all_leaves = leaves(kind)
    word = registry.field(kind, word)
    exact = [leaf for leaf in all_leaves if leaf.name == word]
    last = [leaf for leaf in all_leaves if leaf.keys[-1] == word]
    return exact[0] if exact else last[0] if len(last) == 1 else None


def model(name: str, fields: Mapping[str, Any]) -> RemoteConfig:
    """The remote as its kind's model; `type` is a field. Raises UsageError with all that is wrong."""
    tree, config = _judged(name, fields)
    problems = tree.findings.problems()
    if problems or config is None:
        raise UsageError(
            "; ".join(problem.message for problem in problems) or f"{name!r} is no remote",
            hint=next((problem.hint for problem in problems if problem.hint), ""),
        )
    return config


def complaint(name: str, fields: Mapping[str, Any], leaf: Leaf) -> Problem | None:
    """What is wrong with one field of a remote that need not be whole yet."""
    tree, _ = _judged(name, fields)
    line = tree.at(("remotes", name, *leaf.keys)).line
    return next((problem for problem in tree.findings.problems() if problem.place.line == line), None)


def typed(name: str, fields: Mapping[str, Any], leaf: Leaf, text: str) -> tuple[Any, Problem | None]:
    """The value that a typed text stands for, and what is wrong with it.

    A number is one only where the model wants one.
    """
    problem = complaint(name, put(fields, leaf.keys, text), leaf)
    if problem is None:
        return text, None
    try:
        value = meaning(text)
    except Ambiguous:
        return text, problem
    return value, problem if value == text else complaint(name, put(fields, leaf.keys, value), leaf)


def get(fields: Mapping[str, Any], keys: Keys) -> Any:
    """The value at these keys; None when there is none."""
    value: Any = fields
    for key in keys:
        if not isinstance(value, Mapping) or key not in value:
            return None
        value = value[key]
    return value


def put(fields: Mapping[str, Any], keys: tuple[str, ...], value: Any) -> dict[str, Any]:
    """The fields with this value at these keys; None takes it out, and what is empty then."""
    key, *rest = keys
    copy = dict(fields)
    if rest:
        inner = copy.get(key)
        value = put(inner if isinstance(inner, Mapping) else {}, tuple(rest), value) or None
    if value is None:
        copy.pop(key, None)
    else:
        copy[key] = value
    return copy


def _judged(name: str, fields: Mapping[str, Any]) -> tuple[Tree, RemoteConfig | None]:
    """The fields as a file with a line for each value, judged as one."""
    lines = itertools.count(1)

    def spot(value: Any) -> Spot:
        at = At(next(lines), 1)
        below = {key: spot(inner) for key, inner in value.items()} if isinstance(value, dict) else {}
        return Spot(at, at, {key: inner.start for key, inner in below.items()}, dict(below))

    whole = {"remotes": {name: dict(fields)}}
    tree = Tree(whole, spot(whole), Findings("remotes.yaml"))
    return tree, declared(tree, name, _HERE)


def _leaves(model: type[BaseModel], keys: tuple[str, ...]) -> Iterator[Leaf]:
    for name, field in model.model_fields.items():
        below = _model(field.annotation)
        if below is not None:
            yield from _leaves(below, (*keys, name))
        else:
            yield _leaf(field, (*keys, name))


def _leaf(field: FieldInfo, keys: tuple[str, ...]) -> Leaf:
    arms = _arms(field.annotation)
    referred = EnvReference in arms
    words = [get_args(arm) for arm in arms if arm is not type(None)]
    closed = bool(words) and all(get_origin(arm) is Literal for arm in arms if arm is not type(None))
    default = None if field.is_required() else field.get_default(call_default_factory=True)
    return Leaf(
        keys=keys,
        description=field.description or "",
        default=_shown(default),
        required=field.is_required(),
        choices=("true", "false")
        if bool in arms
        else tuple(str(w) for arm in words for w in arm)
        if closed
        else (),
        referred=referred,
        secret=referred and SECRET_KEY.fullmatch(keys[-1]) is not None,
        common=keys[0] in ("limits", "lock", "index"),
    )


def _shown(default: object) -> str:
    if isinstance(default, timedelta):
        return write_duration(default)
    return "" if default is None else str(default).lower() if isinstance(default, bool) else str(default)


def _model(annotation: Any) -> type[BaseModel] | None:
    """The model that holds further fields, where this is one and no reference to a secret."""
    models = [arm for arm in _arms(annotation) if isinstance(arm, type) and issubclass(arm, BaseModel)]
    return models[0] if len(models) == 1 else None


def _arms(annotation: Any) -> list[Any]:
    """What a union is made of, all the way down; the thing itself for anything else."""
    arguments = get_args(annotation)
    if get_origin(annotation) in (Union, types.UnionType):
        return [arm for argument in arguments for arm in _arms(argument)]
    if hasattr(annotation, "__metadata__"):
        return _arms(arguments[0])
    return [annotation]
