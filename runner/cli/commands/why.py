"""`acdrun why FILE PATH`: which rule decides about a path."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.cli.options import Parser
from runner.cli.output import Output
from runner.model.exits import Exit
from runner.model.path import show
from runner.report.line import Line

if TYPE_CHECKING:
    from runner.app.reasons import Why
    from runner.model.node import Node

_DOES = (
    "Tell which rule decides about a path: of the filter, of the comparison, and what a run would do. Only the"
    " folders that lead to it are listed."
)
_WORDS = {
    "upload": "send it", "hash": "read both sides to compare them", "mkdir": "make it",
    "trash": "move it to the trash", "move": "rename it there",
}  # fmt: skip


def run(argv: Sequence[str], output: Output) -> Exit:
    """Say it for each pair that covers the path."""
    parser = Parser("why", "[--pair NAME] FILE PATH", _DOES)
    parser.add_argument("file", metavar="FILE", help="a manifest")
    parser.add_argument("path", metavar="PATH", help="below the root of a pair, or absolute, or REMOTE:PATH")
    parser.add_argument("--pair", action="append", metavar="NAME", help="only this pair; may be given again")
    args = parser.parse_intermixed_args(list(argv))
    output.quiet = args.quiet
    from runner.app.choosing import only_pairs
    from runner.app.reasons import covering, why
    from runner.manifest.load import load
    from runner.model.exits import gravest
    from runner.report.json import outcome_record
    from runner.state.home import state_dir

    manifest = only_pairs(load(Path(args.file)), tuple(args.pair or ()))
    found = asyncio.run(why(manifest, covering(manifest, args.path), state_dir()))
    for one in found:
        if args.json:
            output.record(_record(one))
        else:
            output.stream(_lines(one))
    code = gravest(*(Exit.INCOMPLETE for one in found if one.unread))
    if args.json:
        output.record(outcome_record(code))
    return code


def _lines(one: "Why") -> Iterator[Line]:
    pair = one.pair
    yield Line(
        f"{show(pair.name)}  {show(str(pair.source))} → {show(str(pair.destination))}  {pair.mode}", "head"
    )
    yield Line(f"  path    {show(one.path) or '(the root)'}")
    for unread in one.unread:
        yield Line(f"  unread  {show(unread)}", "error")
    yield Line(f"  filter  {_filter(one)}")
    for side, node in (("source", one.source), ("there", one.destination)):
        yield Line(f"  {side:<7} {_node(node)}")
    if not one.unread:
        if one.reason is not None and one.reason.verdict is not None:
            yield Line(f"  compare by {one.reason.compare}: {one.reason.verdict.reason}")
        yield Line(f"  a run   would {_would(one)}", "head")


def _filter(one: "Why") -> str:
    if not one.rule:
        return "no rule matches, so it takes part"
    verb = "takes part" if one.admitted else "is left out"
    whose = "it" if one.rule_path == one.path else show(one.rule_path) + "/"
    place = f" ({one.rule_place})" if one.rule_place else ""
    return f"{whose} {verb} by `{show(one.rule)}`{place}"


def _node(node: "Node | None") -> str:
    from runner.cli.times import show_seconds
    from runner.model.show import show_size

    if node is None:
        return "nothing"
    if node.kind != "file":
        return "a link or special file" if node.kind == "other" else "a folder"
    parts = [f"{node.size:,} bytes ({show_size(node.size)})"]
    if node.mtime_ns is not None:
        parts.append(f"changed {show_seconds(node.mtime_ns)}")
    if node.checksum is not None:
        parts.append(str(node.checksum))
    return ", ".join(parts)


def _would(one: "Why") -> str:
    if not one.admitted:
        return "leave it alone on both sides: the filter leaves it out"
    if one.link:
        return f"leave it out: it is a link or special file (links: {one.pair.links})"
    if one.source is None and one.destination is None:
        return "do nothing: it is on neither side"
    if one.reason is None:
        return "do nothing"
    if one.reason.problem:
        return f"be blocked: {show(one.reason.problem)}"
    verdict = one.reason.verdict
    if verdict is None:
        return "leave it alone: it lies below something that is blocked, or that stays as it is"
    tasks = [_WORDS.get(task, task) for task in verdict.tasks]
    if "hash" in verdict.tasks:
        return (
            f"{tasks[0]}, and {tasks[1]} if they differ"
            if "upload" in verdict.tasks
            else ", then ".join(tasks)
        )
    return ", then ".join(tasks) if tasks else "do nothing with it"


def _record(one: "Why") -> dict[str, Any]:
    from runner.report.json import node_record

    nodes = {
        side: {**node_record(one.path, node), "record": side} if node else None
        for side, node in (("source", one.source), ("destination", one.destination))
    }
    reason, verdict = one.reason, one.reason.verdict if one.reason else None
    return {
        "record": "why", "pair": one.pair.name, "path": one.path, "rule": one.rule or None,
        "rule_place": str(one.rule_place) if one.rule_place else None, "admitted": one.admitted, **nodes,
        "compare": reason.compare if reason else None, "reason": verdict.reason if verdict else None,
        "sign": verdict.sign if verdict else None, "tasks": list(verdict.tasks) if verdict else [],
        "problem": reason.problem if reason else "", "would": _would(one), "unread": one.unread,
    }  # fmt: skip
