"""What a run came to, as text: what was done, what proves it, what was not done and why."""

import shlex
from collections.abc import Iterator

from runner.backends import registry
from runner.model.exits import Exit
from runner.model.path import show
from runner.model.tally import Amount
from runner.report.amounts import amount, count, proof
from runner.report.line import Line
from runner.report.plan import aside_lines, guard_lines, heading, nothing_to_do, trouble_line, unread_lines
from runner.report.summary import PairSummary, Summary
from runner.report.undo import way_back
from runner.state.account import Troubles

MOST_TROUBLES = 20
"""Failures told one by one."""


def run_lines(
    summary: Summary, code: Exit, problems: Troubles, *, verbose: bool = False, told: int = 0
) -> Iterator[Line]:
    """The end of a run.

    problems: all of them. told: how many a person has just seen go by, so that they need not be repeated.
    """
    for hook in summary.hooks:
        if hook.state in ("failed", "held"):
            yield Line(f"hook {hook.side} {hook.job}: {show(hook.why)}", "error")
    for numbers in summary.pairs:
        yield heading(numbers)
        yield from _done(numbers)
        yield from _not_done(numbers)
        ours = problems.of(numbers.pair.name, but="barrier")  # that is told as what held the trash
        most = len(ours) if verbose else MOST_TROUBLES
        if not (told and told >= len(problems)):
            yield from (trouble_line(trouble) for trouble in ours.first(most))
            if len(ours) > most:
                yield Line(f"  ! … {len(ours) - most:,} more (acdrun log {summary.header.id})", "block")
        yield from aside_lines(numbers)
    if code is Exit.CONVERGED and not summary.changes:
        yield Line(nothing_to_do(summary.pairs), "head")
    yield from outcome_lines(code, summary)
    yield from way_back(summary)


def outcome_lines(code: Exit, summary: Summary) -> Iterator[Line]:
    """How it ended, unless all is well, and what to do next."""
    if code is Exit.CONVERGED:
        return
    yield Line(
        f"exit {int(code)}: {_meaning(code, summary)}", "block" if code is Exit.INCOMPLETE else "error"
    )
    if hint := next_step(code, summary):
        yield Line(f"  {hint}", "dim")
    if summary.header.purpose != "plan":
        yield Line(f"  every path: acdrun log {summary.header.id}", "dim")


def _meaning(code: Exit, summary: Summary) -> str:
    """What the code means here, where it means one of two things."""
    if code is not Exit.REFUSED:
        return code.meaning
    if any(_stopped_at_the_barrier(numbers) for numbers in summary.pairs):
        return "a guard refused before the trash; nothing was removed"
    if any(numbers.sent or numbers.made_folders for numbers in summary.pairs):
        return "a guard refused after the first files were stored; nothing was replaced or removed"
    return "a guard refused; nothing was changed"


def next_step(code: Exit, summary: Summary) -> str:
    """What to try after this exit code."""
    if code is Exit.REFUSED and any(_stopped_at_the_barrier(numbers) for numbers in summary.pairs):
        return "see to what is said above, then run it again: what was sent is not sent twice"
    if code is Exit.REFUSED and all(numbers.guard in ("", "ok") for numbers in summary.pairs):
        return "a missing source is never taken for an empty one: is the disk mounted, the path right?"
    if code is Exit.REFUSED and summary.refused:
        first = "this is not the plan that was accepted, it has changed; " if summary.changed else ""
        always = "; if it always is, change the limit in the manifest" if not summary.changed else ""
        return f"{first}if exactly this plan is meant: {accepting(summary)}{always}"
    if code is Exit.DENIED and (remotes := _to_log_in_to(summary)):
        return f"acdrun login {' or '.join(remotes)}, or renew the permission; then run it again"
    return _NEXT.get(code, "")


def accepting(summary: Summary) -> str:
    """The command that carries the refused plan out, if it is found again just as it is now."""
    marks = " ".join(f"--accept {mark}" for mark in [*summary.accepted, *summary.refused])
    return f"acdrun {shlex.quote(summary.manifest.file)} {marks}"


def _stopped_at_the_barrier(numbers: PairSummary) -> bool:
    return not numbers.holds.get("barrier", "held back").startswith("held back")


def _to_log_in_to(summary: Summary) -> list[str]:
    """Remotes at the ends of pairs that could not be read, and that a log-in is for."""
    unread = [numbers.pair for numbers in summary.pairs if not numbers.read]
    names = sorted({end.remote for pair in unread for end in (pair.source, pair.destination) if end.remote})
    configs = [(name, config) for name in names if (config := summary.manifest.remotes.get(name))]
    return [name for name, config in configs if registry.provider(registry.kind_of(config), config)]


_AGAIN = "what succeeded is not done twice"
_NEXT = {
    Exit.FAILED: f"run it again: {_AGAIN}",
    Exit.INCOMPLETE: "see to what is listed above, then run it again",
    Exit.REFUSED: "no option accepts this: put right what is told above, or change the pair's `guard`",
    Exit.STALE: "make a new plan: acdrun --plan",
    Exit.DENIED: "renew the login or the permission, then run it again",
    Exit.TEMPORARY: f"run it again later: {_AGAIN}",
    Exit.DAMAGED: "run it again: what was damaged on the way is sent anew; a damaged source needs another copy",
    Exit.INTERRUPTED: "run it again to go on",
    Exit.TERMINATED: "run it again to go on",
}


def _done(numbers: PairSummary) -> Iterator[Line]:
    for word, files in numbers.sent.items():
        yield Line(f"  sent {amount(files)}, {_confirmed(numbers, word, files)}", "add")
    if numbers.made_folders:
        yield Line(f"  made {count(numbers.made_folders, 'folder')}", "add")
    if numbers.renamed.number:
        yield Line(f"  moved {amount(numbers.renamed)}, not sent again", "move")
    if numbers.renamed_folders:
        yield Line(f"  moved {count(numbers.renamed_folders, 'folder')}", "move")
    if numbers.removed.number:
        yield Line(f"  trashed {amount(numbers.removed)}", "trash")
    for word, files in numbers.unchanged.items():
        yield Line(f"  unchanged {amount(files)}, {proof(word)}", "same")
    if numbers.retired.number:
        yield Line(f"  took {amount(numbers.retired)} out of the source; they are in its trash", "trash")
    some = numbers.sent or numbers.made_folders or numbers.removed.number
    some = some or numbers.renamed.number or numbers.renamed_folders
    if numbers.read and not some and not numbers.unchanged and not numbers.changes:
        yield Line("  there are no files on the source side", "same")


def _confirmed(numbers: PairSummary, word: str, files: Amount) -> str:
    if word in ("", "size"):
        if numbers.read_back >= files.number:
            return "each read back and compared"
        if numbers.read_back:
            return f"{numbers.read_back:,} of them read back and compared, the rest unproven"
        return "unproven: only their size was compared"
    each = "" if files.number == 1 else "each "
    text = f"{each}confirmed by {word}"
    return f"{text}, {numbers.read_back:,} read back" if numbers.read_back else text


def _not_done(numbers: PairSummary) -> Iterator[Line]:
    yield from guard_lines(numbers)
    undone = numbers.undone
    if undone["failed"]:
        yield Line(f"  failed {count(undone['failed'], 'operation')}", "error")
    if undone["stale"]:
        yield Line(f"  not done {count(undone['stale'], 'operation')}: no longer what the plan saw", "block")
    if numbers.blocked:
        yield Line(f"  blocked {count(numbers.blocked, 'entry')}", "block")
    yield from unread_lines(numbers)
    to_trash = numbers.trashed.number + numbers.trashed_folders
    if to_trash and not numbers.removed.number and "trash" in numbers.holds and numbers.guard == "ok":
        why = numbers.holds.get("barrier", numbers.holds["trash"]).removeprefix("held back: ")
        if numbers.unsent:
            why = f"{count(numbers.unsent, 'upload')} did not succeed"
        yield Line(f"  nothing was trashed: {show(why)}", "block")
    elif numbers.leaving.number and not numbers.retired.number and "retire" in numbers.holds:
        why = numbers.holds.get("barrier", numbers.holds["retire"]).removeprefix("held back: ")
        yield Line(f"  everything is kept in the source: {show(why)}", "block")
    elif undone["held"] and numbers.guard == "ok":
        reasons = sorted({why.removeprefix("held back: ") for why in numbers.holds.values()})
        why = f": {show('; '.join(reasons))}" if reasons else ""
        yield Line(f"  held back {count(undone['held'], 'operation')}{why}", "block")
    if undone["pending"]:
        yield Line(f"  not reached {count(undone['pending'], 'operation')}", "block")
