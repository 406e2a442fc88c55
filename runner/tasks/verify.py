"""Read back what was sent."""

from runner.model.errors import Damaged
from runner.model.operation import Operation, Outcome
from runner.model.task import All, Context, Each, Task


class Verify(Task):
    """Read the stored bytes of an upload again and compare them with the source's."""

    name = "verify"
    effect = "write"  # it proves a write: a plan has none to prove
    after = (All("guard"), All("accept"), Each("upload"))

    async def run(self, op: Operation, ctx: Context) -> Outcome:
        """DONE when both sides hold the same bytes. Raises Damaged."""
        theirs = await ctx.destination.checksum(op.there, ctx.algorithm)
        known = ctx.hashes.known(ctx.source.place, [op.source or ""], ctx.algorithm)
        ours = known.get(op.source or "") or await ctx.source.checksum(
            op.path, ctx.algorithm, expect=op.source
        )
        if ours != theirs:
            raise Damaged(f"reading back gave {theirs}, the source is {ours}", path=op.there)
        return Outcome(proof="read back")
