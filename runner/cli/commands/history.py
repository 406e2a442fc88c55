"""`acdrun history`: the runs so far, and how they ended."""

import contextlib
import time
from collections.abc import Sequence

from runner.cli.options import Parser
from runner.cli.output import Output
from runner.model.errors import UsageError
from runner.model.exits import Exit
from runner.model.path import show
from runner.model.show import show_duration, show_size
from runner.report.line import Line
from runner.report.summary import Summary
from runner.state.journal import Header

_HEAD = ("run", "ended", "when", "took", "sent", "trashed", "manifest")


def run(argv: Sequence[str], output: Output) -> Exit:
    """Print a line for each run, the latest first."""
    parser = Parser("history", "[-n NUMBER]", "List the runs so far, the latest first.")
    parser.add_argument("-n", type=int, default=20, metavar="NUMBER", help="how many (default: %(default)s)")
    args = parser.parse_args(list(argv))
    if args.n < 1:
        raise UsageError("-n is at least 1")
    summaries = _summaries(args.n)
    if args.json:
        from runner.report.json import outcome_record, run_record, summary_record

        for summary in summaries:
            output.record(run_record(summary.header, summary=summary_record(summary)))
        output.record(outcome_record(Exit.CONVERGED))
    elif summaries:
        _print([_row(summary) for summary in summaries], output)
    else:
        output.say("no runs yet")
    return Exit.CONVERGED


def _summaries(most: int) -> list[Summary]:
    from runner import app
    from runner.model.errors import AcdrunError
    from runner.report.summary import summary
    from runner.state.home import state_dir

    state = state_dir()
    found = []
    for header in sorted(app.history(state), key=lambda header: -header.created)[:most]:
        with contextlib.suppress(AcdrunError), contextlib.closing(app.find_run(state, header.id)) as journal:
            found.append(summary(journal))
    return found


def _what(header: Header) -> str:
    if header.purpose == "undo":
        return header.name
    return ("" if header.purpose == "run" else f"{header.purpose} ") + (show(header.file) or header.name)


def _row(summary: Summary) -> tuple[str, ...]:
    header = summary.header
    sent = sum(pair.all_sent.number for pair in summary.pairs)
    size = sum(pair.all_sent.size for pair in summary.pairs)
    trashed = sum(pair.removed.number for pair in summary.pairs)
    return (
        header.id,
        ended(header.exit),
        time.strftime("%Y-%m-%d %H:%M", time.localtime(header.since)),
        show_duration(header.ended - header.since) if header.ended else "",
        f"{sent:,} ({show_size(size)})" if sent else "0",
        f"{trashed:,}",
        _what(header),
    )


def ended(code: int | None) -> str:
    """How a run ended, in a few words."""
    if code is None:
        return "not ended"
    words = {0: "converged", 3: "incomplete", 4: "refused", 11: "budget"}
    return f"{code} {words.get(code, Exit(code).name.lower())}"


def _print(rows: list[tuple[str, ...]], output: Output) -> None:
    head, *lines = table(_HEAD, rows)
    output.say(Line(head, "head"))
    output.stream(lines)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The rows below their heading, in columns."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    return [_table_row(row, widths) for row in (head, *rows)]


def _table_row(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
