"""Where a manifest says the limits of a pair's guard, so that a refusal can name the line to change."""

from collections.abc import Mapping
from typing import Any

from runner.manifest.tree import Keys
from runner.model.errors import Place
from runner.model.policy import GuardPolicy

Positions = Mapping[Keys, tuple[int, int]]

_LIMITS = [
    (part, limit)
    for part, field in GuardPolicy.model_fields.items()
    for limit in getattr(field.annotation, "model_fields", ())
]


def named_limits(places: Positions, chosen: Mapping[Keys, Any]) -> dict[Keys, tuple[int, int]]:
    """Positions of limits that pairs take from `policies` or `defaults`, as if each pair had written them.

    chosen: by the keys of a pair, what stands in its `guard`, or in that of `defaults`: a name, or None.
    """
    found = {}
    for pair, name in chosen.items():
        for part, limit in _LIMITS:
            policy: Keys = ("policies", "guard", name) if isinstance(name, str) else ("defaults", "guard")
            if (at := places.get((*policy, part, limit))) is not None:
                found[(*pair, "guard", part, limit)] = at
    return found


def limits_of(places: Positions, file: str, pair: Keys) -> dict[str, Place]:
    """The written limits of the pair with these keys, by names such as "trash.max"."""
    return {
        f"{part}.{limit}": Place(file, *at)
        for part, limit in _LIMITS
        if (at := places.get((*pair, "guard", part, limit))) is not None
    }
