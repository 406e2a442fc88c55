"""What a verification came to: what is proven, what is not and why."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from runner.model.exits import Exit
from runner.model.finding import FINDINGS, REPAIRED
from runner.model.pair import Pair
from runner.model.path import show
from runner.model.tally import Amount
from runner.report.amounts import amount, count
from runner.report.json import Record, run_record
from runner.report.line import Line
from runner.report.plan import heading, unread_lines
from runner.report.summary import PairSummary, summary, total
from runner.state.account import Account
from runner.state.findings import Found, counted, found
from runner.state.journal import Journal

_NONE = Amount()

MOST_FOUND = 20
"""Findings of one kind told one by one."""

_MEANING = {
    "missing": "missing at the destination",
    "damaged": "damaged",
    "drift": "changed at the destination by somebody else",
    "extra": "extra at the destination",
    "changed": "changed in the source since the last good run",
}


@dataclass(slots=True)
class Verified:
    """The numbers of one pair.

    proven: files by what proves them; later: files that have to be read and belong to other parts; part: the one
    that was read, "3 of 20", "" when all was; found: by kind of finding; unread: entries by kind of error.
    """

    numbers: PairSummary
    proven: dict[str, Amount] = field(default_factory=dict)
    later: Amount = _NONE
    part: str = ""
    found: dict[str, int] = field(default_factory=dict)
    unread: dict[str, int] = field(default_factory=dict)
    pending: int = 0

    @property
    def pair(self) -> Pair:
        """The pair itself."""
        return self.numbers.pair


def verified(journal: Journal) -> list[Verified]:
    """The numbers of every pair of a verification, finished or not."""
    account = Account(journal)
    pairs = {numbers.pair.name: Verified(numbers) for numbers in summary(journal).pairs}
    for stage in account.stages():
        if stage.task == "match" and stage.pair in pairs:
            _add_counts(pairs[stage.pair], account.counts(stage.id))
    for group in account.groups():
        if group.pair not in pairs or group.task != "prove":
            continue
        here = pairs[group.pair]
        if group.state == "done":
            here.proven[group.proof] = here.proven.get(group.proof, Amount()).plus(group.number, group.size)
        elif group.state != "failed":
            here.pending += group.number
    for (name, kind), number in sorted(counted(journal).items()):
        if name in pairs:
            known = pairs[name].found if kind in FINDINGS else pairs[name].unread
            known[kind] = known.get(kind, 0) + number
    return list(pairs.values())


def _add_counts(pair: Verified, counts: dict[str, Amount]) -> None:
    for what, files in counts.items():
        word, _, rest = what.partition(" ")
        if word == "proven":
            pair.proven[rest] = files
        elif word == "later":
            pair.later = files
        elif word == "part" and not rest.endswith("/1"):
            part, _, parts = rest.partition("/")
            pair.part = f"{int(part) + 1} of {parts}"


def verify_lines(journal: Journal, code: Exit, *, verbose: bool = False, repair: str = "") -> Iterator[Line]:
    """The end of a verification. repair: the command that puts right what can be, "" to name none."""
    pairs = verified(journal)
    for pair in pairs:
        yield heading(pair.numbers)
        yield from _pair_lines(journal, pair, verbose=verbose)
    yield _total_line(pairs)
    if code is Exit.CONVERGED:
        return
    yield Line(f"exit {int(code)}: {code.meaning}", "block" if code is Exit.INCOMPLETE else "error")
    if repair and any(pair.found.get(kind) for pair in pairs for kind in REPAIRED):
        yield Line(f"  to send again what is missing or damaged:  {repair}", "dim")
    yield Line(f"  every path: acdrun log {journal.header.id}", "dim")


def _pair_lines(journal: Journal, pair: Verified, *, verbose: bool) -> Iterator[Line]:
    for word, files in pair.proven.items():
        how = "by reading back" if word == "read back" else f"by {word}"
        yield Line(f"  = proven {amount(files)} {how}", "same")
    if pair.later.number:
        yield Line(f"    {amount(pair.later)} by size only: part {pair.part} was read this time", "dim")
    elif pair.part:
        yield Line(f"    part {pair.part} was read this time", "dim")
    for kind in FINDINGS:
        if number := pair.found.get(kind, 0):
            yield Line(f"  ! {count(number, 'entry')} {_MEANING[kind]}", "block")
            yield from _each(journal, pair, kind, number if verbose else MOST_FOUND, number)
    for error, number in pair.unread.items():
        yield Line(f"  ! {count(number, 'entry')} not proven: {error}", "block")
        yield from _each(journal, pair, error, number if verbose else MOST_FOUND, number)
    yield from unread_lines(pair.numbers)
    if pair.pending:
        yield Line(f"  ! {count(pair.pending, 'file')} not reached", "block")
    if pair.numbers.left:
        yield Line(f"    {count(pair.numbers.left)} only at the destination, left there", "dim")


def _each(journal: Journal, pair: Verified, kind: str, most: int, number: int) -> Iterator[Line]:
    for one in found(journal, pair.pair.name, kind, most):
        yield Line(f"  !   {show(one.path) or '(the root)'}: {show(one.why)}", "block")
    if number > most:
        yield Line(f"  !   … {number - most:,} more (-v shows all)", "block")


def _total_line(pairs: list[Verified]) -> Line:
    proven = total(files for pair in pairs for files in pair.proven.values())
    bad = {kind: sum(pair.found.get(kind, 0) for pair in pairs) for kind in FINDINGS}
    unread = sum(sum(pair.unread.values()) + pair.pending for pair in pairs)
    parts = [f"{number:,} {kind}" for kind, number in bad.items() if number]
    if unread:
        parts.append(f"{unread:,} not read")
    later = total(pair.later for pair in pairs)
    if later.number:
        parts.append(f"{later.number:,} in later parts")
    return Line(f"verified: {amount(proven)} proven{'; ' if parts else ''}{', '.join(parts)}", "head")


def verify_records(journal: Journal) -> Iterator[Record]:
    """A verification: its run, each finding, each pair's numbers. Sizes are bytes."""
    yield run_record(journal.header)
    pairs = verified(journal)
    for pair in pairs:
        for one in found(journal, pair.pair.name):
            yield _finding(one)
    for pair in pairs:
        yield _numbers(pair)


def _finding(one: Found) -> dict[str, Any]:
    return {"record": "finding", **one._asdict()}


def _numbers(pair: Verified) -> dict[str, Any]:
    both = {word: {"files": files.number, "bytes": files.size} for word, files in pair.proven.items()}
    return {
        "record": "verified", "pair": pair.pair.name, "source": str(pair.pair.source),
        "destination": str(pair.pair.destination), "mode": pair.pair.mode, "proven": both,
        "later": {"files": pair.later.number, "bytes": pair.later.size}, "part": pair.part,
        "found": {kind: pair.found.get(kind, 0) for kind in FINDINGS}, "unread": pair.unread,
        "pending": pair.pending, "left": pair.numbers.left,
    }  # fmt: skip
