"""`acdrun ls REMOTE:PATH`: files and their sizes, in all folders below."""

import asyncio
from collections.abc import Sequence

from runner.cli.options import Parser
from runner.cli.output import Output
from runner.model.exits import Exit, gravest
from runner.model.path import join, show
from runner.report.line import Line


def run(argv: Sequence[str], output: Output) -> Exit:
    """Print size and path of every file, in the columns of rclone."""
    parser = Parser(
        "ls", "[-f FILE] REMOTE:PATH", "List the files of a place with their sizes, all folders included."
    )
    parser.add_argument(
        "place", metavar="REMOTE:PATH", help="a remote and a folder in it, or a path of this machine"
    )
    parser.add_argument("-f", "--file", metavar="FILE", help="a manifest that declares the remote")
    args = parser.parse_args(list(argv))
    code = asyncio.run(_list(args.place, args.file, args.json, output))
    if args.json:
        from runner.report.json import outcome_record

        output.record(outcome_record(code))
    return code


async def _list(place: str, file: str | None, json: bool, output: Output) -> Exit:
    from runner.cli.place import opened

    code = Exit.CONVERGED
    async with opened(place, file) as remote:
        async for folder in remote.walk():
            for gap in folder.gaps:
                if gap.path == "":
                    raise gap.error
                code = gravest(code, Exit.INCOMPLETE)
                output.tell(Line(f"! {show(gap.path)}: {gap.error.kind}: {gap.error.message}", "error"))
            for node in folder.nodes:
                if node.kind != "file":
                    continue
                path = join(folder.path, node.name)
                if json:
                    output.record({"record": "node", "path": path, **node._replace(checksum=None)._asdict(),
                                   "checksum": str(node.checksum) if node.checksum else None})  # fmt: skip
                else:
                    output.say(f"{node.size:>9} {show(path)}")
            if output.gone:
                break
    return code
