"""`acdrun apply PLAN`: carry out a saved plan exactly."""

from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

from runner.cli.options import Parser, add_budgets
from runner.cli.output import Output
from runner.model.exits import Exit


def run(argv: Sequence[str], output: Output) -> Exit:
    """Apply the plan, or what an earlier try has left of it."""
    parser = Parser(
        "apply",
        "[-f FILE] PLAN",
        "Carry out a saved plan exactly; refuse when it is no longer true (exit 5).",
    )
    parser.add_argument("plan", metavar="PLAN", help="what `acdrun --plan --out PLAN FILE` has saved")
    parser.add_argument(
        "-f", "--file", metavar="FILE", help="the manifest it was made from, as it is on this machine"
    )
    parser.add_argument(
        "--accept-unsigned",
        action="store_true",
        help="take a plan whose seal nobody here can check; one that was edited is refused all the same",
    )
    add_budgets(parser)
    args = parser.parse_args(list(argv))
    output.quiet = args.quiet
    from runner import app
    from runner.cli.carry import carry_out, options_of
    from runner.manifest.load import load
    from runner.report.json import outcome_record

    manifest = load(Path(args.file)) if args.file else None

    def case(options: app.Options) -> Coroutine[Any, Any, app.Result]:
        return app.apply(Path(args.plan), options, manifest, accept_unsigned=args.accept_unsigned)

    code = carry_out(case, options_of(args), args, output)
    if args.json:
        output.record(outcome_record(code))
    return code
