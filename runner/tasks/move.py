"""Rename a node at the destination."""

from runner.model.errors import NotFound
from runner.model.operation import Operation, Outcome
from runner.model.task import All, Context, Parent, Task


class Move(Task):
    """Rename on the server what only changed its name."""

    name = "move"
    effect = "write"
    after = (All("guard"), All("accept"), Parent("mkdir"))

    async def run(self, op: Operation, ctx: Context) -> Outcome:
        """DONE when the node stands at its new path. A try whose answer was lost is looked up first."""
        try:
            await ctx.destination.move(op.origin, op.path, expect=op.destination)
        except NotFound:
            if not op.again:
                raise
            await ctx.destination.stat(op.path)
            return Outcome(note="found complete")
        return Outcome()
