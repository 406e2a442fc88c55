"""How a reader is fuzzed: a strategy for what it reads, and a check that holds whatever that is.

pytest runs a few hundred examples of each; `ci/fuzz` as many as time allows.
"""

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar

from hypothesis import given, settings
from hypothesis import strategies as st

T = TypeVar("T")
Keys = tuple[str | int, ...]


class Target(NamedTuple):
    """values: what is read; check: reads it, and raises for what must never happen."""

    values: st.SearchStrategy[Any]
    check: Callable[[Any], None]

    def test(self, **more: Any) -> Callable[[], None]:
        """A test of its own, with these settings."""
        return settings(deadline=None, **more)(given(self.values)(self.check))


TARGETS: dict[str, Target] = {}
"""Every target of the modules that were imported, by the name of its test."""


def target(
    values: st.SearchStrategy[T], *, examples: int = 200
) -> Callable[[Callable[[T], None]], Callable[[], None]]:
    """Make a check a test that reads so many examples, and a target."""

    def made(check: Callable[[T], None]) -> Callable[[], None]:
        found = TARGETS[check.__name__] = Target(values, check)
        return found.test(max_examples=examples)

    return made


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(
        ["", "\0", "\ud800", "..", "a/b", "0", "1e999", "2026-02-30T00:00:00Z", 1 << 63, 1e300]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
"""Any JSON, and what Python writes as JSON though it is none."""


def edited(data: bytes, pieces: list[bytes]) -> st.SearchStrategy[bytes]:
    """The data with a few stretches taken out, repeated, or replaced by these pieces or by anything."""
    instead = st.sampled_from(pieces) | st.binary(max_size=8)
    edit = st.tuples(st.integers(0, len(data)), st.integers(0, 12), instead, st.integers(0, 2))

    def apply(edits: list[tuple[int, int, bytes, int]]) -> bytes:
        found = data
        for start, length, new, times in edits:
            at = min(start, len(found))
            found = found[:at] + (found[at : at + length] * times or new) + found[at + length :]
        return found

    return st.lists(edit, min_size=1, max_size=4).map(apply)


def bent(value: Any) -> st.SearchStrategy[Any]:
    """The JSON value with a few of its parts replaced by any JSON, left out, doubled, or under another key."""
    places = list(_places(value, ()))
    edit = st.tuples(
        st.sampled_from(places), st.sampled_from(["put", "put", "drop", "double", "rename"]), JSON
    )

    def apply(edits: list[tuple[Keys, str, Any]]) -> Any:
        found = copy.deepcopy(value)
        for keys, how, new in edits:
            found = _bend(found, keys, how, new)
        return found

    return st.lists(edit, min_size=1, max_size=3).map(apply)


def _places(value: Any, keys: Keys) -> Iterator[Keys]:
    yield keys
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in inner:
        yield from _places(below, (*keys, key))


def _bend(whole: Any, keys: Keys, how: str, new: Any) -> Any:
    if not keys:
        return new
    holder = whole
    try:
        for key in keys[:-1]:
            holder = holder[key]
        old = holder[keys[-1]]
        if how == "put" or (how in ("double", "rename") and isinstance(holder, list)):
            holder[keys[-1]] = new if how != "double" else [old, old]
        elif how == "drop":
            del holder[keys[-1]]
        elif how == "double":
            holder[keys[-1]] = [old, old]
        else:
            holder[str(new)[:20]] = holder.pop(keys[-1])
    except (KeyError, IndexError, TypeError):
        pass  # an earlier edit has taken the place away
    return whole


def written(value: Any) -> bytes:
    """The value as JSON bytes; lone surrogates as escapes."""
    return json.dumps(value).encode()
