"""`acdrun lsl REMOTE:PATH`: files with size and time, in all folders below."""

import asyncio
from collections.abc import Sequence

from runner.cli.options import looking
from runner.cli.output import Output
from runner.model.exits import Exit
from runner.model.path import show


def run(argv: Sequence[str], output: Output) -> Exit:
    """Print size, time and path of every file, in the columns of rclone."""
    parser = looking("lsl", "List the files of a place with size and time, all folders included.")
    args = parser.parse_args(list(argv))
    code = asyncio.run(_list(args.place, args.file, args.json, output))
    if args.json:
        from runner.report.json import outcome_record

        output.record(outcome_record(code))
    return code


async def _list(place: str, file: str | None, json: bool, output: Output) -> Exit:
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
                output.say(f"{node.size:>9} {show_nanoseconds(time_ns(node))} {show(path)}")
    return files.code
