"""Bring back what a run trashed or replaced."""

from contextlib import suppress

from runner.model.errors import AcdrunError, Exists, NotFound
from runner.model.operation import Operation, Outcome
from runner.model.task import All, Context, Each, Ended, Parent, Task
from runner.tasks.undo.standing import node_at, standing


class Restore(Task):
    """Take a node out of the trash to its path; what the run put there goes to the trash first (promise I1).

    Between the two the name is absent and both contents are in the trash: who dies there finds the path
    empty the next time, and goes on. Folders come before what was in them.
    """

    name = "restore"
    effect = "write"
    after = (All("guard"), All("accept"), Each("look"), Parent("restore"), Ended("discard"))

    async def run(self, op: Operation, ctx: Context) -> Outcome:
        """DONE when the old content stands at the path; `ref` takes back what it replaced. Raises Stale, NotFound."""
        if op.node == "folder":
            return await self._folder(op, ctx)
        if op.destination is None and await self._untouched(op, ctx):
            return Outcome(stored=(await ctx.destination.stat(op.path)).generation, digest=op.ours)
        back, node = await standing(op, ctx.destination)
        if back and node is not None:
            return Outcome(note="found back", stored=node.generation)
        taken = "" if node is None else await ctx.destination.trash(op.path, expect=node.generation)
        try:
            await ctx.destination.restore(op.ref, op.path)
        except AcdrunError as error:
            if taken and not error.retry:
                await self._put_back(op, taken, error, ctx)
            raise
        now = await ctx.destination.stat(op.path)
        return Outcome(ref=taken, stored=now.generation, digest=op.ours)

    async def _untouched(self, op: Operation, ctx: Context) -> bool:
        """Where the run left nothing, nothing need be asked first: nothing is replaced by coming back."""
        try:
            await ctx.destination.restore(op.ref, op.path)
        except (Exists, NotFound):
            return False
        return True

    async def _folder(self, op: Operation, ctx: Context) -> Outcome:
        node = await node_at(op.path, ctx.destination)
        if node is not None and node.kind == "folder":
            return Outcome(note="found back")
        if op.ref:
            with suppress(NotFound):  # purged, or its own folder was made anew: then so is this one
                await ctx.destination.restore(op.ref, op.path)
                return Outcome()
        await ctx.destination.mkdir(op.path)
        return Outcome(note="made anew")

    async def _put_back(self, op: Operation, taken: str, error: AcdrunError, ctx: Context) -> None:
        """The old content does not come, so what stood there stays."""
        try:
            await ctx.destination.restore(taken, op.path)
        except AcdrunError as another:
            error.hint = f"what stood there is in the trash as {taken}: {another.message}"
