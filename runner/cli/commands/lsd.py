"""`acdrun lsd REMOTE:PATH`: the folders of one level."""

import asyncio
import time
from collections.abc import Sequence

from runner.cli.options import Parser
from runner.cli.output import Output
from runner.model.exits import Exit
from runner.model.path import show

_UNKNOWN_NS = 946_684_800 * 10**9
"""What stands for a time that is not known: 2000-01-01, as rclone prints it."""


def run(argv: Sequence[str], output: Output) -> Exit:
    """Print the folders of one level in the columns of rclone: -1, time, -1, name."""
    parser = Parser("lsd", "[-f FILE] REMOTE:PATH", "List the folders of one level.")
    parser.add_argument(
        "place", metavar="REMOTE:PATH", help="a remote and a folder in it, or a path of this machine"
    )
    parser.add_argument("-f", "--file", metavar="FILE", help="a manifest that declares the remote")
    args = parser.parse_args(list(argv))
    asyncio.run(_list(args.place, args.file, args.json, output))
    if args.json:
        from runner.report.json import outcome_record

        output.record(outcome_record(Exit.CONVERGED))
    return Exit.CONVERGED


async def _list(place: str, file: str | None, json: bool, output: Output) -> None:
    from runner.cli.place import opened

    folders = []
    async with opened(place, file) as remote:
        async for page in remote.list():
            folders += [node for node in page if node.kind == "folder"]
    for node in sorted(folders, key=lambda node: node.name):
        if json:
            output.record({"record": "node", "path": node.name, "kind": node.kind, "mtime_ns": node.mtime_ns})
            continue
        seconds = (_UNKNOWN_NS if node.mtime_ns is None else node.mtime_ns) // 10**9
        shown = time.gmtime(seconds) if node.mtime_ns is None else time.localtime(seconds)
        output.say(f"{-1:>12} {time.strftime('%Y-%m-%d %H:%M:%S', shown)} {-1:>9} {show(node.name)}")
