"""A plan as text: what would change, pair by pair, and what to type next."""

from collections.abc import Iterator, Mapping, Sequence

from runner.model.errors import Problem
from runner.model.path import show
from runner.model.show import show_size
from runner.model.tally import Amount
from runner.report.amounts import amount, count, proof
from runner.report.changes import MOST_LINES, change_lines
from runner.report.line import Line, Tone
from runner.report.summary import REFUSED, PairSummary, Summary, total
from runner.state.account import Account, Trouble, Troubles

_SAID: Mapping[str, tuple[str, Tone]] = {
    "final": (" refused", "error"),
    "refused": (" refused", "error"),
    "accepted": (" accepted", "warn"),
    "warn": (" warns", "warn"),
    "ok": (" ok", "dim"),
    "note": ("", "dim"),
}
_ORDER = list(_SAID)


def plan_lines(
    summary: Summary, account: Account, *, verbose: bool = False, warnings: Sequence[Problem] = ()
) -> Iterator[Line]:
    """The whole plan but for the next command.

    verbose: every change, with its reason. warnings: of the manifest, when it was read just now.
    """
    problems = account.troubles()
    for warning in warnings:
        yield Line(f"! {warning.place}: {warning.message}", "warn")
    for job in summary.jobs:
        if job.before:
            argv = _argv(job.before)
            yield Line(
                f"hook before {job.name}: {argv} runs first; what it changes is not in this plan", "dim"
            )
        if job.needs:
            yield Line(f"{job.name} runs after {', '.join(job.needs)}", "dim")
        for numbers in summary.pairs:
            if numbers.pair.job == job.name:
                yield heading(numbers)
                yield from _predicted(numbers, job.needs)
                yield from _pair_lines(numbers, account, problems.of(numbers.pair.name), verbose)
        if job.after:
            needed = any(job.name in other.needs for other in summary.jobs)
            unseen = "; what it changes is not in this plan" if needed else ""
            yield Line(f"hook after {job.name}: {_argv(job.after)} runs last{unseen}", "dim")
    yield Line(total_line(summary), "head")


def heading(numbers: PairSummary) -> Line:
    """A pair in one line."""
    pair = numbers.pair
    return Line(f"{pair.name}  {show(str(pair.source))} → {show(str(pair.destination))}  {pair.mode}", "head")


def total_line(summary: Summary) -> str:
    """All pairs in one line."""
    pairs = summary.pairs
    blocked = sum(p.blocked for p in pairs)
    unreadable = sum(sum(p.gaps.values()) for p in pairs)
    broken = sum(not p.read for p in pairs)
    if not summary.changes and not blocked and not unreadable and not broken:
        return nothing_to_do(pairs)
    new, changed = total(p.new for p in pairs), total(p.changed for p in pairs)
    moved, folders = total(p.moved for p in pairs), sum(p.moved_folders for p in pairs)
    trashed = total(p.trashed for p in pairs if "trash" not in p.holds or summary.refused)
    leaving = total(p.leaving for p in pairs)
    parts = [
        f"{new.number:,} new",
        f"{changed.number:,} changed",
        f"{moved.number + folders:,} moved" if moved.number + folders else "",
        f"{trashed.number:,} trashed",
        f"{leaving.number:,} taken out of the source" if leaving.number else "",
        f"{blocked:,} blocked" if blocked else "",
        f"{count(unreadable, 'part')} unreadable" if unreadable else "",
        f"{count(broken, 'pair')} not read" if broken else "",
    ]
    saved = f", {show_size(moved.size)} not sent again" if moved.number else ""
    return f"plan: {', '.join(filter(None, parts))}; {show_size(new.size + changed.size)} to send{saved}"


def nothing_to_do(pairs: Sequence[PairSummary]) -> str:
    """What "nothing" was concluded from."""
    unchanged: dict[str, Amount] = {}
    for numbers in pairs:
        for word, files in numbers.unchanged.items():
            unchanged[word] = unchanged.get(word, Amount()).plus(*files)
    if not unchanged:
        return "nothing to do: there are no files on the source side"
    if len(unchanged) == 1:
        ((word, files),) = unchanged.items()
        verb = "is" if files.number == 1 else "are"
        return f"nothing to do: {amount(files)} {verb} the same on both sides, {proof(word)}"
    parts = [f"{files.number:,} {proof(word)}" for word, files in unchanged.items()]
    return (
        f"nothing to do: {amount(total(unchanged.values()))} are the same on both sides: {', '.join(parts)}"
    )


def guard_lines(numbers: PairSummary, *, every: bool = False, verbose: bool = False) -> Iterator[Line]:
    """What the guard found: each limit with the numbers that were held against it, refusals first.

    every: also what passed. The last good run is told where something else than that is told, or with verbose.
    """
    checks = sorted(numbers.checks, key=lambda check: _ORDER.index(check.level))
    notable = any(check.level not in ("ok", "note") for check in checks)
    for check in checks:
        wanted = {"ok": every, "note": notable or (every and verbose)}.get(check.level, True)
        if wanted:
            word, tone = _SAID[check.level]
            yield Line(f"  guard{word}: {show(check.text)}", tone)
    if numbers.guard not in ("", "ok") and not any(check.level in ("final", "refused") for check in checks):
        yield Line(f"  guard refused: {show(numbers.guard)} ({numbers.pair.place})", "error")


def trouble_line(trouble: Trouble, sign: str = "!") -> Line:
    """An entry that cannot be kept in step, or an operation that failed."""
    path = show(trouble.path) or "(the root)"
    return Line(f"  {sign} {path}: {trouble.kind}: {show(trouble.message)}", "block")


def _predicted(numbers: PairSummary, needs: Sequence[str]) -> Iterator[Line]:
    """What of the source nobody has seen yet."""
    if numbers.foreseen:
        one, jobs = numbers.foreseen == 1, ", ".join(needs)
        what = (
            f"{count(numbers.foreseen, 'path')} of the source {'is' if one else 'are'} as {jobs} will leave"
        )
        yield Line(f"  predicted: {what} {'it' if one else 'them'}", "dim")
    if numbers.untimed:
        one = numbers.untimed == 1
        when = f"{'time' if one else 'times'} of {count(numbers.untimed)}, set when {'it is' if one else 'they are'}"
        yield Line(f"  not predicted: the {when} written", "warn")


def _pair_lines(numbers: PairSummary, account: Account, problems: Troubles, verbose: bool) -> Iterator[Line]:
    yield from change_lines(numbers, account, verbose=verbose)
    most = len(problems) if verbose else MOST_LINES
    if problems:
        yield Line(f"  ! {count(len(problems), 'entry')} blocked or unreadable", "block")
    yield from (trouble_line(trouble) for trouble in problems.first(most))
    if len(problems) > most:
        yield Line(f"  ! … {len(problems) - most:,} more (-v shows all)", "block")
    for word, files in numbers.unchanged.items():
        yield Line(f"  = {amount(files)} unchanged, {proof(word)}", "same")
    yield from aside_lines(numbers)
    yield from unread_lines(numbers)
    if "trash" in numbers.holds and numbers.guard == "ok":
        why = numbers.holds["trash"].removeprefix("held back: ")
        if why != REFUSED:  # then nothing is done at all, as the end of the plan says
            yield Line(f"  ! nothing is trashed: {show(why)}", "block")
    if numbers.guard:
        yield from guard_lines(numbers, every=True, verbose=verbose)


def unread_lines(numbers: PairSummary) -> Iterator[Line]:
    """Why a pair could not be read, or not whole; a reason that several stages share is told once."""
    told: set[str] = set()
    if not numbers.read and not numbers.holds:
        yield Line("  ! not read: the run ended before", "block")
    for stage, why in numbers.holds.items():
        if stage.startswith(("list", "match")) and why not in told:
            told.add(why)
            reason = why.removeprefix("held back: ")
            text = f"not begun: {reason}" if reason != why else f"{stage}: {why} ({numbers.pair.place})"
            yield Line(f"  ! {show(text)}", "error")


def aside_lines(numbers: PairSummary) -> Iterator[Line]:
    """What takes no part, and why."""
    parts = []
    if numbers.left:
        parts.append(f"{count(numbers.left)} only at the destination, left there")
    if numbers.excluded:
        parts.append(f"{count(numbers.excluded, 'entry')} excluded by the filter")
    if numbers.links:
        one = numbers.links == 1
        parts.append(
            f"{numbers.links:,} {'link or special file' if one else 'links or special files'} skipped"
        )
    if numbers.aliased:
        parts.append(f"{count(numbers.aliased)} stored under an alias (case: rename)")
    if numbers.unkept:
        parts.append(f"{count(numbers.unkept, 'empty folder')} not kept: the destination keeps files alone")
    if parts:
        yield Line("    " + "; ".join(parts), "dim")


def _argv(argv: Sequence[str]) -> str:
    return " ".join(show(word) for word in argv)
