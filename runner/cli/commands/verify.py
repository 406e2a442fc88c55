"""`acdrun verify FILE`: prove again what is there."""

import shlex
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runner.cli.options import Parser, add_budgets
from runner.cli.output import Output
from runner.model.errors import UsageError
from runner.model.exits import Exit, gravest

if TYPE_CHECKING:
    from runner import app
    from runner.app.proving import Asked
    from runner.manifest.manifest import Manifest

_DOES = (
    "Compare both sides of every pair by content and tell what is missing, damaged, changed or extra at the"
    " destination. Nothing is written, unless --repair asks for it."
)


def run(argv: Sequence[str], output: Output) -> Exit:
    """Verify, and repair where that is asked for."""
    args = _parser().parse_intermixed_args(list(argv))
    output.quiet = args.quiet
    asked = _asked(args)
    from runner.app.choosing import only_pairs
    from runner.cli.carry import options_of
    from runner.manifest.load import load

    options = options_of(args)
    manifests = [only_pairs(load(Path(file)), tuple(args.pair or ())) for file in args.files]
    code = gravest(*(_one(manifest, asked, options, args, output) for manifest in manifests))
    if args.json:
        from runner.report.json import outcome_record

        output.record(outcome_record(code))
    return code


def _parser() -> Parser:
    parser = Parser("verify", "[options] FILE...", _DOES)
    parser.add_argument("files", nargs="+", metavar="FILE", help="a manifest")
    parser.add_argument("--pair", action="append", metavar="NAME", help="only this pair; may be given again")
    parser.add_argument(
        "--sample",
        metavar="SHARE",
        help="of what has to be read, only this share, such as 5%%: the next one each time",
    )
    parser.add_argument("--all", action="store_true", help="read all that has to be read (the default)")
    parser.add_argument(
        "--read", action="store_true", help="read the destination's bytes back, whatever checksums it lists"
    )
    parser.add_argument("--repair", action="store_true", help="send again what is missing or damaged")
    add_budgets(parser)
    return parser


def _asked(args: Namespace) -> "Asked":
    from runner.app.proving import Asked

    if args.sample and args.all:
        raise UsageError("--sample and --all say different things")
    return Asked(args.read, _parts(args.sample))


def _parts(sample: str | None) -> int:
    """How many verifications of this share read everything. Raises UsageError."""
    from runner.model.units import BadQuantity, parse_percent

    if sample is None:
        return 1
    try:
        share = parse_percent(sample)
    except BadQuantity as error:
        raise UsageError(f"--sample: {error}", hint=error.hint) from error
    if not 0.0001 <= share <= 1:
        raise UsageError(f"--sample is a share from 0.01% to 100%, not {sample}")
    return max(1, -int(-1 // share))  # rounded up: a little less each time, and nothing twice


def _one(
    manifest: "Manifest", asked: "Asked", options: "app.Options", args: Namespace, output: Output
) -> Exit:
    import asyncio
    from dataclasses import replace

    from runner.app.proving import repair, verify
    from runner.cli.progress import progress

    with progress(output, json=args.json, verbose=args.verbose) as watch:
        told = replace(options, tell=watch.listener)
        result = asyncio.run(verify(manifest, told, asked))
    with result:
        again = "" if args.repair else _again(args, manifest)
        report(result, args, output, again)
        if not args.repair or result.code in (Exit.INTERRUPTED, Exit.TERMINATED):
            return result.code
        with progress(output, json=args.json, verbose=args.verbose) as watch:
            repaired = asyncio.run(repair(result, manifest, replace(options, tell=watch.listener), asked))
    if repaired is None:
        return result.code
    from runner.cli.carry import report_run
    from runner.report.amounts import count
    from runner.report.line import Line

    words = not args.json and not args.quiet
    with repaired.run as sent:
        if words:
            output.say(Line(f"repair: {count(repaired.number, 'entry')} to send again", "head"))
        report_run(sent, args, output)
    if repaired.again.path != repaired.run.path:
        with repaired.again as proven:
            if words:
                output.say(Line("and verified again", "head"))
            report(proven, args, output, "")
    if words and repaired.code is not repaired.again.code:
        output.say(
            Line(f"exit {int(repaired.code)}: what was told before the repair and not repaired", "error")
        )
    return repaired.code


def report(result: "app.Result", args: Namespace, output: Output, repair: str) -> Exit:
    """What a verification came to. repair: the command that repairs, "" to name none."""
    from runner.report.line import only_problems
    from runner.report.verify import verify_lines, verify_records

    if args.json:
        for record in verify_records(result.journal):
            output.record(record)
        return result.code
    lines = verify_lines(result.journal, result.code, verbose=args.verbose, repair=repair)
    output.stream(only_problems(lines) if args.quiet else lines)
    return result.code


def _again(args: Namespace, manifest: "Manifest") -> str:
    words = ["acdrun", "verify", "--repair", *(["--read"] if args.read else [])]
    words += [word for name in args.pair or () for word in ("--pair", name)]
    return shlex.join([*words, manifest.file])
