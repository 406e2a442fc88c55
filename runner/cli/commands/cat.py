"""`acdrun cat REMOTE:PATH`: the content of a file, or of all files of a folder."""

import asyncio
from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING

from runner.cli.options import looking
from runner.cli.output import Output
from runner.model.errors import UsageError
from runner.model.exits import Exit

if TYPE_CHECKING:
    from runner.model.node import Node
    from runner.remote.remote import Remote


def run(argv: Sequence[str], output: Output) -> Exit:
    """Write the bytes to stdout; the files of a folder come one after the other, in path order."""
    parser = looking("cat", "Write a file to stdout, or every file of a folder, one after the other.")
    for option, text in (
        ("head", "only the first N bytes of each file"),
        ("tail", "only the last N bytes of each file"),
        ("offset", "begin after N bytes of each file; a negative N counts from the end"),
        ("count", "only N bytes of each file"),
    ):
        parser.add_argument(f"--{option}", type=int, metavar="N", help=text)
    args = parser.parse_args(list(argv))
    if args.json:
        raise UsageError("--json does not go with cat: its result is the content itself")
    ways = [args.head is not None, args.tail is not None, args.offset is not None or args.count is not None]
    if sum(ways) > 1:
        raise UsageError("--head, --tail, and --offset with --count say different things")
    if any((getattr(args, option) or 0) < 0 for option in ("head", "tail", "count")):
        raise UsageError("--head, --tail and --count are numbers of bytes")
    return asyncio.run(_write(args, output))


def part(args: Namespace, size: int) -> tuple[int, int]:
    """The first byte that is wanted of a file of this size, and the first that is not any more."""
    if args.head is not None:
        return 0, min(size, args.head)
    if args.tail is not None:
        return max(0, size - args.tail), size
    start = args.offset or 0
    start = max(0, size + start) if start < 0 else min(size, start)
    return start, size if args.count is None else min(size, start + args.count)


async def _write(args: Namespace, output: Output) -> Exit:
    from runner.cli.files import Files
    from runner.cli.place import spot

    async with spot(args.place, args.file) as here:
        files = Files(here, output)
        async for path, node in files.each():
            await _part(here.remote, path, node, part(args, node.size), output)
    return files.code


async def _part(remote: "Remote", path: str, node: "Node", wanted: tuple[int, int], output: Output) -> None:
    """Bytes before the part are read and dropped; what is behind it is not read."""
    from runner.remote.close import closing

    (start, end), place = wanted, 0
    if start >= end:
        return
    async with closing(remote.read(path, expect=node.generation or None)) as chunks:
        async for chunk in chunks:
            await asyncio.to_thread(output.data, chunk[max(0, start - place) : max(0, end - place)])
            place += len(chunk)
            if place >= end or output.gone:
                return
