"""Refuse a plan that looks like an accident."""

from runner.model.errors import NotFound, Refused
from runner.model.operation import Operation, Outcome
from runner.model.tally import Amount, Tally
from runner.model.task import All, Context, Ended, Task
from runner.model.units import show_size


class Guard(Task):
    """Hold the numbers of the finished plan against the limits of the pair's guard."""

    name = "guard"
    effect = "read"
    after = (All("match"), Ended("hash"))
    busy = "source"

    async def run(self, op: Operation, ctx: Context) -> Outcome:
        """DONE when nothing speaks against the plan. Raises Refused with everything that does."""
        tally, sentinel = ctx.tally(), ctx.pair.guard.source.sentinel
        if ctx.filled_by and tally.gaps:
            return Outcome()  # a plan cannot judge a source that is not there yet; the run itself does
        objections = objections_to(tally, ctx)
        if sentinel is not None:
            try:
                await ctx.source.stat(sentinel)
            except NotFound:
                objections.append(f"the sentinel {sentinel!r} is not in the source: is the disk mounted?")
        if objections:
            raise Refused(
                "; ".join(objections),
                place=ctx.pair.place,
                hint="if this is what you want, raise that limit in the pair's `guard`",
            )
        return Outcome()


def objections_to(tally: Tally, ctx: Context) -> list[str]:
    """What the limits of the pair's guard say against a plan with these numbers."""
    guard, said = ctx.pair.guard, []
    if tally.source.number < guard.source.min_files:
        said.append(
            f"source.min_files is {guard.source.min_files:,}, but only {tally.source.number:,} are there"
        )
    if not tally.source.number and tally.destination.number and guard.source.empty == "refuse":
        said.append(f"the source is empty, while the destination holds {_amount(tally.destination)}")
    if tally.trash.number > guard.trash.max_files:
        said.append(
            f"trash.max_files is {guard.trash.max_files:,}, but {_amount(tally.trash)} would be trashed"
        )
    for name, limit, part in (
        ("trash.max", guard.trash, tally.trash),
        ("overwrite.max", guard.overwrite, tally.replace),
    ):
        share = _share(part, tally.destination)
        if part.number > limit.always and share > limit.max:
            said.append(
                f"{name} is {limit.max:.4g}, but {_amount(part)} of {_amount(tally.destination)}"
                f" would be {'trashed' if part is tally.trash else 'overwritten'} ({share:.1%})"
            )
    return said


def _share(part: Amount, whole: Amount) -> float:
    by_count = part.number / whole.number if whole.number else 0.0
    by_size = part.size / whole.size if whole.size else 0.0
    return max(by_count, by_size)


def _amount(amount: Amount) -> str:
    return f"{amount.number:,} file{'s' * (amount.number != 1)} ({show_size(amount.size)})"
