"""Recognise files that only changed their place in the source."""

import asyncio
import time
from collections.abc import Sequence

from runner.model.checksum import Checksum
from runner.model.errors import AcdrunError
from runner.model.events import Finished, StageStarted
from runner.model.operation import Operation, Outcome
from runner.model.task import All, Context, Ended, Task
from runner.remote.remote import Remote
from runner.state.renames import Candidate, Found, Side


class Rename(Task):
    """Turn an upload and a trashing of one content into a move at the destination.

    It works on the whole pair at once. A digest is taken from the listing or the hash cache, else the file is
    read: at the source, where an upload would read it too; at the destination, where that costs no transfer.
    What cannot be told to be equal stays an upload and a trashing.
    """

    name = "rename"
    effect = "read"
    after = (All("match"), Ended("hash"))
    modes = ("mirror",)
    busy = "source"

    async def run(self, op: Operation, ctx: Context) -> Outcome:
        """DONE when every rename that can be told is a move in the plan."""
        if ctx.pair.renames == "ignore" or not ctx.destination.can.moves:
            return Outcome()
        possible = await asyncio.to_thread(ctx.renames.begin)
        if possible.number:
            ctx.tell(StageStarted(ctx.pair.name, self.name, *possible))
            await self._learn("lost", ctx.destination, ctx)
            await self._learn("fresh", ctx.source, ctx)
            await asyncio.to_thread(ctx.renames.pair, "renamed in the source")
        return Outcome()

    async def _learn(self, side: Side, remote: Remote, ctx: Context) -> None:
        last: Candidate | None = None
        while some := await asyncio.to_thread(ctx.renames.candidates, side, last):
            last = some[-1]
            await asyncio.to_thread(ctx.renames.learn, side, await self._found(side, some, remote, ctx))
            ctx.tell(Finished(ctx.pair.name, self.name, len(some), sum(one.size for one in some)))

    async def _found(
        self, side: Side, some: Sequence[Candidate], remote: Remote, ctx: Context
    ) -> list[Found]:
        found = [Found(one, Checksum.parse(one.digest)) for one in some if one.digest]
        rest = [one for one in some if not one.digest]
        for known, proven in ((ctx.hashes.known, True), (ctx.hashes.kin, False)):
            if rest and (proven or side == "fresh"):
                cached = known(remote.place, [one.generation for one in rest], ctx.algorithm)
                found += (
                    Found(one, cached[one.generation], proven) for one in rest if one.generation in cached
                )
                rest = [one for one in rest if one.generation not in cached]
        if side == "fresh":
            rest = list(await asyncio.to_thread(ctx.renames.readable, rest)) if rest else rest
        elif not remote.can.near:
            rest = []
        if rest:
            found += await self._read(rest, remote, ctx)
            ctx.hashes.flush()
        return found

    async def _read(self, some: Sequence[Candidate], remote: Remote, ctx: Context) -> list[Found]:
        door = asyncio.Semaphore(remote.can.concurrency)

        async def one(candidate: Candidate) -> Found | None:
            async with door:
                began = time.time_ns()
                try:
                    checksum = await remote.checksum(
                        candidate.path, ctx.algorithm, expect=candidate.generation or None
                    )
                except AcdrunError:
                    return None  # whoever sends or trashes it meets the same error, and tells of it
            if candidate.generation:
                ctx.hashes.learn(remote.place, candidate.generation, checksum, candidate.mtime_ns, began)
            return Found(candidate, checksum)

        async with asyncio.TaskGroup() as group:
            reading = [group.create_task(one(candidate)) for candidate in some]
        return [found for task in reading if (found := task.result()) is not None]
