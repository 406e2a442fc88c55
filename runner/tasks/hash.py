"""Read a file to find out whether it changed."""

import time

from runner.model.checksum import Checksum
from runner.model.errors import Blocked
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
        """SAME when both sides hold the same bytes, which cancels the upload at this path; else DONE.

        Before a move it is the other way round: only the same bytes may be renamed. Raises Blocked.
        """
        where = op.origin or op.there
        ours = await self._checksum(op.path, op.source, op.ours, op.mtime_ns, ctx.source, ctx)
        theirs = await self._checksum(where, op.destination, op.digest, None, ctx.destination, ctx)
        if not op.origin:
            return Outcome(State.SAME if ours == theirs else State.DONE, proof=ctx.algorithm)
        if ours != theirs:
            raise Blocked("its name differs in case there, its content too")
        return Outcome(proof=ctx.algorithm)

    async def _checksum(
        self,
        path: str,
        generation: str | None,
        known: str,
        mtime_ns: int | None,
        remote: Remote,
        ctx: Context,
    ) -> Checksum:
        if known:
            return Checksum.parse(known)
        if generation and (cached := ctx.hashes.known(remote.place, [generation], ctx.algorithm)):
            return cached[generation]
        began = time.time_ns()
        told = await self._told(path, generation, remote, ctx.algorithm)
        if told is not None:
            return told
        checksum = await remote.checksum(path, ctx.algorithm, expect=generation)
        if generation:
            if not remote.can.near:
                mtime_ns = 0  # a service gives each state a generation of its own, however young it is
            elif mtime_ns is None:
                mtime_ns = (await remote.stat(path)).mtime_ns
            ctx.hashes.learn(remote.place, generation, checksum, mtime_ns, began)
        return checksum

    async def _told(
        self, path: str, generation: str | None, remote: Remote, algorithm: str
    ) -> Checksum | None:
        """What a service that lists checksums says of the one file whose checksum it did not list."""
        if algorithm not in remote.can.checksums:
            return None
        node = await remote.stat(path)
        told = node.checksum if node.generation == generation else None
        return told if told is not None and told.algorithm == algorithm else None
