"""Faults on request: rules that make chosen calls fail as the real service did. Source: acd-api §11 and §12.

A rule is JSON: {"match": {"method": "POST", "path": "/cdproxy/nodes"}, "do": "status", "status": 429,
"retry_after": 2, "times": 5, "probability": 0.3, "after_effect": false}.
"""

import random
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal

from runner.emulator.answers import Answer, Json, Refused, empty, front

KINDS = ("status", "cut", "late", "wrong_md5", "slow", "pending", "clock")
MESSAGES = {
    400: "Bad request",
    401: "Token has expired",
    403: "Authorization header requires 'Credential' parameter. Authorization=Bearer",
    429: "Rate exceeded",
    500: "Internal failure",
    502: "Bad gateway",
    503: "Service unavailable",
}


class BadRule(ValueError):
    """A rule that cannot be understood; the text says why."""


@dataclass(slots=True)
class Match:
    """Which calls a rule is for; what is None matches everything."""

    method: str | None = None
    path: str | None = None  # as requested or as a route template; `*` stands for anything
    query: str | None = None  # a part of the decoded query

    def holds(self, method: str, path: str, template: str, query: str) -> bool:
        """Tell whether a call is meant."""
        return (
            (self.method is None or self.method == method)
            and (self.path is None or self.path == template or fnmatchcase(path, self.path))
            and (self.query is None or self.query in query)
        )


@dataclass(slots=True)
class Rule:
    """One rule; most fields belong to one or two kinds of fault, which their comments name."""

    match: Match
    do: str
    times: int | None = None  # so many calls, then never again; None = without end
    skip: int = 0  # let so many matching calls pass first
    probability: float = 1.0
    status: int = 500  # status: what to answer
    message: str | None = None  # status: instead of the usual text; "" = empty body
    retry_after: float | None = None  # status: seconds, as a header
    after_effect: bool = False  # status: do what was asked, then lie; cut: cut the answer, not the request
    fraction: float = 0.5  # cut: of the body, where the connection closes
    seconds: float = 0.0  # late: until listings know; slow: before anything is read or answered
    ahead: float = (
        0.0  # clock: seconds that the `Date` of the answer is ahead of the time; behind if negative
    )
    bytes_per_s: float | None = None  # slow: of the request's body and of the answer's
    hits: int = 0  # so many calls were hit so far

    def answer(self) -> Answer:
        """Return the answer of a `status` rule."""
        text = self.message if self.message is not None else MESSAGES.get(self.status)
        error: Refused = front(self.status, text) if text else empty(self.status)
        if self.retry_after is not None:
            error.answer.headers["Retry-After"] = f"{self.retry_after:g}"
        return error.answer


class Faults:
    """The rules in force, and the dice they use."""

    def __init__(self, seed: int | None = None) -> None:
        self.rules: list[Rule] = []
        self._dice = random.Random(seed)  # noqa: S311  dice, not secrets

    def pick(self, method: str, path: str, template: str, query: str) -> Rule | None:
        """Return the first rule that hits this call, and count the hit."""
        for rule in self.rules:
            if not rule.match.holds(method, path, template, query):
                continue
            if rule.times is not None and rule.hits >= rule.times:
                continue
            if rule.skip > 0:
                rule.skip -= 1
                continue
            if rule.probability < 1 and self._dice.random() >= rule.probability:
                continue
            rule.hits += 1
            return rule
        return None

    def as_json(self) -> Json:
        """Show the rules with their hits."""
        return {"rules": [asdict(rule) for rule in self.rules]}


def read_rules(body: Any) -> list[Rule]:
    """Read one rule, a list of rules, or `{"rules": [...]}`; raises BadRule."""
    if isinstance(body, dict) and set(body) == {"rules"}:
        body = body["rules"]
    return [_read_rule(entry) for entry in (body if isinstance(body, list) else [body])]


def _read_rule(body: Any) -> Rule:
    if not isinstance(body, dict):
        raise BadRule("a rule must be an object")
    match = body.get("match", {})
    if not isinstance(match, dict) or not set(match) <= {"method", "path", "query"}:
        raise BadRule("match takes method, path and query")
    if not all(isinstance(value, str) for value in match.values()):
        raise BadRule("match takes strings")
    if body.get("do") not in KINDS:
        raise BadRule(f"do must be one of {', '.join(KINDS)}")
    fields: dict[str, Any] = {}
    for name, value in body.items():
        if name in ("match", "do", "hits"):
            continue
        if name not in _CHECKS:
            raise BadRule(f"unknown key '{name}'")
        if value is None and name in _MAY_BE_NULL:
            continue
        kind, low, high = _CHECKS[name]
        if not _is(kind, value) or (low is not None and value < low) or (high is not None and value > high):
            raise BadRule(f"{name}: {value!r} will not do")
        fields[name] = value
    return Rule(Match(**match), body["do"], **fields)


_Check = tuple[Literal["number", "whole", "text", "truth"], float | None, float | None]
_MAY_BE_NULL = {"times", "message", "retry_after", "bytes_per_s"}
_CHECKS: dict[str, _Check] = {
    "times": ("whole", 0, None),
    "skip": ("whole", 0, None),
    "probability": ("number", 0, 1),
    "status": ("whole", 200, 599),
    "message": ("text", None, None),
    "retry_after": ("number", 0, 86400),
    "after_effect": ("truth", None, None),
    "fraction": ("number", 0, 1),
    "seconds": ("number", 0, 86400),
    "ahead": ("number", -1e9, 1e9),
    "bytes_per_s": ("number", 1, None),
}


def _is(kind: str, value: Any) -> bool:
    if kind in ("truth", "text"):
        return isinstance(value, bool if kind == "truth" else str)
    return not isinstance(value, bool) and isinstance(value, int if kind == "whole" else (int, float))
