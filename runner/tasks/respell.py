"""Give a folder at the destination the spelling it has in the source."""

from runner.model.errors import Exists, NotFound, Stale
from runner.model.operation import Operation, Outcome
from runner.model.path import name
from runner.model.task import All, Context, Parent, Task


class Respell(Task):
    """Rename on the server each folder whose name differs in case or composition only, from the top down.

    It comes before all other writes. What is below needs no renaming, and is reached through either spelling:
    only a destination that folds has such folders. So one that could not be respelled holds back nothing but
    those below it, and what is never done after a failure.
    """

    name = "respell"
    effect = "write"
    after = (All("guard"), All("accept"), Parent("respell"))

    async def run(self, op: Operation, ctx: Context) -> Outcome:
        """DONE when the folder has its new name. A try whose answer was lost is looked up first."""
        try:
            await ctx.destination.move(op.origin, op.path, expect=op.destination)
        except (NotFound, Stale, Exists):
            if not op.again:
                raise
            there = await ctx.destination.stat(op.path)
            if (there.name, there.kind, there.generation) != (name(op.path), "folder", op.destination):
                raise
            return Outcome(note="found complete")
        return Outcome()
