"""`acdrun resume`: go on with what was cut off."""

import time
from argparse import Namespace
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from runner.cli.options import Parser, add_budgets
from runner.cli.output import Output
from runner.model.errors import NotFound, UsageError
from runner.model.exits import Exit
from runner.model.path import show

if TYPE_CHECKING:
    from runner import app
    from runner.app.resuming import Cut

_DOES = (
    "Go on with the run that was cut off last, or the one that is named. An apply goes on with its plan; anything"
    " else lists afresh and finds again what it had stored."
)


def run(argv: Sequence[str], output: Output) -> Exit:
    """Say what was cut off and where, then do the rest."""
    parser = Parser("resume", "[options] [RUN]", _DOES)
    parser.add_argument("run", nargs="?", metavar="RUN", help="its label as `acdrun history` shows it")
    add_budgets(parser)
    args = parser.parse_intermixed_args(list(argv))
    output.quiet = args.quiet
    from runner.app.resuming import cut_off
    from runner.cli.carry import options_of
    from runner.report.json import outcome_record

    options = options_of(args)
    try:
        cut = cut_off(options.state, args.run)
    except NotFound as error:
        raise UsageError(error.message, hint=error.hint) from error
    code = Exit.CONVERGED
    if cut is None:
        if not args.json and not args.quiet:
            output.say(f"run {args.run} was not cut off" if args.run else "nothing was cut off")
    else:
        _tell(cut, output)
        code = _go_on(cut, options, args, output)
    if args.json:
        output.record(outcome_record(code))
    return code


def _tell(cut: "Cut", output: Output) -> None:
    header = cut.header
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(header.created))
    what = show(header.file) or header.name
    output.tell(f"acdrun: {header.purpose} {header.id} of {what}, begun {when}, was cut off")
    for line in cut.where:
        output.tell(f"  {show(line)}")


def _go_on(cut: "Cut", options: "app.Options", args: Namespace, output: Output) -> Exit:
    from runner import app
    from runner.app.resuming import VERIFIES, again, asked_of, go_on
    from runner.cli.carry import carry_out

    header = cut.header
    if header.purpose == "apply":
        return carry_out(partial(go_on, header), options, args, output)
    if header.purpose == "run":
        return carry_out(partial(app.run, again(header)), options, args, output)
    if header.purpose in VERIFIES and header.file:
        from runner.app.proving import verify
        from runner.app.resuming import same_pairs
        from runner.cli.commands.verify import report

        asked = asked_of(header, options.state)
        manifest = same_pairs(header)
        return carry_out(
            lambda told: verify(manifest, told, asked), options, args, output,
            lambda result: report(result, args, output, ""),
        )  # fmt: skip
    raise UsageError(
        f"a {header.purpose} is not gone on with by itself",
        hint=f"acdrun verify --repair {show(header.file)}"
        if header.purpose == "repair"
        else f"acdrun log {header.id}",
    )
