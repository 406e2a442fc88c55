"""`acdrun md5sum REMOTE:PATH`: the MD5 of every file, for `md5sum -c`."""

import asyncio
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from runner.cli.options import looking
from runner.cli.output import Output, terminal
from runner.model.exits import Exit, gravest
from runner.model.path import show
from runner.report.line import Line

if TYPE_CHECKING:
    from runner.model.checksum import Checksum
    from runner.model.node import Node
    from runner.remote.remote import Remote

_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r"}


def run(argv: Sequence[str], output: Output) -> Exit:
    """Print digest and path of every file; where the listing carries no MD5, the file is read."""
    args = looking("md5sum", "Print the MD5 of every file, in the form that `md5sum -c` takes.").parse_args(
        list(argv)
    )
    code = asyncio.run(_sums(args.place, args.file, args.json, output))
    if args.json:
        from runner.report.json import outcome_record

        output.record(outcome_record(code))
    return code


async def _sums(place: str, file: str | None, json: bool, output: Output) -> Exit:
    from runner.cli.files import Files
    from runner.cli.place import spot
    from runner.model.errors import AcdrunError
    from runner.report.json import node_record

    async with spot(place, file) as here:
        files, code = Files(here, output), Exit.CONVERGED
        async for path, node in files.each():
            try:
                checksum = await _checksum(here.remote, path, node)
            except AcdrunError as error:
                code = gravest(code, error.exit)
                output.tell(Line(f"! {show(path)}: {error.kind}: {error.message}", "error"))
                continue
            if json:
                output.record(node_record(path, node._replace(checksum=checksum)))
            elif terminal(sys.stdout):
                output.say(f"{checksum.digest}  {show(path)}")
            else:
                output.data(sum_line(checksum.digest, path))
    return gravest(files.code, code)


async def _checksum(remote: "Remote", path: str, node: "Node") -> "Checksum":
    if node.checksum is not None and node.checksum.algorithm == "md5":
        return node.checksum
    return await remote.checksum(path, "md5", expect=node.generation or None)


def sum_line(digest: str, path: str) -> bytes:
    """A line as the md5sum tool of GNU coreutils writes it: a name with such a character in it is escaped,
    which a backslash before the digest tells. Source: coreutils manual, cksum output modes."""
    name = "".join(_ESCAPES.get(char, char) for char in path)
    mark = "\\" if name != path else ""
    return f"{mark}{digest}  {name}\n".encode("utf-8", "surrogateescape")
