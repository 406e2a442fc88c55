"""What a verification finds at a path: a table of pure rules, the first that fits wins."""

from collections.abc import Callable
from functools import lru_cache
from typing import Literal, NamedTuple

from runner.model.exits import Exit
from runner.model.node import Kind
from runner.model.pair import Mode

Answer = Literal["same", "differs", "unknown"]
Word = Literal["proven", "unproven", "left", "missing", "damaged", "drift", "extra", "changed"]

FINDINGS: tuple[Word, ...] = ("missing", "damaged", "drift", "extra", "changed")
"""What is counted and listed, the gravest first. Repaired are the first two."""

REPAIRED: tuple[Word, ...] = ("missing", "damaged")
"""What sending the source's file again puts right without overwriting what somebody meant."""


class Facts(NamedTuple):
    """All that a finding depends on.

    source, destination: the kind of node on that side, None where nothing is.
    size, time, content: how the two compare in that; content is unknown until both digests are.
    stored: the destination's bytes against what its own listing says of them, or what was read there before
        of this very generation.
    since: was the source touched after the pair's last good run began?
    named: do both have exactly the same name?
    """

    mode: Mode
    source: Kind | None
    destination: Kind | None
    size: Answer = "unknown"
    time: Answer = "unknown"
    content: Answer = "unknown"
    stored: Answer = "unknown"
    since: bool = False
    named: bool = True


class Finding(NamedTuple):
    """word: the kind of finding; reason: the rule in words; exit: the code that it calls for."""

    word: Word
    reason: str
    exit: Exit = Exit.CONVERGED


class Rule(NamedTuple):
    """When it fits, its finding holds."""

    fits: Callable[[Facts], bool]
    finding: Finding


_SHOW = Exit.DAMAGED
_LATE = Exit.INCOMPLETE

RULES = (
    Rule(lambda f: f.source is None and (f.mode != "mirror" or f.destination == "other"),
         Finding("left", "only at the destination, left there")),
    Rule(lambda f: f.source is None, Finding("extra", "only at the destination", _SHOW)),
    Rule(lambda f: f.destination is None and f.since and f.source == "file",
         Finding("changed", "new in the source since the last good run", _LATE)),
    Rule(lambda f: f.destination is None, Finding("missing", "not at the destination", _SHOW)),
    Rule(lambda f: f.source != f.destination, Finding("drift", "a {source} here, a {destination} there", _SHOW)),
    Rule(lambda f: f.source == "folder", Finding("proven", "folder on both sides")),
    Rule(lambda f: f.stored == "differs", Finding("damaged", "its bytes are not those that were stored", _SHOW)),
    Rule(lambda f: f.content == "same" and f.named, Finding("proven", "same content")),
    Rule(lambda f: f.content == "same", Finding("drift", "its name differs in case there", _SHOW)),
    Rule(lambda f: f.content == "unknown" and f.size == "same", Finding("unproven", "same size, to be read")),
    Rule(lambda f: f.stored == "same",
         Finding("changed", "changed in the source; what was stored is still there", _LATE)),
    Rule(lambda f: f.size == "same" and f.time == "same",
         Finding("damaged", "same size and time, other content", _SHOW)),
    Rule(lambda f: f.since, Finding("changed", "changed in the source since the last good run", _LATE)),
    Rule(lambda f: f.size == "differs", Finding("drift", "changed at the destination: its size differs", _SHOW)),
    Rule(lambda f: True, Finding("drift", "changed at the destination: its content differs", _SHOW)),
)  # fmt: skip


@lru_cache(maxsize=4096)
def judge(facts: Facts) -> Finding:
    """The finding of the first rule that fits."""
    finding = next(rule.finding for rule in RULES if rule.fits(facts))
    return finding._replace(reason=finding.reason.format(source=facts.source, destination=facts.destination))
