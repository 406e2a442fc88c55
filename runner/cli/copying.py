"""`copy` and `move`: a manifest of one pair, made of the command line, planned or run like any other."""

import asyncio
import os
import shlex
from argparse import Namespace
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from runner import app
from runner.cli.carry import carry_out, options_of
from runner.cli.filters import add_filters, rules_of
from runner.cli.options import Parser, add_budgets, add_file, add_plan, only_with_plan
from runner.cli.output import Output
from runner.cli.place import located, means
from runner.cli.planning import planned
from runner.manifest.load import load, one_pair
from runner.manifest.manifest import Manifest
from runner.model.errors import NotFound, UsageError
from runner.model.exits import Exit
from runner.model.pair import Location
from runner.model.path import name, parent
from runner.model.policy import ChecksumPolicy, GuardPolicy, OverwriteGuard, RetryPolicy, SourceGuard
from runner.report.json import outcome_record
from runner.state.home import state_dir

GUARD = GuardPolicy(source=SourceGuard(empty="allow", require_mount=False), overwrite=OverwriteGuard(max=1.0))
"""Who types both places has looked at them; what is overwritten is in the trash all the same."""


def one_off(mode: Literal["copy", "move"], argv: Sequence[str], output: Output, does: str) -> Exit:
    """Plan it or do it, and report."""
    args = _parser(mode, does).parse_intermixed_args(list(argv))
    output.quiet = args.quiet
    only_with_plan(args)
    manifest = asyncio.run(_manifest(mode, args))
    options = options_of(args)
    if args.plan:
        words = [word for word in argv if word not in ("--plan", "--detailed-exitcode")]
        code = planned(manifest, args, options, output, shlex.join(["acdrun", mode, *words]))
    else:
        code = carry_out(partial(app.run, manifest), options, args, output)
    if args.json:
        output.record(outcome_record(code))
    return code


def _parser(mode: str, does: str) -> Parser:
    parser = Parser(mode, "[options] SRC DST", does)
    parser.add_argument("source", metavar="SRC", help="a folder, whose content is meant, or one file")
    parser.add_argument("destination", metavar="DST", help="the folder that it goes into; made if need be")
    add_file(parser)
    parser.add_argument("--checksum", action="store_true", help="a file is changed when its checksum differs")
    parser.add_argument("--size-only", action="store_true", help="a file is changed when its size differs")
    parser.add_argument(
        "--retries", type=int, metavar="N", help="most tries of one file, the first included (default: 3)"
    )
    parser.add_argument("--transfers", type=int, metavar="N", help="how many files go over at once")
    add_filters(parser)
    add_plan(parser)
    add_budgets(parser)
    return parser


async def _manifest(mode: Literal["copy", "move"], args: Namespace) -> Manifest:
    """The pair that is meant. Raises UsageError for what no manifest could say, NotFound without a source."""
    if args.checksum and args.size_only:
        raise UsageError("--checksum and --size-only say different things")
    for option in ("retries", "transfers"):
        number = getattr(args, option)
        if number is not None and not 1 <= number <= 100:
            raise UsageError(f"--{option} is a number from 1 to 100, not {number}")
    remotes = load(Path(args.file)).remotes if args.file else {}
    source, only = await _source(args.source, args.file)
    return one_pair(
        str(source) if source.remote else source.path,
        args.destination,
        mode,
        name=mode,
        checksum=ChecksumPolicy(compare="hash" if args.checksum else "size" if args.size_only else "auto"),
        retry=RetryPolicy() if args.retries is None else RetryPolicy(attempts=args.retries),
        guard=GUARD,
        rules=rules_of(args, only),
        remotes=remotes,
    )


async def _source(text: str, file: str | None) -> tuple[Location, str]:
    """The folder to copy from, and the name of the one file in it, "" for all. Raises NotFound."""
    location, manifest = means(text, file)
    if not location.remote and not os.path.lexists(location.path):
        raise NotFound("there is no such file or folder", path=location.path)
    if (here := located(location)) is not None:
        return here
    folder = Location(location.remote, parent(location.path))
    async with app.place(manifest, folder, state_dir()) as remote:
        node = await remote.stat(name(location.path))
    return (folder, node.name) if node.kind == "file" else (location, "")
