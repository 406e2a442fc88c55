"""Run the stage graph: open stages are worked on, ended ones open or hold the next."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Mapping
from dataclasses import dataclass

from runner.engine.acceptance import Door
from runner.engine.ahead import Ahead
from runner.engine.drain import Drain, Pulse
from runner.engine.early import BEGINS, Early
from runner.engine.interrupt import Stop
from runner.engine.reading import read_pair
from runner.engine.recalling import Past, recall_pair
from runner.model.errors import AcdrunError
from runner.model.events import Grown, Listener, StageEnded, StageStarted
from runner.model.operation import Operation
from runner.model.stage import Stage
from runner.model.task import Context
from runner.remote import retry
from runner.state.account import Account
from runner.state.journal import Journal
from runner.state.queue import Queue
from runner.tasks import task

MOST_STAGES = 8
"""Stages worked on at the same time. They are begun in topological order, so none that another one feeds
on is ever left waiting for a place."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """How the commands of a job are run: (job, "before" or "after") to their end."""

    run: Callable[[str, str], Awaitable[None]]


class Scheduler:
    """Drains a journal. Planning and running are the same, but that a plan begins no stage that writes.

    transfers: how many files go over at once; None leaves it to the destination's advice.
    accepted: fingerprints of plans that are carried out though a guard refuses them.
    past: of an undo, what it takes back, by pair.
    """

    def __init__(
        self,
        journal: Journal,
        contexts: Mapping[str, Context],
        hooks: Hooks,
        stop: Stop,
        tell: Listener,
        *,
        planning: bool,
        transfers: int | None = None,
        accepted: Collection[str] = (),
        past: Mapping[str, Past] | None = None,
    ) -> None:
        self._journal, self._queue, self._account = journal, Queue(journal), Account(journal)
        self._contexts, self._hooks, self._stop, self._tell = contexts, hooks, stop, tell
        self._planning, self._transfers, self._past = planning, transfers, past or {}
        self._stages = {stage.id: stage for stage in journal.stages()}
        self._door = Door(journal, accepted)
        bindings = journal.bindings()
        self._ahead = Ahead(self._stages, bindings, contexts, self._queue, self._door)
        self._feeders: dict[int, set[int]] = {}
        for binding in bindings:
            if binding.before != binding.after:
                self._feeders.setdefault(binding.after, set()).add(binding.before)
        clock = asyncio.get_running_loop().time
        self._retries = {name: retry.Retry(ctx.pair.retry, clock=clock) for name, ctx in contexts.items()}
        self._pulse = Pulse()
        self._going: dict[int, asyncio.Task[None]] = {}
        self._drains: dict[int, Drain] = {}
        self._news = asyncio.Event()
        self._states: dict[int, str] = {}

    async def run(self) -> None:
        """Work until no stage can be begun. Raises only what is a fault of the program itself."""
        self._queue.reopen()
        late, news = asyncio.create_task(self._stop.late.wait()), asyncio.create_task(self._news.wait())
        try:
            while self._begin():
                await asyncio.wait({*self._going.values(), late, news}, return_when=asyncio.FIRST_COMPLETED)
                if late.done():
                    return
                if news.done():
                    self._news.clear()
                    news = asyncio.create_task(self._news.wait())
                for id_, work in list(self._going.items()):
                    if work.done():
                        del self._going[id_]
                        work.result()
        finally:
            late.cancel()
            news.cancel()
            for work in self._going.values():
                work.cancel()
            await asyncio.gather(late, news, *self._going.values(), return_exceptions=True)

    def _begin(self) -> bool:
        """Start what may start; False when nothing goes on and nothing can."""
        self._states = {id_: standing.state for id_, standing in self._queue.standings().items()}
        for id_, state in self._states.items():
            stage = self._stages[id_]
            begins = state == "open" and id_ not in self._going and stage.task != "list"
            if not begins or (self._planning and stage.effect == "write") or self._too_early(stage):
                continue
            if self._stop.code is not None or len(self._going) >= MOST_STAGES:
                break
            self._going[id_] = asyncio.create_task(self._work(stage))
        return bool(self._going)

    def _fed(self, id_: int) -> bool:
        """May a stage get more to do from another one that has not ended?"""
        return any(self._states[feeder] in ("waiting", "open") for feeder in self._feeders.get(id_, ()))

    def _too_early(self, stage: Stage) -> bool:
        """Of those that are ahead: is there nothing to begin with yet?"""
        if stage.id not in self._ahead or stage.id in self._ahead.lost or not self._fed(stage.id):
            return False
        return self._ahead.shut(stage.pair) or not self._account.planned(stage.id).number

    async def _work(self, stage: Stage) -> None:
        amount = self._account.planned(stage.id)
        self._tell(StageStarted(stage.pair, stage.task, amount.number, amount.size))
        if stage.task == "match":
            await self._until_stopped(self._read(stage))
        elif stage.task == "recall":
            await self._recall(stage)
        elif stage.task in ("guard", "hook", "accept"):
            await self._once(stage)
        elif stage.task == "rename":
            await self._until_stopped(self._once(stage))
        else:
            await self._drain(stage)

    async def _read(self, stage: Stage) -> None:
        ids = {s.title: s.id for s in self._stages.values() if s.pair == stage.pair}
        ctx, early = self._contexts[stage.pair], None
        if not self._planning and ctx.expansion is None and all(name in ids for name in ("guard", *BEGINS)):
            early = Early(ctx, ids, self._journal, self._queue, self._heard)
            self._ahead.watch(early)
        with retry.following(self._retries[stage.pair]):
            ended = await read_pair(ctx, ids, self._journal, early)
        # What is blocked was not sent, and nothing is trashed before all is (promise I6).
        if ended.hold and "trash" in ids:
            self._queue.hold(ids["trash"], ended.hold)
        if early is not None and early.begun:
            self._hold_what_came_late(ids.values())
        for title, problem in ended.items():
            if isinstance(problem, AcdrunError):
                self._settle(ids[title], failure=problem)
            else:
                self._settle(ids[title], note=problem)

    def _hold_what_came_late(self, stages: Iterable[int]) -> None:
        """What was planned for a stage that is over already, because nothing more can succeed there."""
        standings = self._queue.standings()
        for id_ in stages:
            if (standing := standings[id_]).state in ("failed", "held") and standing.effect == "write":
                self._queue.hold(id_, standing.why)

    async def _heard(self, early: Early) -> None:
        """A pair may begin, or has begun and has more to do, or has to stop."""
        drains = {id_: drain for id_, drain in self._drains.items() if id_ in early.stages}
        if early.shut:
            for drain in drains.values():
                await drain.pause()
        for name, amount in early.totals().items() if early.begun else ():
            self._tell(Grown(early.pair, name, *amount))
        self._ahead.open()
        self._pulse.beat()
        if early.begun and len(drains) < len(early.stages):
            self._news.set()

    async def _recall(self, stage: Stage) -> None:
        ids = {s.task: s.id for s in self._stages.values() if s.pair == stage.pair}
        try:
            with retry.following(self._retries[stage.pair]):
                await recall_pair(self._contexts[stage.pair], ids, self._journal, self._past[stage.pair])
        except AcdrunError as error:
            self._settle(stage.id, failure=error)
        else:
            self._settle(stage.id)

    async def _once(self, stage: Stage) -> None:
        """A stage that is one piece of work, and no set of operations."""
        try:
            if stage.task in ("guard", "rename"):
                with retry.following(self._retries[stage.pair]):
                    await task(stage.task).run(Operation(0, ""), self._contexts[stage.pair])
            elif stage.task == "hook":
                await asyncio.to_thread(self._journal.confirm)
                await self._hooks.run(stage.job, stage.side)
            else:
                await asyncio.to_thread(self._door.open, stage)
        except AcdrunError as error:
            self._settle(stage.id, failure=error)
        else:
            self._settle(stage.id)

    async def _until_stopped(self, work: Coroutine[None, None, None]) -> None:
        """Work that may read for hours and changes nothing: a stop ends it at once, and its stage stays open."""
        going = asyncio.create_task(work)
        try:
            await self._stop.pause(_ended(going))
        finally:
            if not going.done():
                going.cancel()
            await asyncio.gather(going, return_exceptions=True)
        if not going.cancelled():
            going.result()

    async def _drain(self, stage: Stage) -> None:
        work, ctx = task(stage.task), self._contexts[stage.pair]
        drain = Drain(
            stage, work, ctx, self._queue, self._retries[stage.pair], self._stop, self._pulse, self._tell,
            lambda: self._fed(stage.id),
        )  # fmt: skip
        if why := self._ahead.lost.get(stage.id):
            drain.give_up(why)
        sides = [
            side
            for name, side in (("source", ctx.source), ("destination", ctx.destination))
            if work.busy in (name, "both")
        ]
        ahead, number = stage.id in self._ahead, self._account.planned(stage.id).number
        if number and drain.hopeless is None:
            limits = [most for most in (ctx.source.most, ctx.destination.most) if most is not None]
            limits += [] if ahead else [number]
            told = self._transfers if stage.task == "upload" else None
            self._drains[stage.id] = drain
            await drain.run(lambda: min([told or max(side.most_at_once for side in sides), *limits]))
            del self._drains[stage.id]
        if drain.hopeless is not None:
            self._queue.hold(stage.id, f"held back: {drain.hopeless.message}")
        elif self._stop.code is not None and (self._account.planned(stage.id).number or self._fed(stage.id)):
            return  # stopped early: the stage stays open for the next time
        self._settle(stage.id)

    def _settle(self, id_: int, *, failure: AcdrunError | None = None, note: str = "") -> None:
        for ended, state in self._queue.settle(id_, failure=failure, note=note):
            self._states[ended] = state
            stage = self._stages[ended]
            why = str(failure or note) if ended == id_ else ""
            hint = failure.hint if failure and ended == id_ else ""
            self._tell(StageEnded(stage.pair, stage.title, state, why, hint))
            if state != "done":
                self._call_back(stage)
        self._ahead.open()
        self._pulse.beat()

    def _call_back(self, stage: Stage) -> None:
        why = self._queue.standings()[stage.id].why
        reason = why if why.startswith("held back") else f"{stage.title} did not succeed"
        for id_ in self._ahead.call_back(stage.id, reason):
            if drain := self._drains.get(id_):
                drain.give_up(self._ahead.lost[id_])
            self._news.set()


async def _ended(work: asyncio.Task[None]) -> None:
    await asyncio.wait([work])
