"""Telling the figures: a table for people, one in Markdown, JSON lines for programs."""

import json
from collections.abc import Iterator, Sequence

from benches.contest import OURS, Goal, Result
from benches.measure import Cost

HEAD = (
    "case",
    "against",
    "wall, s",
    "",
    "ratio",
    "CPU, s",
    "",
    "ratio",
    "peak, MB",
    "",
    "requests",
    "target",
    "met",
)
NAMES = {"wall_s": "wall", "cpu_s": "CPU", "peak_bytes": "peak", "requests": "requests"}


def rows(result: Result) -> Iterator[tuple[str, ...]]:
    """A row for each other side, and one for ours where there is no other."""
    found = result.medians()
    if OURS not in found:
        yield (result.case, f"not measured: {first_line(result.wrong)}", *[""] * (len(HEAD) - 2))
        return
    ours = found.pop(OURS)
    for side, other in (found or {"": None}).items():
        goals = [goal for goal in result.goals if goal.against.lstrip("+") == side]
        if side == next(iter(found), ""):
            goals += [goal for goal in result.goals if not goal.against]
        requests = " ".join(
            str(cost.requests) for cost in (ours, other) if cost and cost.requests is not None
        )
        yield (
            result.case, side, *_both(ours, other, "wall_s"), *_both(ours, other, "cpu_s"),
            _megabytes(ours), _megabytes(other), requests,
            ", ".join(map(wanted, goals)),
            ", ".join(verdict(goal, ours, other) for goal in goals),
        )  # fmt: skip


def wanted(goal: Goal) -> str:
    """A goal in a few words."""
    if goal.figure == "peak_bytes":
        return f"peak {goal.against[:1]}{goal.most / 1e6:.0f} MB"
    return f"{NAMES[goal.figure]} {goal.most:g}{'x' if goal.against else ''}"


def met(goal: Goal, ours: Cost, other: Cost | None) -> bool | None:
    """Is it reached? None where the other side was not measured."""
    mine = getattr(ours, goal.figure)
    if not goal.against:
        return mine is not None and bool(mine <= goal.most)
    if other is None:
        return None
    theirs = getattr(other, goal.figure)
    return bool(mine <= theirs + goal.most if goal.against.startswith("+") else mine <= theirs * goal.most)


def verdict(goal: Goal, ours: Cost, other: Cost | None) -> str:
    """yes, NO, or nothing."""
    found = met(goal, ours, other)
    return "" if found is None else "yes" if found else "NO"


def sorted_rows(results: Sequence[Result]) -> list[tuple[str, ...]]:
    """The rows of all cases; those with a target that is missed stand first."""
    found = [list(rows(result)) for result in results]
    return [row for some in sorted(found, key=lambda some: not missed(some)) for row in some]


def missed(some: Sequence[tuple[str, ...]]) -> bool:
    """Does a row say no?"""
    return any("NO" in row[-1].split(", ") for row in some)


def text(results: Sequence[Result]) -> str:
    """The table as a terminal shows it, with notes below."""
    table = [HEAD, *sorted_rows(results)]
    widths = [max(len(row[column]) for row in table) for column in range(len(HEAD))]
    lines = [
        "  ".join(cell.ljust(width) if column in (0, 1, 11, 12) else cell.rjust(width)
                  for column, (cell, width) in enumerate(zip(row, widths, strict=True))).rstrip()
        for row in table
    ]  # fmt: skip
    return "\n".join([*lines, "", *_notes(results)]) + "\n"


def markdown(results: Sequence[Result]) -> str:
    """The table of docs/performance.md."""
    table = [HEAD, ("---",) * len(HEAD), *sorted_rows(results)]
    lines = [f"| {' | '.join(row)} |" for row in table]
    return "\n".join([*lines, "", *(f"* {note}" for note in _notes(results))]) + "\n"


def records(results: Sequence[Result]) -> str:
    """One JSON line a case."""
    made = []
    for result in results:
        found = result.medians()
        goals = [
            {**goal._asdict(), "met": met(goal, found[OURS], found.get(goal.against.lstrip("+")))}
            for goal in result.goals
            if OURS in found
        ]
        sides = {
            side: {"median": found[side]._asdict(), "rounds": [cost._asdict() for cost in costs]}
            for side, costs in result.costs.items()
            if costs
        }
        record = {"case": result.case, "title": result.title, "sides": sides, "goals": goals}
        made.append(json.dumps({**record, "notes": result.notes, "wrong": result.wrong}))
    return "\n".join(made) + "\n"


def first_line(said: str) -> str:
    """The first line of what went wrong."""
    return said.strip().partition("\n")[0][:120]


def _notes(results: Sequence[Result]) -> list[str]:
    notes = [f"{result.case}: {result.title}" for result in results if result.title]
    notes += [f"{result.case}: {note}" for result in results for note in result.notes]
    return notes + [f"{result.case}: {first_line(result.wrong)}" for result in results if result.wrong]


def _both(ours: Cost, other: Cost | None, figure: str) -> tuple[str, str, str]:
    mine = getattr(ours, figure)
    if other is None:
        return _seconds(mine), "", ""
    theirs = getattr(other, figure)
    return _seconds(mine), _seconds(theirs), f"{mine / theirs:.2f}" if theirs else ""


def _seconds(value: float) -> str:
    return f"{value:.3f}" if value < 1 else f"{value:.2f}" if value < 100 else f"{value:.0f}"


def _megabytes(cost: Cost | None) -> str:
    return "" if cost is None else f"{cost.peak_bytes / 1e6:.0f}"
