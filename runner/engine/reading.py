"""Read a pair: list both sides, match them while they come, write down what they need."""

import asyncio
from collections.abc import Mapping

from runner.model.errors import AcdrunError
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


async def read_pair(ctx: Context, stages: Mapping[str, int], journal: Journal) -> Reading:
    """Fill the journal with the operations of one pair.

    stages: id by title ("list source", "upload", ...) of the pair's stages.
    The listing of a side with gaps did not succeed, which holds back what needs it whole.
    """
    timed = proof_of_change(ctx.pair.checksum.compare, ctx.source.can, ctx.destination.can) == "time"
    source, destination = Listing(ctx, "source", timed=timed), Listing(ctx, "destination", timed=timed)
    expansion: Expansion = (ctx.expansion or Expansion)(ctx, dict(stages), journal)
    ended = Reading({"list source": "", "list destination": "", "match": ""})
    try:
        async with (
            closing(source.folders_in_order()) as here,
            closing(destination.folders_in_order()) as there,
        ):
            async for ours, theirs in match(here, there, folded=ctx.destination.can.folds):
                expansion.feed(ours, theirs)
                if len(expansion.draft) >= BATCH_ROWS:
                    await _write(expansion, journal)
        expansion.end()
    except AcdrunError as error:
        ended["match"] = error
        failed = [listing for listing in (source, destination) if listing.failed]
        for listing in failed or (source, destination):
            ended[f"list {listing.side}"] = error
    await _write(expansion, journal)
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


async def _write(expansion: Expansion, journal: Journal) -> None:
    draft, expansion.draft = expansion.draft, Draft()
    if draft.paths or len(draft):
        await asyncio.to_thread(journal.add, draft)
