"""Take away a folder that a run made."""

from runner.model.errors import Stale
from runner.model.operation import Operation, Outcome
from runner.model.task import All, Children, Context, Each, Ended, Task
from runner.tasks.undo.standing import node_at


class Clear(Task):
    """Move to the trash each folder that was not there before the run, bottom up, and only when it is empty."""

    name = "clear"
    effect = "write"
    after = (
        All("guard"),
        All("accept"),
        Each("look"),
        Ended("discard"),
        Ended("unmove"),
        Children("clear"),
    )

    async def run(self, op: Operation, ctx: Context) -> Outcome:
        """DONE when nothing is at the path; `ref` brings it back. Raises Stale when something is in it."""
        node = await node_at(op.path, ctx.destination)
        if node is None:
            return Outcome(note="was gone already")
        if node.kind != "folder":
            raise Stale("no folder any more")
        return Outcome(ref=await ctx.destination.trash(op.path, expect=node.generation))
