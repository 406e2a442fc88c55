"""Refuse a plan that looks like an accident."""

from runner.model.errors import NotFound, Refused
from runner.model.limits import checks_of
from runner.model.operation import Operation, Outcome
from runner.model.tally import Check
from runner.model.task import All, Context, Ended, Task


class Guard(Task):
    """Hold the finished plan against the limits of the pair's guard, and write down what it found.

    What a person may accept is left to `accept`, which knows whether somebody has.
    """

    name = "guard"
    effect = "read"
    after = (All("match"), Ended("hash"))
    busy = "source"

    async def run(self, op: Operation, ctx: Context) -> Outcome:
        """DONE when nothing is wrong but numbers. Raises Refused with everything that nobody may accept."""
        tally, sentinel = ctx.tally(), ctx.pair.guard.source.sentinel
        if ctx.filled_by and tally.gaps:
            return Outcome()  # a plan cannot judge a source that is not there yet; the run itself does
        objections: list[str] = []
        if sentinel is not None:
            try:
                await ctx.source.stat(sentinel)
            except NotFound:
                objections.append(f"the sentinel {sentinel!r} is not in the source: is the disk mounted?")
        checks = list(checks_of(ctx.pair, tally, ctx.last))
        ctx.checked([*(Check("", "final", objection) for objection in objections), *checks])
        if objections:
            raise Refused(
                "; ".join([*objections, *(check.text for check in checks if check.level == "refused")]),
                place=ctx.pair.place,
                hint="no option accepts this: put it right, or change the pair's `guard`",
            )
        return Outcome()
