"""`acdrun apply PLAN`: carry out a saved plan exactly."""

from collections.abc import Sequence
from pathlib import Path

from runner.cli.options import Parser, add_budgets
from runner.cli.output import Output
from runner.model.exits import Exit


def run(argv: Sequence[str], output: Output) -> Exit:
    """Apply the plan, or what an earlier try has left of it."""
    parser = Parser(
        "apply", "PLAN", "Carry out a saved plan exactly; refuse when it is no longer true (exit 5)."
    )
    parser.add_argument("plan", metavar="PLAN", help="what `acdrun --plan --out PLAN FILE` has saved")
    add_budgets(parser)
    args = parser.parse_args(list(argv))
    output.quiet = args.quiet
    from runner import app
    from runner.cli.carry import carry_out, options_of
    from runner.report.json import outcome_record

    code = carry_out(lambda options: app.apply(Path(args.plan), options), options_of(args), args, output)
    if args.json:
        output.record(outcome_record(code))
    return code
