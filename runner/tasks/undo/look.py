"""Look whether a change can still be taken back."""

from runner.model.errors import Exists, NotFound
from runner.model.operation import Operation, Outcome, State
from runner.model.path import show
from runner.model.task import All, Context, Task
from runner.tasks.undo.standing import moved_from, node_at, standing


class Look(Task):
    """Hold what a path shows now against what the run left there, and find the old content in the trash."""

    name = "look"
    effect = "read"
    after = (All("recall"),)

    async def run(self, op: Operation, ctx: Context) -> Outcome:
        """SAME when it is taken back already, DONE when it can be. Raises Stale, Exists, NotFound."""
        if op.origin:
            back = await moved_from(op, ctx.destination) is None
        elif op.node == "folder":
            back = await _folder_is_back(op, ctx)
        else:
            back, _ = await standing(op, ctx.destination)
        if back:
            return Outcome(State.SAME, proof="back")
        if not op.origin and op.node == "file" and op.source is not None:
            await _still_kept(op, ctx)
        return Outcome()


async def _folder_is_back(op: Operation, ctx: Context) -> bool:
    node = await node_at(op.path, ctx.destination)
    if node is not None and node.kind != "folder":
        raise Exists(f"a {node.kind} stands there now")
    return (node is None) == (op.source is None)


async def _still_kept(op: Operation, ctx: Context) -> None:
    missing = "its old content is not in the trash any more"
    if not op.ref:
        raise NotFound(missing, path=op.path)
    try:
        await ctx.destination.kept(op.ref)
    except NotFound as error:
        raise NotFound(f"{missing} (it had the id {show(op.ref)})", path=op.path) from error
