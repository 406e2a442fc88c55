"""Read a file to find out whether it changed."""

import time

from runner.model.checksum import Checksum
from runner.model.operation import Operation, Outcome, State
from runner.model.task import All, Context, Task
from runner.remote.remote import Remote


class Hash(Task):
    """Digest the sides whose listing does not carry a checksum; equal ones need no upload."""

    name = "hash"
    effect = "read"
    after = (All("match"),)
    busy = "source"

    async def run(self, op: Operation, ctx: Context) -> Outcome:
        """SAME when both sides hold the same bytes, which cancels the upload at this path; else DONE."""
        ours = await self._checksum(op.path, op.source, op.mtime_ns, ctx.source, ctx)
        if op.digest:
            theirs = Checksum.parse(op.digest)
        else:
            theirs = await self._checksum(op.path, op.destination, op.mtime_ns, ctx.destination, ctx)
        return Outcome(State.SAME if ours == theirs else State.DONE, proof=ctx.algorithm)

    async def _checksum(
        self, path: str, generation: str | None, mtime_ns: int | None, remote: Remote, ctx: Context
    ) -> Checksum:
        began = time.time_ns()
        checksum = await remote.checksum(path, ctx.algorithm, expect=generation)
        if generation:
            ctx.hashes.learn(remote.place, generation, checksum, mtime_ns, began)
        return checksum
