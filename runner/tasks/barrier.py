"""The last look before anything is removed."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from itertools import groupby

from runner.model.errors import NotFound, PlanStale, Refused
from runner.model.operation import Operation, Outcome, State
from runner.model.path import fold, name, parent, show
from runner.model.task import All, Context, Task
from runner.remote.close import closing
from runner.state.trashing import Doomed
from runner.tasks.standing import standing, together

MOST_DRIFT = 100
MOST_SHARE = 0.01
"""More changed files among those to be trashed mean that somebody else is at work there."""

_NAMED = 5


class Barrier(Task):
    """Stand between the writes of a pair and its trash (promise I6).

    It waits for everything that must have succeeded before something is removed, looks at both places again,
    and lists the folders again in which files are to be trashed: each must still be the generation that was
    planned for. One that is gone is fine. One that changed stays; and of a saved plan, which was shown to
    somebody as it is, nothing is trashed then. Folders need no such look: they go only when they are empty.
    Where the source is known by an index alone, its folders are listed as well: what is not in an index may yet be
    there, and its copy stays.
    """

    name = "barrier"
    effect = "write"  # it judges what was written
    after = (
        All("list"),
        All("guard"),
        All("accept"),
        All("respell"),
        All("mkdir"),
        All("move"),
        All("upload"),
        All("verify"),
    )

    async def run(self, op: Operation, ctx: Context) -> Outcome:
        """DONE when what is planned may be trashed. Raises Refused, PlanStale."""
        planned = ctx.trashing.left()
        if not planned and not ctx.trashing.left("retire"):
            return Outcome()
        if objections := await standing(ctx, "barrier"):
            raise together(objections, ctx.pair.place)
        before = ctx.trashing.given_up() if planned else 0
        drifted, named = await self._drift(ctx) if planned else (0, [])
        drifted += before
        if not drifted:
            return Outcome()
        number = f"{drifted:,} file{'s' * (drifted != 1)} to be trashed changed since"
        text = f"{number}: {', '.join(map(show, named))}{', ...' * (drifted > len(named))}"
        if ctx.trashing.exact:
            raise PlanStale(text, hint="nothing is trashed then; make a new plan: acdrun --plan")
        if drifted > MOST_DRIFT or drifted > planned * MOST_SHARE:
            raise Refused(text, hint="does somebody else write there? run it again, and it is listed anew")
        return Outcome(note=text)

    async def _drift(self, ctx: Context) -> tuple[int, list[str]]:
        """How many files changed, and the first of them; each is given up."""
        number, named = 0, list[str]()
        changed = Outcome(State.STALE, note="changed after it was listed", kind="stale", exit=3)
        async with closing(_changed(ctx)) as batches:
            async for batch in batches:
                number += len(batch)
                named += [one.path for one in batch[: _NAMED - len(named)]]
                await asyncio.to_thread(ctx.trashing.give_up, [one.op for one in batch], changed)
        return number, named


async def _changed(ctx: Context) -> AsyncIterator[list[Doomed]]:
    """The changed among the files to be trashed. Several folders are listed at a time, each once."""
    window: list[tuple[str, list[Doomed]]] = []
    async with closing(_folders(ctx)) as folders:
        async for folder in folders:
            window.append(folder)
            if len(window) >= ctx.destination.can.concurrency:
                yield await _look(ctx, window)
                window = []
    yield await _look(ctx, window)


async def _folders(ctx: Context) -> AsyncIterator[tuple[str, list[Doomed]]]:
    """Folders in path order, each with what is to be trashed in it."""
    path, files, last = "", list[Doomed](), 0
    while page := await asyncio.to_thread(ctx.trashing.files, last):
        last = page[-1].op
        for folder, some in groupby(page, key=lambda one: parent(one.path)):
            if folder != path and files:
                yield path, files
                files = []
            path = folder
            files += some
    if files:
        yield path, files


async def _look(ctx: Context, window: Sequence[tuple[str, list[Doomed]]]) -> list[Doomed]:
    looks = [asyncio.ensure_future(_look_into(ctx, *folder)) for folder in window]
    try:
        return [one for changed in await asyncio.gather(*looks) for one in changed]
    finally:
        for look in looks:
            look.cancel()
        await asyncio.gather(*looks, return_exceptions=True)


async def _look_into(ctx: Context, folder: str, files: list[Doomed]) -> list[Doomed]:
    wanted = {name(one.path): one for one in files}
    changed = []
    try:
        async with closing(ctx.destination.list(folder)) as pages:
            async for page in pages:
                for node in page:
                    one = wanted.get(node.name)
                    if one is not None and (node.kind != "file" or node.generation != one.generation):
                        changed.append(one)
    except NotFound:
        return []
    if ctx.source.index is not None:
        there = await _at_source(ctx, folder)
        kept = [one for this, one in wanted.items() if _key(ctx, this) in there and one not in changed]
        if kept:
            ctx.source.index.doubt()
        changed += kept
    return changed


async def _at_source(ctx: Context, folder: str) -> set[str]:
    names = set[str]()
    with suppress(NotFound):
        async with closing(ctx.source.list(folder)) as pages:
            async for page in pages:
                names.update(_key(ctx, node.name) for node in page)
    return names


def _key(ctx: Context, one: str) -> str:
    return fold(one) if ctx.destination.can.folds else one
