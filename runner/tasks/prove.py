"""Prove that the destination holds what the source holds."""

import time

from runner.model.checksum import Checksum
from runner.model.errors import Changed, Damaged, NotFound, Unreadable
from runner.model.exits import Exit
from runner.model.finding import Answer, Facts, judge
from runner.model.node import Node
from runner.model.operation import Operation, Outcome, State
from runner.model.path import name
from runner.model.proving import Proving
from runner.model.task import All, Context, Task


class Prove(Task):
    """Digest what no listing has told, and say what it means where the two differ. Nothing is written.

    The source is read once: the hash cache remembers it. The destination's bytes are read back where its
    listing carries no digest, or where that was asked for.
    """

    name = "prove"
    effect = "read"
    after = (All("match"),)

    async def run(self, op: Operation, ctx: Context) -> Outcome:
        """DONE with the proof; FAILED with a finding as its kind. Raises what reading raises."""
        read = not op.digest or bool(ctx.proving and ctx.proving.read)
        try:
            ours = await self._ours(op, ctx)
            theirs = await self._theirs(op, ctx, read=read)
            there = await ctx.destination.stat(op.there) if ours != theirs or _belied(op, theirs) else None
            if there is None:
                return Outcome(proof="read back" if read else ctx.algorithm)
            here = await ctx.source.stat(op.path)
        except NotFound as error:
            raise Unreadable("vanished while it was verified", path=op.path) from error
        except Damaged as error:
            return _outcome("damaged", error.message)
        if (here.generation, there.generation) != (op.source, op.destination):
            raise Changed("changed while it was verified", path=op.path)
        known = self._recorded(op, theirs, ctx)
        facts = facts_of(here._replace(name=name(op.there)), there, ctx, read=True)._replace(
            content="same" if ours == theirs else "differs", stored=known
        )
        found = judge(facts)
        if found.word == "proven":
            return Outcome(proof="read back")
        return _outcome(found.word, found.reason, found.exit)

    async def _ours(self, op: Operation, ctx: Context) -> Checksum:
        if op.ours:
            return Checksum.parse(op.ours)
        if op.source and (cached := ctx.hashes.known(ctx.source.place, [op.source], ctx.algorithm)):
            return cached[op.source]
        began = time.time_ns()
        checksum = await ctx.source.checksum(op.path, ctx.algorithm, expect=op.source or None)
        if op.source:
            ctx.hashes.learn(ctx.source.place, op.source, checksum, op.mtime_ns, began)
        return checksum

    async def _theirs(self, op: Operation, ctx: Context, *, read: bool) -> Checksum:
        if not read:
            return Checksum.parse(op.digest)
        return await ctx.destination.checksum(op.there, ctx.algorithm, expect=op.destination or None)

    def _recorded(self, op: Operation, theirs: Checksum, ctx: Context) -> Answer:
        """The bytes there against what the listing says of them, or what was once read of this generation."""
        if op.digest:
            if _belied(op, theirs):
                return "differs"
            return "unknown"  # a service that digests whatever it holds does not tell who put it there
        generation = op.destination or ""
        known = ctx.hashes.known(ctx.destination.place, [generation], ctx.algorithm).get(generation)
        return "unknown" if known is None else "same" if known == theirs else "differs"


def facts_of(source: Node | None, destination: Node | None, ctx: Context, *, read: bool) -> Facts:
    """What a finding needs to know of two nodes. read: their contents are compared by whoever asks."""
    proving = ctx.proving or Proving()
    kinds = source and source.kind, destination and destination.kind
    since = source is not None and proving.is_since(source)
    if source is None or destination is None or kinds != ("file", "file"):
        return Facts(ctx.pair.mode, *kinds, since=since)
    ours, theirs = source.checksum, destination.checksum
    content: Answer = "unknown"
    if source.size != destination.size:
        content = "differs"
    elif ours and theirs and ours.algorithm == theirs.algorithm and not read:
        content = "same" if ours == theirs else "differs"
    return Facts(
        ctx.pair.mode,
        "file",
        "file",
        "same" if source.size == destination.size else "differs",
        _same_time(source, destination, ctx),
        content,
        since=since,
        named=source.name == destination.name,
    )


def _same_time(source: Node, destination: Node, ctx: Context) -> Answer:
    steps = ctx.source.can.mtime_ns, ctx.destination.can.mtime_ns
    if None in steps or source.mtime_ns is None or destination.mtime_ns is None:
        return "unknown"
    step_ns = max(step for step in steps if step is not None)
    return "same" if abs(source.mtime_ns - destination.mtime_ns) < max(step_ns, 1) else "differs"


def _belied(op: Operation, theirs: Checksum) -> bool:
    return bool(op.digest) and Checksum.parse(op.digest) != theirs


def _outcome(kind: str, note: str, code: Exit = Exit.DAMAGED) -> Outcome:
    return Outcome(State.FAILED, note=note, kind=kind, exit=int(code))
