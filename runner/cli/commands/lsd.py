"""`acdrun lsd REMOTE:PATH`: the folders of one level."""

import asyncio
from collections.abc import Sequence

from runner.cli.options import looking
from runner.cli.output import Output
from runner.model.exits import Exit
from runner.model.path import show


def run(argv: Sequence[str], output: Output) -> Exit:
    """Print the folders of one level in the columns of rclone: -1, time, -1, name."""
    args = looking("lsd", "List the folders of one level.").parse_args(list(argv))
    asyncio.run(_list(args.place, args.file, args.json, output))
    if args.json:
        from runner.report.json import outcome_record

        output.record(outcome_record(Exit.CONVERGED))
    return Exit.CONVERGED


async def _list(place: str, file: str | None, json: bool, output: Output) -> None:
    from runner.cli.place import opened
    from runner.cli.times import show_seconds, time_ns
    from runner.report.json import node_record

    folders = []
    async with opened(place, file) as remote:
        async for page in remote.list():
            folders += [node for node in page if node.kind == "folder"]
    for node in sorted(folders, key=lambda node: node.name):
        if json:
            output.record(node_record(node.name, node))
        else:
            output.say(f"{-1:>12} {show_seconds(time_ns(node))} {-1:>9} {show(node.name)}")
