"""Make a folder at the destination."""

from runner.model.operation import Operation, Outcome
from runner.model.task import All, Context, Ended, Parent, Task


class Mkdir(Task):
    """Make each folder that the source has and the destination lacks, from the top down."""

    name = "mkdir"
    effect = "write"
    after = (All("guard"), All("accept"), Parent("mkdir"), Ended("respell"))

    async def run(self, op: Operation, ctx: Context) -> Outcome:
        """DONE when the folder is there. The root of the pair is made with all that lies above it."""
        if op.path:
            await ctx.destination.mkdir(op.path)
        else:
            await ctx.destination.mkdirs("")
        return Outcome()
