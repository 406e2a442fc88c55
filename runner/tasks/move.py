"""Rename a node at the destination."""

from runner.model.errors import Exists, NotFound, Stale
from runner.model.operation import Operation, Outcome
from runner.model.path import name
from runner.model.task import All, Context, Each, Parent, Task


class Move(Task):
    """Rename on the server what only changed its name."""

    name = "move"
    effect = "write"
    after = (All("guard"), All("accept"), Each("hash"), Parent("mkdir"))

    async def run(self, op: Operation, ctx: Context) -> Outcome:
        """DONE when the node stands at its new path. A try whose answer was lost is looked up first."""
        try:
            await ctx.destination.move(op.origin, op.path, expect=op.destination)
        except (NotFound, Stale, Exists):
            # Where case does not count, the old path leads to the moved node, which is another generation.
            if not op.again:
                raise
            there = await ctx.destination.stat(op.path)
            if (there.name, there.kind, there.size) != (name(op.path), "file", op.size):
                raise
            return Outcome(note="found complete")
        return Outcome()
