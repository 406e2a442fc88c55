"""Take away a file that a run made."""

from runner.model.operation import Operation, Outcome
from runner.model.task import All, Context, Each, Task
from runner.tasks.undo.standing import standing


class Discard(Task):
    """Move to the trash each file that was not there before the run, if it is still what the run stored.

    It comes first: what was moved away needs its old name free.
    """

    name = "discard"
    effect = "write"
    after = (All("guard"), All("accept"), Each("look"))

    async def run(self, op: Operation, ctx: Context) -> Outcome:
        """DONE when nothing is at the path; `ref` brings it back. Raises Stale."""
        _, node = await standing(op, ctx.destination)
        if node is None:
            return Outcome(note="was gone already")
        return Outcome(ref=await ctx.destination.trash(op.path, expect=node.generation))
