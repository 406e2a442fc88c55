"""`acdrun ls REMOTE:PATH`: files and their sizes, in all folders below."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from runner.cli.options import looking
from runner.cli.output import Output
from runner.model.exits import Exit
from runner.model.path import show

if TYPE_CHECKING:
    from runner.model.node import Folder


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
    from runner.remote.close import closing
    from runner.report.json import node_record

    async with spot(place, file) as here:
        files = Files(here, output)
        if not (json or timed):
            async with closing(files.folders()) as folders:
                async for folder in folders:
                    if lines := _lines(folder):
                        output.text(lines)
            return files.code
        async for path, node in files.each():
            if json:
                output.record(node_record(path, node))
            else:
                output.say(f"{node.size:>9} {show_nanoseconds(time_ns(node))} {show(path)}")
    return files.code


def _lines(folder: "Folder") -> str:
    """Of each file a line with its end; a folder at a time, for a listing has millions."""
    nodes, path = folder.nodes, show(f"{folder.path}/" if folder.path else "")
    names = nodes.names("file")
    if not "".join(names).isprintable():
        names = list(map(show, names))
    return "".join([f"{size:>9} {path}{name}\n" for size, name in zip(nodes.sizes(), names, strict=True)])
