"""Send a file."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from runner.model.backend import Copy, Copying
from runner.model.checksum import Checksum
from runner.model.content import Content
from runner.model.errors import AcdrunError, Damaged, Exists, NotFound, Stale
from runner.model.events import Moved
from runner.model.node import Node, same_content
from runner.model.operation import Operation, Outcome, State
from runner.model.path import name
from runner.model.task import All, Context, Each, Ended, Parent, Task
from runner.remote import several


class Upload(Task):
    """Send a file that is new or changed, digest it on the way, and have the digest confirmed.

    An overwrite keeps the old content recoverable (promise I1). "Destination" is wherever that is: to a
    local disk the same task downloads.
    """

    name = "upload"
    effect = "write"
    busy = "both"  # what comes from a service waits for that, however few the disk would like
    after = (All("guard"), All("accept"), Each("hash"), Parent("mkdir"), Ended("move"))

    async def together(
        self, ops: Sequence[Operation], ctx: Context, wanted: Callable[[], bool]
    ) -> Sequence[Outcome | None] | None:
        """New files that the destination takes from the source by itself, and small ones that go together."""
        can = ctx.source.can
        timed = can.mtime_ns is not None and can.lists_times
        fresh = [
            at for at, op in enumerate(ops)
            if op.source and op.destination is None and not op.tries and not (timed and op.mtime_ns is None)
        ]  # fmt: skip
        copies = ctx.destination.takes_from(ctx.source)
        if not fresh or not (copies or several.carries(ctx.source, ctx.destination)):
            return None
        outcomes: list[Outcome | None] = [None] * len(ops)
        verify, began = ctx.pair.checksum.verify, time.time_ns()
        how = Copying(ctx.algorithm, verify == "server", ctx.pair.durability, _told(ctx), wanted)
        batch = [_copy(ops[at]) for at in fresh]
        if copies:
            done = await ctx.destination.copy_from(ctx.source, batch, how)
        else:
            done = await several.carry(ctx.source, ctx.destination, batch, how)
        place, learn, proof = ctx.source.place, ctx.hashes.learn, ctx.algorithm if how.proven else "size"
        for at, copied in zip(fresh, done, strict=True):
            if copied is not None:
                op, (node, checksum, proven, note), digest = ops[at], copied, ""
                if checksum is not None:
                    learn(place, op.source or "", checksum, op.mtime_ns, began)
                    digest = str(checksum)
                outcomes[at] = Outcome(State.DONE, proven or proof, "", note, "", 0, node.generation, digest)
        return outcomes

    async def run(self, op: Operation, ctx: Context) -> Outcome:
        """DONE with the proof of the bytes that now stand at the path.

        When the destination is not what was planned against, it is looked at before anything is said:
        content equal to ours was stored by an earlier try (or by a friend) and is adopted. Otherwise
        Exists or Stale goes up, and nothing was changed.
        """
        node = Node(name(op.path), "file", op.size, op.mtime_ns, generation=op.source or "")
        known = Checksum.parse(op.ours) if op.ours else None
        content = ctx.source.content(
            op.path,
            node,
            ctx.algorithm,
            progress=_told(ctx),
            expect=known,
            proven=ctx.pair.checksum.verify == "server",
            alone=ctx.pair.durability == "file",
        )
        began = time.time_ns()
        try:
            stored = await self._store(op, content, ctx)
        except (Exists, Stale):
            if (found := await self._already_there(op, ctx)) is not None:
                return found
            raise
        ctx.hashes.learn(ctx.source.place, node.generation, content.checksum, op.mtime_ns, began)
        try:
            proof = await self._proof(op, stored, content.checksum, ctx)
        except Damaged:
            with suppress(AcdrunError):  # the damage is what is told
                await ctx.destination.withdraw(op.there, stored)
            raise
        digest = str(content.checksum)
        return Outcome(proof=proof, ref=stored.replaced, stored=stored.generation, digest=digest)

    async def _store(self, op: Operation, content: Content, ctx: Context) -> Node:
        """What an earlier try of ours has put back is what it was, under a new stamp.

        When it could not be put back nothing is there: it is in the trash, as what is replaced always is.
        """
        try:
            return await ctx.destination.put(op.there, content, expect=op.destination)
        except Stale:
            if not op.again:
                raise
            there = await _found(op.there, ctx)
            if there is not None and not same_content(op.destination or "", there.generation):
                raise
            expect = there.generation if there is not None else None
            return await ctx.destination.put(op.there, content, expect=expect)

    async def _already_there(self, op: Operation, ctx: Context) -> Outcome | None:
        there = await _found(op.there, ctx)
        if there is None or there.kind != "file" or there.size != op.size:
            return None
        ours = await ctx.source.checksum(op.path, ctx.algorithm, expect=op.source)
        same = ours == await _checksum(op.there, there, ctx)
        if not same and op.again:
            raise Damaged("what an earlier try stored is not what was sent", path=op.there)
        if not same:
            return None
        note, digest = "found complete", str(ours)
        return Outcome(proof=ctx.algorithm, note=note, stored=there.generation, digest=digest)

    async def _proof(self, op: Operation, stored: Node, sent: Checksum, ctx: Context) -> str:
        """A destination without digests of its own is read back: nothing less proves the bytes."""
        verify = ctx.pair.checksum.verify
        if verify == "none" or (verify == "readback" and stored.checksum is None):
            return "size"  # as far as this task goes: reading back is the next one's work
        if await _checksum(op.there, stored, ctx) != sent:
            raise Damaged("what is stored is not what was sent", path=op.there)
        return ctx.algorithm


async def _found(path: str, ctx: Context) -> Node | None:
    try:
        return await ctx.destination.stat(path)
    except NotFound:
        return None


async def _checksum(path: str, node: Node, ctx: Context) -> Checksum:
    if node.checksum is not None and node.checksum.algorithm == ctx.algorithm:
        return node.checksum
    return await ctx.destination.checksum(path, ctx.algorithm, expect=node.generation or None)


def _copy(op: Operation) -> Copy:
    known = Checksum.parse(op.ours) if op.ours else None
    return Copy(op.path, op.source or "", op.size, op.mtime_ns, op.there, known)


def _told(ctx: Context) -> Callable[[int], None]:
    return lambda size: ctx.tell(Moved(size))
