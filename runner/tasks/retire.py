"""Take a file out of the source once its copy is proven: the second half of a move."""

from runner.model.checksum import Checksum
from runner.model.errors import Blocked, NotFound, Stale
from runner.model.operation import Operation, Outcome
from runner.model.task import All, Context, Task
from runner.remote.remote import Remote


class Retire(Task):
    """Move to the source's trash each file that the destination now holds; folders stay.

    It is the last phase (promise I2): nothing is retired unless both listings were whole and every write of
    the pair succeeded. An operation that names no generation of the destination belongs to a file that this
    run has sent and had confirmed, or has found equal by its checksum; any other is proven here first.
    """

    name = "retire"
    effect = "write"
    after = (All("match"), All("barrier"), All("trash"))
    modes = ("move",)
    busy = "source"

    async def run(self, op: Operation, ctx: Context) -> Outcome:
        """DONE when the file is gone from the source; `ref` says how to bring it back. Raises Blocked, Stale."""
        if op.destination is not None:
            await self._prove(op, ctx)
        try:
            return Outcome(ref=await ctx.source.trash(op.path, expect=op.source))
        except NotFound:
            return Outcome(note="was gone already")

    async def _prove(self, op: Operation, ctx: Context) -> None:
        there = await ctx.destination.stat(op.there)
        if there.kind != "file" or (not op.origin and there.generation != op.destination):
            raise Stale("kept: its copy was changed after it was listed", path=op.path)
        if op.ours and op.ours == op.digest:
            return
        ours = await self._checksum(op.path, op.source, op.ours, ctx.source, ctx)
        theirs = await self._checksum(op.there, there.generation, op.digest, ctx.destination, ctx)
        if ours != theirs:
            raise Blocked("kept: its copy has the same size and time, and other content", path=op.path)

    async def _checksum(
        self, path: str, generation: str | None, known: str, remote: Remote, ctx: Context
    ) -> Checksum:
        if known:
            return Checksum.parse(known)
        cached = ctx.hashes.known(remote.place, [generation or ""], ctx.algorithm)
        return cached.get(generation or "") or await remote.checksum(
            path, ctx.algorithm, expect=generation or None
        )
