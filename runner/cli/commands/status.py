"""`acdrun status`: how every pair stands, from the journals alone."""

import contextlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.cli.commands.history import ended, table
from runner.cli.options import Parser, seconds
from runner.cli.output import Output
from runner.model.exits import Exit
from runner.model.path import show
from runner.model.show import show_duration, show_size
from runner.report.line import Line

if TYPE_CHECKING:
    from runner.app.status import Standing
    from runner.report.summary import PairSummary

_HEAD = ("pair", "last run", "when", "age", "files", "sent", "verified", "manifest")


def run(argv: Sequence[str], output: Output) -> Exit:
    """Print a line for each pair; exit 1 when one is older than it may be."""
    parser = Parser(
        "status",
        "[--max-age TIME] [FILE...]",
        "Tell how every pair stands, from the journals: nothing is contacted. With --max-age, for monitoring:"
        " exit 1 unless the last run of each that left nothing undone is younger.",
    )
    parser.add_argument("files", nargs="*", metavar="FILE", help="a manifest; by default all that ever ran")
    parser.add_argument(
        "--max-age", metavar="TIME", help="the oldest that the last good run may be, such as 26h"
    )
    args = parser.parse_intermixed_args(list(argv))
    output.quiet = args.quiet
    most_s = seconds(args.max_age, "--max-age")
    from runner.app.status import standings
    from runner.manifest.load import load
    from runner.state.home import state_dir

    found = standings(state_dir(), [load(Path(file)) for file in args.files])
    now = time.time()
    late = [one for one in found if most_s is not None and not _young(one, now, most_s)]
    code = Exit.FAILED if late or (most_s is not None and not found) else Exit.CONVERGED
    if args.json:
        from runner.report.json import outcome_record

        for one in found:
            output.record(_record(one, now, late=one in late))
        output.record(outcome_record(code))
        return code
    if not found:
        output.say("no runs yet")
    shown = late if args.quiet else found
    if shown:
        head, *rows = table(_HEAD, [_row(one, now) for one in shown])
        output.say(Line(head, "head"))
        output.stream(Line(row, "error" if one in late else "") for row, one in zip(rows, shown, strict=True))
    for one in late:
        age = (
            "it has never run to its end" if one.good is None else f"{show_duration(int(now - one.good))} ago"
        )
        output.tell(Line(f"acdrun: {show(one.pair)} of {show(one.file)}: last good run: {age}", "error"))
    return code


def _young(one: "Standing", now: float, most_s: float) -> bool:
    return one.good is not None and now - one.good <= most_s


def _word(one: "Standing") -> str:
    if one.last is None:
        return "never run"
    if one.going:
        return "running now"
    return "interrupted" if one.interrupted else ended(one.last.exit)


def _row(one: "Standing", now: float) -> tuple[str, ...]:
    numbers, last, verified = _numbers(one), one.last, one.verified
    if last is None or numbers is None:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(last.since)) if last else ""
        return (show(one.pair), _word(one), when, "", "", "", "", show(one.file))
    files = numbers.listed.get("source")
    sent = numbers.all_sent
    return (
        show(one.pair),
        _word(one),
        time.strftime("%Y-%m-%d %H:%M", time.localtime(last.since)),
        show_duration(int(now - last.since)),
        f"{files.number:,} ({show_size(files.size)})" if files else "",
        f"{sent.number:,} ({show_size(sent.size)})" if sent.number else "0",
        f"{verified.exit}, {show_duration(int(now - verified.since))} ago" if verified else "never",
        show(one.file),
    )


def _record(one: "Standing", now: float, *, late: bool) -> dict[str, Any]:
    """Times are seconds since 1970, ages seconds."""
    numbers, last, verified = _numbers(one), one.last, one.verified
    files = numbers.listed.get("source") if numbers else None
    return {
        "record": "status", "file": one.file, "name": one.name, "pair": one.pair, "word": _word(one),
        "run": last.id if last else None, "purpose": last.purpose if last else None,
        "created": last.created if last else None, "ended": last.ended if last else None,
        "exit": last.exit if last else None, "age_s": now - last.since if last else None,
        "running": one.going or None, "interrupted": one.interrupted,
        "good": one.good, "good_age_s": None if one.good is None else now - one.good, "late": late,
        "files": {"files": files.number, "bytes": files.size} if files else None,
        "sent": {"files": numbers.all_sent.number, "bytes": numbers.all_sent.size} if numbers else None,
        "verified": {"run": verified.id, "created": verified.created, "exit": verified.exit} if verified else None,
    }  # fmt: skip


def _numbers(one: "Standing") -> "PairSummary | None":
    from runner.model.errors import AcdrunError
    from runner.report.summary import summary
    from runner.state.journal import Journal

    if one.journal is None:
        return None
    with contextlib.suppress(AcdrunError), contextlib.closing(Journal(one.journal)) as journal:
        return next((pair for pair in summary(journal).pairs if pair.pair.name == one.pair), None)
    return None
