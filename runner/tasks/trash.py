"""Move to the trash what the source no longer has."""

from runner.model.errors import NotFound
from runner.model.operation import Operation, Outcome
from runner.model.task import All, Children, Context, Task


class Trash(Task):
    """Remove recoverably each destination node that the source lost; folders last, and only empty ones.

    The barrier stands before it: nothing is trashed unless both listings were whole, every write of the pair
    succeeded, and both places are still what they were (promise I6).
    """

    name = "trash"
    effect = "write"
    after = (All("barrier"), Children("trash"))

    async def run(self, op: Operation, ctx: Context) -> Outcome:
        """DONE when the node is gone; `ref` says how to bring it back."""
        try:
            return Outcome(ref=await ctx.destination.trash(op.path, expect=op.destination))
        except NotFound:
            return Outcome(note="was gone already")
