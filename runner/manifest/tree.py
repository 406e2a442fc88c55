"""A file as values, and where each of them stands."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from runner.manifest.findings import At, Findings

Key = str | int
Keys = tuple[Key, ...]


@dataclass(slots=True)
class Spot:
    """Where a value stands; `keys` is where the keys of a mapping stand, `below` its values or elements."""

    start: At
    end: At
    keys: dict[str, At] = field(default_factory=lambda: _NO_KEYS)
    below: dict[Key, "Spot"] = field(default_factory=lambda: _NOTHING)


# Most values are scalars, and a hundred thousand of them would each keep two empty dictionaries.
_NO_KEYS: dict[str, At] = {}
_NOTHING: dict[Key, Spot] = {}


@dataclass(slots=True)
class Tree:
    """value: dict, list, text, numbers, None; spot: where it stands; both have the same shape."""

    value: Any
    spot: Spot
    findings: Findings

    def find(self, keys: Keys) -> Spot:
        """The spot of the value at these keys, or of the nearest value above it."""
        spot = self.spot
        for key in keys:
            if key not in spot.below:
                break
            spot = spot.below[key]
        return spot

    def at(self, keys: Keys) -> At:
        """The position of the value at these keys, or of the nearest one above."""
        return self.find(keys).start

    def key_at(self, keys: Keys) -> At:
        """The position of the last key itself; for an element of a list, of the element."""
        if not keys:
            return self.spot.start
        spot = self.find(keys[:-1])
        return spot.keys.get(str(keys[-1])) or self.at(keys)

    def get(self, keys: Keys) -> Any:
        """The value at these keys; None where there is none."""
        value: Any = self.value
        for key in keys:
            in_list = isinstance(value, list) and isinstance(key, int) and 0 <= key < len(value)
            if not in_list and not (isinstance(value, dict) and key in value):
                return None
            value = value[key]
        return value

    def mapping(self, *keys: Key) -> Mapping[str, Any]:
        """The mapping at these keys; an empty one where something else stands."""
        value = self.get(keys)
        return value if isinstance(value, dict) else {}

    def elements(self, *keys: Key) -> list[Any]:
        """The list at these keys; an empty one where something else stands."""
        value = self.get(keys)
        return value if isinstance(value, list) else []

    def pairs(self) -> Iterator[tuple[Keys, Mapping[str, Any]]]:
        """The keys and fields of every pair that is at least a mapping."""
        for job in self.mapping("jobs"):
            for number, pair in enumerate(self.elements("jobs", job, "pairs")):
                if isinstance(pair, dict):
                    yield ("jobs", job, "pairs", number), pair


def unwritten(value: Any, file: str) -> Tree:
    """A tree that no file holds; every problem is at its first line."""
    return Tree(value, Spot(At(1, 1), At(1, 1)), Findings(file))
