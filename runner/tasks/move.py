"""Rename a node at the destination."""

import time

from runner.model.errors import Damaged, Exists, NotFound, Stale, Unreadable
from runner.model.node import Node
from runner.model.operation import Operation, Outcome
from runner.model.path import name
from runner.model.task import All, Context, Each, Ended, Parent, Task


class Move(Task):
    """Rename on the server what only changed its name or its place.

    `ours` of the operation, where it has one, is the digest of the generation `source`: what has become
    another generation is read again, and moved only if it is still that content.
    """

    name = "move"
    effect = "write"
    after = (All("guard"), All("accept"), Each("hash"), Parent("mkdir"), Ended("respell"))

    async def run(self, op: Operation, ctx: Context) -> Outcome:
        """DONE when the node stands at its new path and is what was moved. A try whose answer was lost is looked
        up first.

        Raises Stale, Unreadable when the source is not what was planned for, Damaged when the new place is not.
        """
        if op.ours:
            await self._still_there(op, ctx)
        try:
            await ctx.destination.move(op.origin, op.there, expect=op.destination)
        except (NotFound, Stale, Exists) as error:
            # Where case does not count, the old path leads to the moved node, which is another generation.
            if not op.again:
                raise
            there = await ctx.destination.stat(op.there)
            if there.name == name(op.there) and await self._is(there, op, ctx, read=True):
                return Outcome(note="found complete", stored=there.generation)
            if not isinstance(error, NotFound):
                raise
            raise _damaged(op) from error
        there = await ctx.destination.stat(op.there)
        if not await self._is(there, op, ctx, read=False):
            raise _damaged(op)
        return Outcome(stored=there.generation)

    async def _still_there(self, op: Operation, ctx: Context) -> None:
        try:
            here = await ctx.source.stat(op.path)
        except NotFound as error:
            raise Unreadable("vanished after it was listed", path=op.path) from error
        if here.generation == op.source:
            return
        if here.kind == "file" and here.size == op.size:
            began = time.time_ns()
            checksum = await ctx.source.checksum(op.path, ctx.algorithm, expect=here.generation or None)
            ctx.hashes.learn(ctx.source.place, here.generation, checksum, here.mtime_ns, began)
            if str(checksum) == op.ours:
                return
        raise Stale("kept where it was: the source has other content at the new place", path=op.path)

    async def _is(self, there: Node, op: Operation, ctx: Context, *, read: bool) -> bool:
        """Is it the content that was to be moved? read: nothing else says so, so what carries no digest is read."""
        if (there.kind, there.size) != ("file", op.size):
            return False
        known, wanted = there.checksum, op.digest or op.ours
        if not wanted:
            return True
        if (known is None or known.algorithm != ctx.algorithm) and read:
            known = await ctx.destination.checksum(op.there, ctx.algorithm, expect=there.generation or None)
        return known is None or known.algorithm != ctx.algorithm or str(known) == wanted


def _damaged(op: Operation) -> Damaged:
    return Damaged("what stands at the new place is not what was moved there", path=op.there)
