"""A run row by row, as text."""

import time
from collections.abc import Iterator

from runner.model.exits import Exit
from runner.model.path import show
from runner.model.show import show_duration, show_size
from runner.model.tally import Amount
from runner.report.amounts import amount
from runner.report.changes import came_from, kind_of, stored_as
from runner.report.line import Line
from runner.report.plan import trouble_line
from runner.report.summary import Summary, total
from runner.report.undo import way_back
from runner.state.account import Account, Change
from runner.state.journal import Header


def log_lines(header: Header, account: Account, summary: Summary, *, every: bool) -> Iterator[Line]:
    """The run, what it did, what went wrong, how it ended.

    every: also what was found unneeded or never begun, with reason, tries, and what takes a change back.
    """
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(header.since))
    yield Line(
        f"run {header.id}  {show(header.file) or header.name}  {when}  acdrun {header.version}", "head"
    )
    pair = None
    for change in account.changes():
        minor = ("hash", "verify", "prove", "barrier", "look")
        if not every and (change.state not in ("done", "held") or change.task in minor):
            continue
        if change.pair != pair:
            pair = change.pair
            yield Line(show(pair), "head")
        yield _change_line(change, every=every)
    done = total(
        Amount(group.number, group.size)
        for group in account.groups()
        if (group.task, group.state) == ("move", "done")
    )
    if done.number:
        yield Line(f"moved {amount(done)}, not sent again", "head")
    troubles = account.troubles()
    if troubles:
        yield Line(f"problems: {len(troubles):,}", "head")
    for trouble in troubles:
        yield trouble_line(trouble)
    if not every:
        for stage in account.stages():
            if stage.state in ("failed", "held") and stage.why:
                name = " ".join(filter(None, (stage.pair or stage.job, stage.task, stage.side)))
                yield Line(f"  {show(name)}: {stage.state}: {show(stage.why)}", "block")
    yield _end_line(header)
    yield from way_back(summary)


def _end_line(header: Header) -> Line:
    if header.exit is None:
        return Line("it has not ended", "warn")
    took = show_duration((header.ended or header.since) - header.since)
    return Line(f"exit {header.exit} after {took}: {Exit(header.exit).meaning}", "head")


def _change_line(change: Change, *, every: bool) -> Line:
    kind = kind_of(change)
    path = show(change.path) + ("/" if change.node == "folder" else "")
    what = came_from(change) + (path if path != "/" else "./") + stored_as(change)
    parts = [f"{change.task:<7}", f"{change.state:<7}", what]
    if change.node == "file":
        parts.append(show_size(change.size))
    parts.append(change.proof)
    if change.note:
        parts.append(show(change.note))
    if every:
        parts.append(f"({change.reason})")
        parts.append(f"tried {change.tries} times" if change.tries > 1 else "")
        parts.append(f"back with {show(change.ref)}" if change.ref else "")
    return Line(f"  {kind.sign} {'  '.join(filter(None, parts))}", kind.tone)
