"""Looking at the places of a run before a saved plan has any effect."""

from collections.abc import Collection, Mapping

from runner.model.operation import OPEN
from runner.model.task import Context
from runner.state.account import Account
from runner.state.journal import Journal
from runner.tasks.standing import standing, together


async def look_again(journal: Journal, contexts: Mapping[str, Context], filled: Collection[str]) -> None:
    """Look at the places of a saved plan as they are today.

    filled: pairs whose source is made by what runs before them, so that it cannot be judged yet.
    Raises Refused, NoSpace, PlanStale for the first pair that has work left and does not stand.
    """
    left: set[str] = set()
    for stage in Account(journal).stages():
        if stage.task not in ("list", "match") and any(stage.amounts.get(state) for state in OPEN):
            left.add(stage.pair)
    for name, ctx in contexts.items():
        if name in left and name not in filled and (objections := await standing(ctx, "apply")):
            raise together(objections, ctx.pair.place)
