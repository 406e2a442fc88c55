"""`acdrun ls REMOTE:PATH`: files and their sizes, in all folders below."""

import asyncio
from collections.abc import Sequence

from runner.cli.options import looking
from runner.cli.output import Output
from runner.model.exits import Exit
from runner.model.path import show


def run(argv: Sequence[str], output: Output) -> Exit:
    """Print size and path of every file, in the columns of rclone."""
    return listing("ls", "List the files of a place with their sizes, all folders included.", argv, output)


def listing(verb: str, does: str, argv: Sequence[str], output: Output, *, timed: bool = False) -> Exit:
    """Print every file; timed: with the time between its size and its path."""
    args = looking(verb, does).parse_args(list(argv))
    code = asyncio.run(_list(args.place, args.file, args.json, output, timed=timed))
    if args.json:
        from runner.report.json import outcome_record

        output.record(outcome_record(code))
    return code


async def _list(place: str, file: str | None, json: bool, output: Output, *, timed: bool) -> Exit:
    from runner.cli.files import Files
    from runner.cli.place import spot
    from runner.cli.times import show_nanoseconds, time_ns
    from runner.report.json import node_record

    async with spot(place, file) as here:
        files = Files(here, output)
        async for path, node in files.each():
            if json:
                output.record(node_record(path, node))
            else:
                time = f" {show_nanoseconds(time_ns(node))}" if timed else ""
                output.say(f"{node.size:>9}{time} {show(path)}")
    return files.code
