"""Refuse a plan that looks like an accident."""

from runner.model.clocks import clock_checks
from runner.model.errors import Refused
from runner.model.limits import checks_of
from runner.model.operation import Operation, Outcome
from runner.model.tally import Check, Tally
from runner.model.task import All, Context, Ended, Task
from runner.tasks.standing import standing, together


class Guard(Task):
    """Hold the finished plan against the limits of the pair's guard, and write down what it found.

    What a person may accept is left to `accept`, which knows whether somebody has.
    """

    name = "guard"
    effect = "read"
    after = (All("match"), Ended("hash"), Ended("rename"), All("recall"), Ended("look"))
    busy = "source"

    async def run(self, op: Operation, ctx: Context) -> Outcome:
        """DONE when nothing is wrong but numbers. Raises Refused or NoSpace with all that nobody may accept."""
        tally = ctx.tally()
        if ctx.filled_by and tally.gaps:
            return Outcome()  # a plan cannot judge a source that is not there yet; the run itself does
        objections, checks = await standing(ctx, "plan"), numbers(ctx, tally)
        ctx.checked([*(Check("", "final", error.message) for error in objections), *checks])
        if objections:
            refused = [Refused(check.text) for check in checks if check.level == "refused"]
            raise together([*objections, *refused], ctx.pair.place)
        return Outcome()


def numbers(ctx: Context, tally: Tally) -> list[Check]:
    """Every limit held against the numbers of a plan."""
    return [*checks_of(ctx.pair, tally, ctx.last), *clock_checks(ctx.clocks, ctx.by_time)]
