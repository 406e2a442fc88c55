"""Begin to add while the source is still being read, where no guard can refuse the plan any more."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from runner.model.errors import AcdrunError
from runner.model.events import Event
from runner.model.tally import Amount, Room, Tally
from runner.model.task import Context
from runner.state.journal import Draft, Journal
from runner.state.queue import Queue
from runner.tasks.guard import numbers
from runner.tasks.standing import free_at, standing

BEGINS = ("mkdir", "upload")
"""The stages that may begin: what they add is wanted however the rest of the source looks."""

_ADDING = (*BEGINS, "verify", "retire")
WORTH_S = 1.0
"""A pair that is read in less is begun no earlier: two that share a processor gain nothing by turns."""

_WRITE_S = 0.25
"""Longest time that rows stay unwritten, while others could work on them."""


class Early:
    """One pair on its way to an early beginning.

    It is ready when three things hold. The destination is listed to its end, so what is counted there is final. Nothing
    but additions came of it: none of them can be overwritten, nothing is trashed, so nothing can turn out to be
    renamed. And its guard, asked with the numbers so far, refuses nothing: what else the source may show only adds to
    its files, and no limit minds more of them. The one that does, room, is held against each batch before it is
    written; the batch that is too much shuts the door again, and the guard refuses the finished plan.

    ready: nothing but the others of its wave speaks against it; begun: its stages work; shut: there is no room.
    stages: of the pair, id by title. told: hears that it is ready, that there is more to do, that it is shut.
    """

    def __init__(
        self,
        ctx: Context,
        stages: Mapping[str, int],
        journal: Journal,
        queue: Queue,
        told: "Callable[[Early], Awaitable[None]]",
    ) -> None:
        self.pair, self.stages = ctx.pair.name, [stages[name] for name in BEGINS]
        self.ready = self.begun = self.shut = False
        self._ctx, self._journal, self._queue, self._told = ctx, journal, queue, told
        self._adding = {stages[name] for name in _ADDING if name in stages}
        self._adds = True
        self._totals = {id_: Amount() for id_ in self.stages}
        self._looked = 0
        self._free: int | None = None
        self._clock = asyncio.get_running_loop().time
        self._worth = self._clock() + WORTH_S

    @property
    def possible(self) -> bool:
        """Has nothing been planned so far that has to wait for the whole plan?"""
        return self._adds

    @property
    def wait_s(self) -> float:
        """How long what is planned may wait for more, from now on."""
        return max(_WRITE_S, self._worth - self._clock())

    async def write(self, draft: Draft) -> None:
        """Write a batch of the plan down."""
        self._count(draft)
        if not self.ready:
            await asyncio.to_thread(self._journal.add, draft)
        else:
            await self._still_fits()
            await asyncio.to_thread(self._queue.feed, draft)
            await self._told(self)

    async def may_begin(self, tally: Tally) -> bool:
        """Ask the guard, now that the destination is listed to its end. tally: what both listings have shown so far.

        The places are looked at again only once there is twice as much, for that costs requests.
        """
        tally = tally._replace(create=self._sent())
        if self.ready or self._clock() < self._worth or not self._adds or not tally.source.number:
            return False
        if self._refused(tally) or tally.source.number < 2 * self._looked:
            return False
        self._looked = tally.source.number
        try:
            return await self._at_the_places(tally)
        except AcdrunError:
            return False  # who judges the finished plan meets it again

    async def begin(self) -> None:
        """From now on there is work to do as soon as it is planned, if the others of the wave allow it."""
        if not self.ready:
            self.ready = True
            await self._still_fits()
            await self._told(self)

    def _refused(self, tally: Tally) -> bool:
        return any(check.level == "refused" for check in numbers(self._ctx, tally))

    async def _at_the_places(self, tally: Tally) -> bool:
        """Does nothing speak against going on, nor is to be told first? What there is room for is remembered."""
        said: list[Event] = []
        asks = self._ctx.pair.guard.destination.space == "refuse"
        room = Room(tally.create.size, await free_at(self._ctx) if asks else None)
        ctx = replace(self._ctx, tally=lambda: tally, tell=said.append, room=room)
        if await standing(ctx, "plan") or said:
            return False
        self._free = room.free
        return True

    def _count(self, draft: Draft) -> None:
        self._adds &= all(op.stage in self._adding and op.destination is None for op in draft.ops)
        for id_, total in self._totals.items() if self._adds else ():
            sizes = [op.size for op in draft.ops if op.stage == id_]
            self._totals[id_] = total.plus(len(sizes), sum(sizes))

    def _sent(self) -> Amount:
        return self._totals[self.stages[BEGINS.index("upload")]]

    async def _still_fits(self) -> None:
        room = self._ctx.room
        room.needed, room.free = self._sent().size, self._free
        if not self.shut and room.free is not None and room.needed > room.free:
            self.shut = True
            await self._told(self)

    def totals(self) -> Mapping[str, Amount]:
        """What each of its stages has to do in all, as far as it is planned, by task."""
        return dict(zip(BEGINS, self._totals.values(), strict=True))
