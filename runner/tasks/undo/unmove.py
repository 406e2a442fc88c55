"""Give a node its old path back."""

from runner.model.errors import Exists
from runner.model.operation import Operation, Outcome
from runner.model.task import All, Context, Each, Ended, Parent, Task
from runner.tasks.undo.standing import moved_from


class Unmove(Task):
    """Rename on the server what the run renamed."""

    name = "unmove"
    effect = "write"
    after = (All("guard"), All("accept"), Each("look"), Parent("restore"), Ended("discard"))

    async def run(self, op: Operation, ctx: Context) -> Outcome:
        """DONE when the node stands at its old path. Raises Stale, Exists."""
        node = await moved_from(op, ctx.destination)
        if node is None:
            return Outcome(note="found back", stored=(await ctx.destination.stat(op.path)).generation)
        try:
            moved = await ctx.destination.move(op.origin, op.path, expect=node.generation)
        except Exists as error:
            error.hint = "--created takes away what the run made in its place"
            raise
        return Outcome(stored=moved.generation)
