"""An undo as text: what comes back, what does not and why; and, after any run, the command that undoes it."""

from collections.abc import Iterator

from runner.model.exits import Exit
from runner.model.path import show
from runner.report.amounts import amount, count
from runner.report.changes import MOST_LINES, change_lines
from runner.report.line import Line
from runner.report.plan import trouble_line
from runner.report.summary import PairSummary, Summary, total
from runner.state.account import Account, Troubles


def way_back(summary: Summary) -> Iterator[Line]:
    """How to take a run back that trashed, replaced or moved something."""
    pairs = summary.pairs
    some = (p.removed.number or p.replaced.number or p.renamed.number or p.retired.number for p in pairs)
    if summary.header.purpose != "undo" and any(some):
        yield Line(f"to take it back: acdrun undo {summary.header.id}", "dim")


def undo_plan_lines(summary: Summary, account: Account, *, verbose: bool) -> Iterator[Line]:
    """What an undo would do."""
    problems = account.troubles()
    for numbers in summary.pairs:
        yield _heading(summary, numbers)
        yield from change_lines(numbers, account, verbose=verbose, undo=True)
        yield from _trouble(numbers, problems, verbose=verbose)
        yield from _aside(numbers)
    yield Line(_total(summary), "head")


def undo_lines(summary: Summary, problems: Troubles, *, verbose: bool, told: int = 0) -> Iterator[Line]:
    """What an undo has done, but for how it ended. told: how many problems a person has just seen go by."""
    for numbers in summary.pairs:
        yield _heading(summary, numbers)
        yield from _done(numbers)
        yield from _trouble(numbers, None if told and told >= len(problems) else problems, verbose=verbose)
        if held := numbers.undone["held"]:
            reasons = sorted({why.removeprefix("held back: ") for why in numbers.holds.values()})
            yield Line(f"  held back {count(held, 'operation')}: {show('; '.join(reasons))}", "block")
        if pending := numbers.undone["pending"]:
            yield Line(f"  not reached {count(pending, 'operation')}", "block")
        yield from _aside(numbers)
    if not summary.changes and not any(p.undone.total() for p in summary.pairs):
        yield Line(_total(summary), "head")


def undo_refused(code: Exit, again: str) -> Iterator[Line]:
    """What to type when the guard refused. again: the command that was typed."""
    if code is Exit.REFUSED:
        yield Line(f"  if that is meant, say how many files it may trash: {again} --max-trash N", "dim")


def _heading(summary: Summary, numbers: PairSummary) -> Line:
    pair = numbers.pair
    return Line(f"{pair.name}  {show(str(pair.destination))}  {summary.header.name}", "head")


def _done(numbers: PairSummary) -> Iterator[Line]:
    if numbers.restored.number or numbers.made_folders:
        parts = [amount(numbers.restored)] if numbers.restored.number else []
        parts += [count(numbers.made_folders, "folder")] if numbers.made_folders else []
        yield Line(f"  brought back {' and '.join(parts)} from the trash", "add")
    if one := numbers.reverted.number:
        them = "its old content; what it held is" if one == 1 else "their old content; what they held is"
        yield Line(f"  gave {count(one)} {them} in the trash", "change")
    if numbers.renamed.number:
        yield Line(f"  moved {count(numbers.renamed.number)} back", "move")
    if numbers.removed.number:
        yield Line(f"  trashed {amount(numbers.removed)} that the run had made", "trash")


def _trouble(numbers: PairSummary, problems: Troubles | None, *, verbose: bool) -> Iterator[Line]:
    if numbers.guard not in ("", "ok"):
        yield Line(f"  guard refused: {show(numbers.guard)} ({numbers.pair.place})", "error")
    elif not numbers.guard or "recall" in numbers.holds:
        for stage, why in numbers.holds.items():
            if stage == "recall":
                yield Line(f"  ! {show(why)}", "error")
    if failed := numbers.undone["failed"]:
        yield Line(f"  failed {count(failed, 'operation')}", "error")
    if stale := numbers.undone["stale"]:
        yield Line(f"  not touched {count(stale, 'path')}: changed since that run", "block")
    if problems is None:
        return
    ours = problems.of(numbers.pair.name)
    most = len(ours) if verbose else MOST_LINES
    yield from (trouble_line(trouble) for trouble in ours.first(most))
    if len(ours) > most:
        yield Line(f"  ! … {len(ours) - most:,} more (-v shows all)", "block")


def _aside(numbers: PairSummary) -> Iterator[Line]:
    if numbers.back.number:
        yield Line(f"  = {count(numbers.back.number, 'change')} taken back already", "same")
    if numbers.made.number:
        text = f"{count(numbers.made.number)} made by the run, left there (--created takes them away too)"
        yield Line(f"    {text}", "dim")


def _total(summary: Summary) -> str:
    pairs = summary.pairs
    if summary.changes:
        parts = [
            f"{total(p.new for p in pairs).number:,} back from the trash",
            f"{total(p.changed for p in pairs).number:,} back to the old content",
            f"{total(p.moved for p in pairs).number:,} moved back",
            f"{total(p.trashed for p in pairs).number:,} to the trash",
        ]
        return f"plan: {', '.join(part for part in parts if not part.startswith('0 '))}"
    if back := sum(p.back.number for p in pairs):
        return f"nothing to do: {count(back, 'change')} of that run {'is' if back == 1 else 'are'} taken back"
    return "nothing to do: the run trashed, replaced and moved nothing that is asked for"
