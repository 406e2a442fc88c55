"""`acdrun check SRC DST`: whether two places hold the same files."""

import asyncio
from argparse import Namespace
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from runner.cli.options import Parser, add_file
from runner.cli.output import Output
from runner.model.exits import Exit, gravest
from runner.model.path import show
from runner.report.line import Line, Tone

if TYPE_CHECKING:
    from runner.plan.compare import Compared, Proof

_TONES: dict[str, Tone] = {"=": "same", "-": "trash", "+": "add", "*": "change", "!": "error"}
_WORDS = {"=": "same", "-": "only at DST", "+": "only at SRC", "*": "differs", "!": "unreadable"}


def run(argv: Sequence[str], output: Output) -> Exit:
    """Print what differs, with the signs of rclone, and how many do. Nothing is written anywhere."""
    parser = Parser(
        "check",
        "[options] SRC DST",
        "Compare two places file by file. = same, + only at SRC, - only at DST, * differs, ! cannot be read.",
    )
    parser.add_argument("source", metavar="SRC", help="a folder or a file")
    parser.add_argument("destination", metavar="DST", help="the folder it is compared with")
    add_file(parser)
    parser.add_argument("--size-only", action="store_true", help="compare sizes, and read nothing")
    parser.add_argument(
        "--download", action="store_true", help="read both sides, whatever checksums are listed"
    )
    parser.add_argument("--one-way", action="store_true", help="what is only at DST is no difference")
    from runner.cli.filters import add_filters

    add_filters(parser)
    args = parser.parse_intermixed_args(list(argv))
    output.quiet = args.quiet
    code = asyncio.run(_check(args, output))
    if args.json:
        from runner.report.json import outcome_record

        output.record(outcome_record(code))
    return code


async def _check(args: Namespace, output: Output) -> Exit:
    from runner.cli.filters import rules_of
    from runner.cli.place import opened, spot
    from runner.manifest.filter import RuleFilter
    from runner.model.errors import UsageError
    from runner.plan.compare import compare
    from runner.remote.close import closing

    if args.size_only and args.download:
        raise UsageError("--size-only and --download say different things")
    proof: Proof = "size" if args.size_only else "reading" if args.download else "checksum"
    seen: Counter[str] = Counter()
    async with spot(args.source, args.file) as here, opened(args.destination, args.file) as there:
        admits = RuleFilter(rules_of(args, here.file)).admits
        async with closing(compare(here.remote, there, admits=admits, proof=proof)) as files:
            async for one in files:
                if args.one_way and one.sign == "-":
                    continue
                seen[one.sign] += 1
                _tell(one, args, output)
    return _sum(seen, args, output)


def _tell(one: "Compared", args: Namespace, output: Output) -> None:
    if args.json:
        output.record({"record": "compared", **one._asdict(), "word": _WORDS[one.sign]})
    elif one.sign != "=" or args.verbose:
        why = f"  {show(one.why)}" if one.why and (args.verbose or one.sign == "!") else ""
        output.say(Line(f"{one.sign} {show(one.path)}{why}", _TONES[one.sign]))


def _sum(seen: Counter[str], args: Namespace, output: Output) -> Exit:
    differ = seen["-"] + seen["+"] + seen["*"]
    code = gravest(*[Exit.DAMAGED] * bool(differ), *[Exit.INCOMPLETE] * bool(seen["!"]))
    if args.json:
        output.record({"record": "check", "differences": differ, "errors": seen["!"], "matching": seen["="]})
        return code
    lines = [(seen["+"], "missing at DST"), (seen["-"], "missing at SRC"), (seen["*"], "different")]
    for number, what in lines:
        if number:
            output.tell(f"{number} file{'s' * (number != 1)} {what}")
    if seen["!"]:
        output.tell(Line(f"{seen['!']} error{'s' * (seen['!'] != 1)} while checking", "error"))
    if not args.quiet or differ:
        output.tell(f"{differ} difference{'s' * (differ != 1)} found")
    if not args.quiet:
        output.tell(f"{seen['=']} matching file{'s' * (seen['='] != 1)}")
    return code
