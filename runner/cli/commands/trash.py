"""`acdrun trash list|restore REMOTE`: what was removed or replaced, and the way back."""

import asyncio
from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING

from runner.cli.options import Parser, add_file
from runner.cli.output import Output
from runner.model.errors import AcdrunError, NotFound, UsageError
from runner.model.exits import Exit, gravest
from runner.model.path import depth, order, show, within
from runner.report.line import Line

if TYPE_CHECKING:
    from runner.model.backend import Trashed
    from runner.remote.remote import Remote


def run(argv: Sequence[str], output: Output) -> Exit:
    """Show the trash, or bring back what is named."""
    parser = Parser(
        "trash",
        "list REMOTE[:PATH] | restore REMOTE[:PATH] ID|PATH...",
        "Show what was removed or replaced, and bring it back. Nothing is ever purged, and bringing back "
        "replaces nothing.",
    )
    parser.add_argument("verb", choices=("list", "restore"), help="show the trash, or bring back from it")
    parser.add_argument("place", metavar="REMOTE[:PATH]", help="a remote and a folder in it, or a local path")
    parser.add_argument("words", nargs="*", metavar="ID|PATH", help="from the list; a PATH means the latest "
                        "of that path, and all below it")  # fmt: skip
    parser.add_argument("--to", metavar="PATH", help="bring the one that is named back under this path")
    add_file(parser)
    args = parser.parse_intermixed_args(list(argv))
    output.quiet = args.quiet
    if (args.verb == "list") == bool(args.words):
        raise UsageError("there is `trash list REMOTE[:PATH]` and `trash restore REMOTE[:PATH] ID|PATH...`")
    if args.to is not None and (args.verb == "list" or len(args.words) != 1):
        raise UsageError("--to goes with `trash restore` and one ID or PATH")
    code = asyncio.run(_list(args, output) if args.verb == "list" else _restore(args, output))
    if args.json:
        from runner.report.json import outcome_record

        output.record(outcome_record(code))
    return code


async def _list(args: Namespace, output: Output) -> Exit:
    from runner.cli.place import named, opened
    from runner.cli.times import show_seconds

    async with opened(named(args.place, args.file), args.file) as remote:
        found = await _found(remote)
    for entry in found:
        if args.json:
            output.record(_record("trashed", entry))
            continue
        folder = entry.node.kind == "folder"
        path = f"({show(entry.node.name)})" if entry.path is None else show(entry.path)
        size = "-" if folder else str(entry.node.size)
        output.say(f"{size:>9} {show_seconds(entry.when_ns)} {path}{'/' * folder}  {show(entry.ref)}")
    return Exit.CONVERGED


async def _restore(args: Namespace, output: Output) -> Exit:
    """Folders come before what was in them; what fails does not keep the rest back."""
    from runner.cli.place import named, opened

    code = Exit.CONVERGED
    async with opened(named(args.place, args.file), args.file, writes=True) as remote:
        found = await _found(remote)
        chosen = {entry.ref: entry for word in args.words for entry in _meant(word, found)}
        if args.to is not None and len(chosen) != 1:
            raise UsageError(
                f"--to needs one node, but {args.words[0]!r} means {len(chosen)}", hint="give its ID"
            )
        for entry in sorted(chosen.values(), key=lambda entry: depth(entry.path or "")):
            try:
                path = await remote.restore(entry.ref, args.to)
            except AcdrunError as error:
                code = gravest(code, error.exit)
                where = show(entry.path or entry.ref)
                output.tell(Line(f"! {where}: {error.kind}: {show(error.message)}", "error"))
                if error.hint:
                    output.tell(f"  hint: {show(error.hint)}")
                continue
            if args.json:
                output.record({**_record("restored", entry), "path": path})
            else:
                output.say(Line(f"+ {show(path)}{'/' * (entry.node.kind == 'folder')}", "add"))
    return code


async def _found(remote: "Remote") -> "list[Trashed]":
    """The trash by path, and of one path the latest first."""
    found = [entry async for page in remote.trashed() for entry in page]
    return sorted(found, key=lambda entry: (order(entry.path or ""), -(entry.when_ns or 0), entry.ref))


def _meant(word: str, found: "Sequence[Trashed]") -> "list[Trashed]":
    """The entry of this id; else the latest of each path that is this one or below it. Raises NotFound."""
    exact = [entry for entry in found if entry.ref == word]
    if exact:
        return exact
    path = word.strip("/")
    latest: dict[str, Trashed] = {}
    for entry in found:
        if entry.path is not None and within(entry.path, path):
            latest.setdefault(entry.path, entry)
    if not latest or not path:
        raise NotFound(f"nothing in the trash is {word!r}", hint="acdrun trash list shows what is there")
    return list(latest.values())


def _record(record: str, entry: "Trashed") -> dict[str, object]:
    from runner.report.json import node_record

    return {**node_record(entry.path or "", entry.node), "record": record, "ref": entry.ref, "path": entry.path,
            "when_ns": entry.when_ns}  # fmt: skip
