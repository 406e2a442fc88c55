"""`acdrun restore FILE TO`: copy what a pair has stored back to a folder."""

import shlex
from argparse import Namespace
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from runner.cli.options import Parser, add_budgets, add_plan
from runner.cli.output import Output
from runner.model.exits import Exit, gravest

if TYPE_CHECKING:
    from runner import app
    from runner.manifest.manifest import Manifest
    from runner.model.pair import Pair
    from runner.state.journal import Journal

_DOES = (
    "Copy the destination of a pair back into the folder TO. Every byte is proven; files of TO that differ are"
    " replaced, their old content is in TO's trash; what only TO has stays."
)


def run(argv: Sequence[str], output: Output) -> Exit:
    """Plan it or do it, pair by pair, and report."""
    args = _parser().parse_intermixed_args(list(argv))
    output.quiet = args.quiet
    from runner.app.choosing import only_pairs
    from runner.cli.carry import carry_out, options_of
    from runner.cli.options import only_with_plan
    from runner.cli.planning import planned
    from runner.manifest.load import load
    from runner.report.json import outcome_record

    only_with_plan(args)
    manifest = only_pairs(load(Path(args.file)), tuple(args.pair or ()))
    options = options_of(args)
    back = [_back(pair, _goal(pair, manifest, args), manifest, args) for pair in manifest.pairs]
    if args.out and len(back) > 1:
        from runner.model.errors import UsageError

        raise UsageError("--out saves the plan of one pair", hint="name it with --pair")
    words = [word for word in argv if word not in ("--plan", "--detailed-exitcode")]
    codes = []
    for one in back:
        if args.plan:
            code = planned(one, args, options, output, shlex.join(["acdrun", "restore", *words]))
        else:
            from runner import app

            code = carry_out(partial(app.run, one), options, args, output, partial(_report, args, output))
        codes.append(code)
        if code in (Exit.INTERRUPTED, Exit.TERMINATED):
            break
    if args.json:
        output.record(outcome_record(gravest(*codes)))
    return gravest(*codes)


def _parser() -> Parser:
    from runner.cli.filters import add_filters

    parser = Parser("restore", "[options] FILE TO", _DOES)
    parser.add_argument("file", metavar="FILE", help="the manifest whose destinations are copied back")
    parser.add_argument("to", metavar="TO", help="the folder that it goes into; made if need be")
    parser.add_argument(
        "--pair",
        action="append",
        metavar="NAME",
        help="only this pair, straight into TO; several go into TO/NAME each",
    )
    add_filters(parser)
    add_plan(parser)
    add_budgets(parser)
    return parser


def _goal(pair: "Pair", manifest: "Manifest", args: Namespace) -> str:
    to = str(args.to)
    if len(manifest.pairs) == 1:
        return to
    return to + pair.name if to.endswith((":", "/")) else f"{to}/{pair.name}"


def _back(pair: "Pair", to: str, manifest: "Manifest", args: Namespace) -> "Manifest":
    """The pair turned round. Its own filter does not count: what is stored is wanted back."""
    from runner.cli.copying import GUARD
    from runner.cli.filters import rules_of
    from runner.manifest.load import one_pair
    from runner.model.policy import ChecksumPolicy

    stored = pair.destination
    return one_pair(
        str(stored) if stored.remote else stored.path,
        to,
        "copy",
        name="restore",
        checksum=ChecksumPolicy(compare="hash"),
        retry=pair.retry,
        guard=GUARD,
        unreadable="fail",
        rules=rules_of(args),
        remotes=manifest.remotes,
    )


def _report(args: Namespace, output: Output, result: "app.Result") -> Exit:
    from runner.cli.carry import report_run

    report_run(result, args, output)
    if not args.json and not args.quiet:
        output.say(_sum(result.journal))
    return result.code


def _sum(journal: "Journal") -> str:
    from runner.model.path import show
    from runner.report.amounts import amount, proof
    from runner.report.summary import summary

    (numbers,) = summary(journal).pairs
    proofs = " and ".join(proof(word) for word in numbers.sent)
    where = show(str(numbers.pair.destination))
    parts = [f"restored {amount(numbers.all_sent)} to {where}{', ' * bool(proofs)}{proofs}"]
    if numbers.all_unchanged.number:
        parts.append(f"there already: {amount(numbers.all_unchanged)}")
    if numbers.changed.number:
        parts.append(f"replaced: {amount(numbers.changed)}, the old content is in the trash there")
    return "; ".join(parts)
