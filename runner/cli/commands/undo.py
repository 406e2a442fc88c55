"""`acdrun undo RUN`: bring back what a run trashed or replaced."""

import shlex
import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from runner.cli.options import Parser, add_budgets
from runner.cli.output import Output, terminal
from runner.model.errors import NotFound, UsageError
from runner.model.exits import Exit, gravest
from runner.report.line import Line, only_problems

if TYPE_CHECKING:
    from runner.app import Result
    from runner.report.summary import Summary

_DOES = (
    "Bring back what a run trashed or replaced, and move back what it moved. What it had stored in their place "
    "goes to the trash; what was changed since is not touched. Run twice, it has nothing left to do."
)


def run(argv: Sequence[str], output: Output) -> Exit:
    """Undo it, or show what that would change."""
    args = _parser().parse_args(list(argv))
    output.quiet = args.quiet
    if args.detailed_exitcode and not args.plan:
        raise UsageError("--detailed-exitcode goes with --plan")
    if args.max_trash is not None and (not args.created or args.max_trash < 0):
        raise UsageError("--max-trash is a number of files, and goes with --created")
    from runner import app
    from runner.cli.carry import carry_out, options_of
    from runner.cli.filters import rules_of
    from runner.report.json import outcome_record

    wanted = app.Undo(
        args.run,
        pair=args.pair,
        rules=rules_of(args, enter=False),
        created=args.created,
        max_trash=args.max_trash,
    )
    case = partial(app.undo, wanted, planning=args.plan)
    words = [word for word in argv if word not in ("--plan", "--detailed-exitcode")]
    show = partial(_show, args, output, shlex.join(["acdrun", "undo", *words]))
    try:
        code = carry_out(case, options_of(args), args, output, show)
    except NotFound as error:
        raise UsageError(error.message, hint=error.hint) from error
    if args.json:
        output.record(outcome_record(code))
    return code


def _parser() -> Parser:
    parser = Parser("undo", "[--plan] [options] RUN", _DOES)
    parser.add_argument(
        "run", metavar="RUN",
        help='its label as `acdrun history` shows it, the beginning of one, or "last": the latest that is no undo',
    )  # fmt: skip
    parser.add_argument(
        "--plan", action="store_true", help="stop before the first write, and show what would change"
    )
    parser.add_argument("--detailed-exitcode", action="store_true",
                        help="with --plan: exit 10 when there are changes")  # fmt: skip
    parser.add_argument("--pair", default="", metavar="NAME", help="only this pair of the run")
    parser.add_argument(
        "--only", action="append", dest="filters", metavar="GLOB", type=lambda glob: ("include", glob),
        help="only what this matches, as in a manifest's filter; may be given again",
    )  # fmt: skip
    parser.add_argument("--created", action="store_true", help="what the run made new goes to the trash too")
    parser.add_argument("--max-trash", type=int, metavar="N",
                        help="with --created: trash up to N files, whatever the pair's guard says")  # fmt: skip
    add_budgets(parser)
    return parser


def _show(args: Namespace, output: Output, again: str, result: "Result") -> Exit:
    from runner.report.json import plan_records, run_records
    from runner.report.summary import summary

    numbers = summary(result.journal)
    code = result.code
    if args.detailed_exitcode and numbers.changes:
        code = gravest(code, Exit.PENDING)
    if args.json:
        records = plan_records if args.plan else run_records
        for record in records(numbers, result.account):
            output.record(record)
        return code
    label = numbers.header.name.rpartition(" ")[2]  # "last" may be another run when it is typed again
    again = shlex.join([label if word == args.run else word for word in shlex.split(again)])
    lines = _lines(args, result, numbers, again)
    output.stream(only_problems(lines) if args.quiet else lines)
    return code


def _lines(args: Namespace, result: "Result", numbers: "Summary", again: str) -> Iterator[Line]:
    from runner.report.text import outcome_lines
    from runner.report.undo import undo_lines, undo_plan_lines, undo_refused

    if args.plan:
        yield from undo_plan_lines(numbers, result.account, verbose=args.verbose)
    else:
        problems = result.account.troubles()
        seen = len(problems) if terminal(sys.stdout) and terminal(sys.stderr) else 0
        yield from undo_lines(numbers, problems, verbose=args.verbose, told=seen)
    yield from outcome_lines(result.code, numbers)
    yield from undo_refused(result.code, again)
    if args.plan and numbers.changes and result.code in (Exit.CONVERGED, Exit.INCOMPLETE, Exit.FAILED):
        yield Line(f"to do it:  {again}")
