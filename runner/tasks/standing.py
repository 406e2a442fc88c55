"""What speaks against going on when one looks at the two places of a pair as they are now.

Looked at three times: when the plan is finished, when a saved one is about to be applied, and at the barrier
before anything is trashed. A few requests each time, however many files there are.
"""

from collections.abc import Sequence
from pathlib import PurePath
from typing import Literal

from runner.model.backend import Identity, Quota
from runner.model.clocks import REFUSE_S, differs
from runner.model.errors import AcdrunError, LoginNeeded, NoSpace, NotFound, Place, PlanStale, Refused
from runner.model.events import Note
from runner.model.exits import gravest
from runner.model.show import show_size
from runner.model.task import Context
from runner.remote.close import closing
from runner.remote.remote import Remote

Moment = Literal["plan", "apply", "barrier"]
Side = Literal["source", "destination"]

_FOR_DISKS = ("/mnt", "/media", "/Volumes")
_MISSING = "a missing source is never taken for an empty one; is the disk mounted, the path right?"


async def standing(ctx: Context, moment: Moment) -> list[AcdrunError]:
    """Everything that speaks against going on: Refused, NoSpace, PlanStale. What is seen is written down.

    Raises what keeps a place from being looked at: an unknown is never an absence.
    """
    found = [] if ctx.alone else await _source(ctx, moment)
    found += await _destination(ctx, moment)
    if moment == "apply":
        found += _clocks(ctx)
    if moment != "barrier" and ctx.pair.guard.destination.space == "refuse":
        found += await _room(ctx)
    return found


def together(errors: Sequence[AcdrunError], place: Place) -> AcdrunError:
    """Several objections as one: of the gravest kind, with all that was said, and the first hint for it."""
    worst = gravest(*(error.exit for error in errors))
    first = next(error for error in errors if error.exit is worst)
    return type(first)("; ".join(error.message for error in errors), place=place, hint=first.hint)


async def _source(ctx: Context, moment: Moment) -> list[AcdrunError]:
    guard, found = ctx.pair.guard.source, list[AcdrunError]()
    try:
        here = await ctx.source.identity()
        empty = moment != "plan" and not await _holds_any(ctx.source)  # a listing has just looked, for a plan
    except NotFound:
        return [Refused("the source does not exist", hint=_MISSING)]
    if empty and (number := ctx.tally().source.number):
        found.append(
            Refused(f"the source is empty now, and held {number:,} files when it was listed", hint=_MISSING)
        )
    found += _mounted(here, guard.require_mount)
    if guard.sentinel is not None:
        try:
            await ctx.source.stat(guard.sentinel)
        except NotFound:
            found.append(
                Refused(
                    f"the sentinel {guard.sentinel!r} is not in the source: is the disk mounted?",
                    hint="mount it, or put that file there once it is",
                )
            )
    return found + _same(ctx, "source", here.id, moment, strict=guard.identity == "same")


async def _destination(ctx: Context, moment: Moment) -> list[AcdrunError]:
    try:
        here = (await ctx.destination.identity()).id
    except NotFound:
        here = ""
    strict = ctx.pair.guard.destination.identity == "same"
    return _same(ctx, "destination", here, moment, strict=strict)


async def _holds_any(remote: Remote) -> bool:
    async with closing(remote.list()) as pages:
        async for page in pages:
            if page:
                return True
    return False


def _mounted(here: Identity, wanted: bool | Literal["auto"]) -> list[AcdrunError]:
    """Where disks are mounted, an empty folder is what is left of one that is not."""
    if not here.path or wanted is False:
        return []
    if wanted is True and here.path != here.mount:
        return [
            Refused(
                f"source.require_mount is true, but {here.path!r} is no mount point: is the disk mounted?",
                hint="it must be the mount point itself; for a folder below one, name a source.sentinel instead",
            )
        ]
    below = any(PurePath(here.path).is_relative_to(folder) for folder in _FOR_DISKS)
    if wanted == "auto" and below and here.mount == "/":
        return [
            Refused(
                f"nothing is mounted at {here.path!r} or above it: is the disk mounted?",
                hint="if it is a folder of the system's own disk: guard: { source: { require_mount: false } }",
            )
        ]
    return []


def _same(ctx: Context, side: Side, here: str, moment: Moment, *, strict: bool) -> list[AcdrunError]:
    """Is it still the place that it was? Within one run it must be; between runs the policy decides."""
    before = ctx.identities.seen(side)
    against: dict[Moment, str] = {
        "plan": "in the last good run", "apply": "when the plan was made", "barrier": "when the run began",
    }  # fmt: skip
    if moment == "plan" or (moment == "apply" and not before):
        before, moment = ctx.identities.last.get(side, ""), "plan"
    if not before or before == here:
        ctx.identities.saw(side, here)
        return []
    was = f"{before} then, {here} now" if here else f"{before} then, nothing now"
    text = f"the {side} is not the place that it was {against[moment]} ({was})"
    if moment == "barrier":
        return [
            Refused(text, hint="is the disk still mounted? run it again when both are what they should be")
        ]
    if strict and moment == "apply":
        return [PlanStale(text, hint="make a new plan: acdrun --plan")]
    if strict and side not in ctx.identities.accepted:
        text = f"{text}; if it is meant to be another one, say so once: --accept-new-{side}"
        return [Refused(text, hint="is the right disk mounted, the right account logged in?")]
    if side not in ctx.identities.accepted:
        ctx.tell(Note(f"{ctx.pair.name}: warning: {text}"))
    ctx.identities.saw(side, here)
    return []


def _clocks(ctx: Context) -> list[AcdrunError]:
    """Whether a plan has expired is a matter of clocks."""
    return [
        PlanStale(
            f"{differs(name, offset_s)}, so that nobody can tell whether the plan has expired",
            hint="set the clock of this machine; if it is right, run the manifest itself instead of a plan",
        )
        for name, offset_s in ctx.clocks.items()
        if abs(offset_s) > REFUSE_S
    ]


async def _room(ctx: Context) -> list[AcdrunError]:
    """What is replaced stays in the trash, so it makes no room. What other pairs are about to store in the same room
    counts too; the last of them to be looked at is told. A run that began early is held to what was free then, and
    stands alone: what it has stored since is a part of what it needs, and of what is not free any more.
    """
    tally, early = ctx.tally(), ctx.room.needed is not None
    needed = ctx.room.needed if ctx.room.needed is not None else tally.create.size + tally.replace.size
    if not needed:
        return []
    free, others = ctx.room.free, 0
    if not early:
        quota = await _quota(ctx)
        free = quota.free if quota else None
        room = (quota and quota.shared) or ctx.destination.name
        others = ctx.claims.claim(room, ctx.pair.name, needed)
    if free is None or needed + others <= free:
        return []
    has = "had" if early else "has"
    more = f", beside {show_size(others)} of other pairs" if others else ""
    stored = " when it was begun; what was stored until then is whole, and stays" if early else ""
    return [
        NoSpace(
            f"{show_size(needed)} are to be stored{more}, and the destination {has} room for {show_size(free)}{stored}",
            hint="make room there; if its figure is wrong: guard: { destination: { space: ignore } }",
        )
    ]


async def free_at(ctx: Context) -> int | None:
    """Bytes that the destination has room for; None where it cannot say: it will say so when it is full.

    Raises LoginNeeded.
    """
    quota = await _quota(ctx)
    return quota.free if quota else None


async def _quota(ctx: Context) -> Quota | None:
    try:
        return await ctx.destination.quota()
    except LoginNeeded:
        raise
    except AcdrunError:
        return None
