"""Read back what was sent."""

from runner.model.errors import Corrupted, Stale
from runner.model.node import same_content
from runner.model.operation import Operation, Outcome
from runner.model.task import All, Context, Each, Task


class Verify(Task):
    """Read the stored bytes of an upload again and compare them with the source's.

    What is not what was sent goes to the trash: it bears the size and time of the source, so that a later run
    that compares no more than these would call it unchanged.
    """

    name = "verify"
    effect = "write"
    after = (All("guard"), All("accept"), Each("upload"))

    async def run(self, op: Operation, ctx: Context) -> Outcome:
        """DONE when both sides hold the same bytes. Raises Corrupted when they do not, Stale when somebody wrote."""
        there = await ctx.destination.stat(op.there)
        if op.stored and not same_content(op.stored, there.generation):
            raise Stale("replaced by somebody else before it was read back", path=op.there)
        known = ctx.hashes.known(ctx.source.place, [op.source or ""], ctx.algorithm)
        ours = known.get(op.source or "") or await ctx.source.checksum(
            op.path, ctx.algorithm, expect=op.source
        )
        for _ in range(2):  # a disk may err in reading, too
            theirs = await ctx.destination.checksum(op.there, ctx.algorithm, expect=there.generation or None)
            if ours == theirs:
                return Outcome(proof="read back")
        ref = await ctx.destination.trash(op.there, expect=there.generation or None)
        raise Corrupted(
            f"reading back gave {theirs}, the source is {ours}; it is in the trash ({ref}), and so is what it replaced",
            path=op.there,
        )
