"""How much room there is, as the headers of account and container tell."""

from collections.abc import Mapping, Sequence

from runner.model.backend import Quota

_LIMITS = ("x-account-meta-quota-bytes", "x-container-meta-quota-bytes")
_USED = ("x-account-bytes-used", "x-container-bytes-used")


def room(told: Sequence[Mapping[str, str]]) -> Quota:
    """The narrowest of what they allow; without a limit, what the last of them holds."""
    quotas = [Quota(_first(one, _LIMITS), _first(one, _USED), None) for one in told]
    limited = [
        one._replace(free=max(0, one.total - (one.used or 0))) for one in quotas if one.total is not None
    ]
    return min(limited, key=lambda one: one.free or 0) if limited else quotas[-1]


def _first(headers: Mapping[str, str], names: Sequence[str]) -> int | None:
    for name in names:
        text = headers.get(name, "")
        if text.isascii() and text.isdigit() and len(text) <= 18:
            return int(text)
    return None
