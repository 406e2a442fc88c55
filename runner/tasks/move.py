"""Rename a node at the destination."""

from runner.model.errors import Exists, NotFound, Stale
from runner.model.operation import Operation, Outcome
from runner.model.path import name
from runner.model.task import All, Context, Each, Ended, Parent, Task


class Move(Task):
    """Rename on the server what only changed its name."""

    name = "move"
    effect = "write"
    after = (All("guard"), All("accept"), Each("hash"), Parent("mkdir"), Ended("respell"))

    async def run(self, op: Operation, ctx: Context) -> Outcome:
        """DONE when the node stands at its new path. A try whose answer was lost is looked up first."""
        try:
            moved = await ctx.destination.move(op.origin, op.there, expect=op.destination)
        except (NotFound, Stale, Exists):
            # Where case does not count, the old path leads to the moved node, which is another generation.
            if not op.again:
                raise
            there = await ctx.destination.stat(op.there)
            same = there.generation == op.destination if there.kind == "folder" else there.size == op.size
            if there.name != name(op.there) or not same:
                raise
            return Outcome(note="found complete", stored=there.generation)
        return Outcome(stored=moved.generation)
