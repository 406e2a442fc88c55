"""`acdrun log RUN`: what a run did, path by path."""

import contextlib
from collections.abc import Iterator, Sequence

from runner.cli.options import Parser
from runner.cli.output import Output
from runner.model.errors import NotFound, UsageError
from runner.model.exits import Exit
from runner.report.line import Line


def run(argv: Sequence[str], output: Output) -> Exit:
    """Stream the rows of a journal; only what was done or went wrong, unless all is asked for."""
    parser = Parser("log", "[--all] RUN", "Tell what a run did, path by path.")
    parser.add_argument(
        "run", metavar="RUN", help='its label as `acdrun history` shows it, the beginning of one, or "last"'
    )
    parser.add_argument(
        "--all", action="store_true", help="every operation, with reason, tries and what takes it back"
    )
    args = parser.parse_args(list(argv))
    from runner import app
    from runner.report.json import change_records, outcome_record, run_record
    from runner.state.account import Account
    from runner.state.home import state_dir

    try:
        found = app.find_run(state_dir(), args.run)
    except NotFound as error:
        raise UsageError(error.message, hint=error.hint) from error
    with contextlib.closing(found) as journal:
        account = Account(journal)
        if args.json:
            output.record(run_record(journal.header))
            for record in change_records(account):
                output.record(record)
                if output.gone:
                    break
            output.record(outcome_record(Exit.CONVERGED))
        else:
            from runner.report.log import log_lines
            from runner.report.summary import summary

            lines: Iterator[Line] = log_lines(
                journal.header, account, summary(journal), every=args.all or args.verbose
            )
            output.stream(lines)
    return Exit.CONVERGED
