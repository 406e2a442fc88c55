"""Read a pair: list both sides, match them while they come, write down what they need."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

from runner.engine.early import Early
from runner.model.errors import AcdrunError
from runner.model.node import Folder
from runner.model.tally import Tally
from runner.model.task import Context
from runner.plan.decide import proof_of_change
from runner.plan.expand import Expansion
from runner.plan.match import match
from runner.remote.close import closing
from runner.remote.foreseen import Foreseen
from runner.state.journal import Draft, Journal
from runner.tasks.list import Listing

BATCH_ROWS = 1000


class Reading(dict[str, AcdrunError | str]):
    """How the three stages of a reading ended: title of the stage to what went wrong, "" for nothing.

    hold: why nothing of the pair may be trashed, "" when nothing speaks against it.
    """

    hold = ""


async def read_pair(
    ctx: Context, stages: Mapping[str, int], journal: Journal, early: Early | None = None
) -> Reading:
    """Fill the journal with the operations of one pair.

    stages: id by title ("list source", "upload", ...) of the pair's stages. early: hears of what it takes to begin
    before that is done; None where nothing may begin.
    The listing of a side with gaps did not succeed, which holds back what needs it whole.
    """
    timed = proof_of_change(ctx.pair.checksum.compare, ctx.source.can, ctx.destination.can) == "time"
    source, destination = Listing(ctx, "source", timed=timed), Listing(ctx, "destination", timed=timed)
    expansion: Expansion = (ctx.expansion or Expansion)(ctx, dict(stages), journal)
    pairs = _Pairs(source, destination, expansion, journal, early)
    ended = Reading({"list source": "", "list destination": "", "match": ""})
    try:
        async with (
            closing(source.folders_in_order()) as here,
            closing(destination.folders_in_order()) as there,
            pairs.paced(),
        ):
            async for ours, theirs in match(here, there, folded=ctx.destination.can.folds):
                pairs.feed(ours, theirs)
                if len(expansion.draft) >= BATCH_ROWS:
                    await pairs.write()
        expansion.end()
    except AcdrunError as error:
        ended["match"] = error
        failed = [listing for listing in (source, destination) if listing.failed]
        for listing in failed or (source, destination):
            ended[f"list {listing.side}"] = error
    await pairs.write()
    coming = ctx.source.coming if isinstance(ctx.source, Foreseen) else None
    if coming is not None:
        await asyncio.to_thread(coming.bind)
    if expansion.blocked:
        entries = "1 entry is" if expansion.blocked == 1 else f"{expansion.blocked:,} entries are"
        ended.hold = f"held back: {entries} blocked"
    for listing in (source, destination):
        listing.tell()
        title = f"list {listing.side}"
        unknown = listing.gaps
        if unknown and not ended[title]:
            ended[title] = f"{unknown} part{'s' * (unknown != 1)} of it could not be listed"
        counts = [("listed", *listing.total), ("folders", listing.folders, 0)]
        if coming is not None and coming.number and listing is source:
            counts += [("foreseen", coming.number, 0), ("untimed", coming.untimed, 0)]
        counts += [("excluded", listing.excluded, 0), ("links", listing.links, 0), ("gaps", unknown, 0)]
        await asyncio.to_thread(journal.count, stages[title], counts)
    counts = [(what, *amount) for what, amount in expansion.counts.items()]
    await asyncio.to_thread(journal.count, stages["match"], counts)
    return ended


@dataclass(slots=True)
class _Pairs:
    """The rows of a pair on their way into the journal.

    shown: folders of the destination that were matched. order: batches are written in the order they came in.
    """

    source: Listing
    destination: Listing
    expansion: Expansion
    journal: Journal
    early: Early | None
    shown: int = 0
    order: asyncio.Lock = field(default_factory=asyncio.Lock)

    def feed(self, ours: Folder | None, theirs: Folder | None) -> None:
        """Plan what a folder needs."""
        self.expansion.feed(ours, theirs)
        self.shown += theirs is not None

    async def write(self) -> None:
        """Write down what was planned, and begin with it where nothing speaks against that."""
        async with self.order:
            draft, self.expansion.draft = self.expansion.draft, Draft()
            if not draft.paths and not len(draft):
                return
            if self.early is None:
                await asyncio.to_thread(self.journal.add, draft)
                return
            await self.early.write(draft)
        if self._one_sided:
            gaps = self.source.gaps + self.destination.gaps
            if await self.early.may_begin(Tally(self.source.total, self.destination.total, gaps=gaps)):
                async with self.order:
                    await self.early.begin()

    @contextlib.asynccontextmanager
    async def paced(self) -> AsyncIterator[None]:
        """While others may work on what is planned, it is written however long the next folder takes."""
        pacing = asyncio.create_task(self._pace())
        try:
            yield
        finally:
            async with self.order:  # what it writes is written before anything that comes later
                pacing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await pacing

    async def _pace(self) -> None:
        while self.early is not None and self.early.possible:
            await asyncio.sleep(self.early.wait_s)
            if self._one_sided:
                await self.write()

    @property
    def _one_sided(self) -> bool:
        """Is the destination listed to its end, and all of it planned for?"""
        return self.destination.over and self.shown == self.destination.folders
