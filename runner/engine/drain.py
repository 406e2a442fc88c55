"""Drain one stage: workers pull its operations from the journal until none is left."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from runner.engine.interrupt import Stop
from runner.model.errors import AcdrunError, Exists, Locked, LoginNeeded, NoSpace, Stale, Throttled, Unsynced
from runner.model.events import Finished, Listener, Problem
from runner.model.operation import Operation, Outcome, State
from runner.model.path import show
from runner.model.stage import Stage
from runner.model.task import Context, Task
from runner.remote import retry
from runner.state.queue import BATCH_BYTES, BATCH_OPS, Queue

_End = tuple[Operation, Outcome]

FLUSH_S = 0.5
"""Longest time that the end of an operation stays unwritten while others go on."""

LULL_S = 0.02
"""Shortest time between two looks for more to do, while there is nothing ready and others are still at work."""

_LOW = BATCH_OPS // 2
"""With fewer than this at hand, and fewer than there are workers, the next batch is taken while they go on."""

_BATCHES = 3
"""Workers to begin with, and full batches in hand at most, where they are worked on in one go: two that go on, and the
next. More would be taken long before their time, and be looked at anew after a crash. For what is left of one more
workers are hired."""

_HOPELESS = (LoginNeeded, Locked, NoSpace, Unsynced)
"""What stops a whole stage: the next operation would fail the same way, or could not be trusted."""


class Pulse:
    """Wakes everyone who waits for something to happen anywhere in the run."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def beat(self) -> None:
        """Something happened."""
        self._event.set()
        self._event = asyncio.Event()

    def coming(self) -> asyncio.Event:
        """The next beat. Who asks for it before looking around misses none."""
        return self._event


class Drain:
    """The workers of one stage, the operations they have taken, and the ends not yet written.

    fed: whether another stage that is still going may make more of our operations ready.
    """

    def __init__(
        self,
        stage: Stage,
        task: Task,
        ctx: Context,
        queue: Queue,
        retries: retry.Retry,
        stop: Stop,
        pulse: Pulse,
        tell: Listener,
        fed: Callable[[], bool],
    ) -> None:
        self._stage, self._task, self._ctx, self._queue = stage, task, ctx, queue
        self._retries, self._stop, self._pulse, self._tell, self._fed = retries, stop, pulse, tell, fed
        self._ready: deque[Operation] = deque()
        self._ended: list[_End] = []
        self._again: list[_End] = []
        self._running = self._batches = 0
        self._crew: dict[asyncio.Task[None], None] = {}  # a set that keeps its order
        self._over = asyncio.Event()
        self._fault: BaseException | None = None
        self._paused = self._waiting = self._more = self._done = False
        self._round = 0
        self._door = asyncio.Lock()
        self._flushed = 0.0
        self._last: AcdrunError | None = None
        self.hopeless: AcdrunError | None = None

    async def run(self, wanted: Callable[[], int]) -> None:
        """Work until nothing is left to take, or the run is stopped.

        wanted: how many workers there should be; asked whenever one has done something, for a place may take to more.
        """
        self._flushed = asyncio.get_running_loop().time()
        self._wanted = wanted
        self._hire(min(wanted(), _BATCHES))
        try:
            await self._over.wait()
        finally:
            crew = list(self._crew)
            for worker in crew:
                worker.cancel()
            await asyncio.gather(*crew, return_exceptions=True)
            await self._flush()
            await asyncio.to_thread(self._queue.put_back, [op.id for op in self._ready])
            self._pulse.beat()
        if self._fault is not None:
            raise self._fault

    async def pause(self) -> None:
        """Take nothing more, from now on; what was taken is ended."""
        async with self._door:
            self._paused = True

    def give_up(self, why: str) -> None:
        """What this stage has begun before has not come true: take nothing more, and leave the rest."""
        self.hopeless = AcdrunError(why)

    def _hire(self, most: int) -> None:
        while len(self._crew) < most:
            worker = asyncio.create_task(self._work())
            self._crew[worker] = None
            worker.add_done_callback(self._gone)

    def _gone(self, worker: asyncio.Task[None]) -> None:
        self._crew.pop(worker, None)
        if not worker.cancelled() and (fault := worker.exception()) is not None:
            self._fault = self._fault or fault  # of several that meet it the first tells
        if not self._crew or self._fault is not None:
            self._over.set()

    async def _work(self) -> None:
        with retry.following(self._retries):
            while (op := await self._next()) is not None:
                self._running += 1
                try:
                    await self._try(op)
                finally:
                    self._running -= 1
                if self._ready:
                    self._hire(self._wanted())
                loop_time = asyncio.get_running_loop().time()
                many = len(self._ended) >= BATCH_OPS and not self._more  # else it goes with the next take
                if many or loop_time - self._flushed > FLUSH_S:
                    await self._flush()

    async def _next(self) -> Operation | None:
        while not self._done:
            beat = self._pulse.coming()
            if not self._goes_on():
                self._pulse.beat()  # whoever waits for more work has to hear of it too
                return None
            if self._enough or (self._ready and self._door.locked()):
                return self._ready.popleft()
            if self._lull or self._laden:
                return None  # nor does each that ends look for more: the next will, or the last
            async with self._door:
                if self._enough or self._lull or self._laden or self._done:
                    continue
                fed = self._fed()  # asked before taking: what is made ready in between is then not missed
                taken = await self._flush(0 if self._paused and fed else BATCH_OPS)
                self._more = full = len(taken) == BATCH_OPS
                if not taken and not self._ready and not self._running and not fed:
                    if self._ended or self._again or await self._another_round():
                        continue  # one who has ended meanwhile may have made more ready
                    self._done = True
                    self._pulse.beat()
                    return None
                self._running += bool(taken)
                self._batches += full
            if not taken:
                if self._ready:
                    continue
                if self._waiting:
                    return None  # one waits for all; more are hired when there is something to do
                await self._heard(beat)
                continue
            await self._work_on(taken, full)
        return None

    @property
    def _enough(self) -> bool:
        """Is there something to do, and no need to look for more before that?"""
        return len(self._ready) > (min(_LOW, len(self._crew)) if self._more else 0)

    @property
    def _laden(self) -> bool:
        """Are as many batches being worked on as may be? Who ends one takes the next."""
        return self._batches >= self._most and not self._ready

    @property
    def _lull(self) -> bool:
        """Was there nothing to be taken a moment ago, and is somebody waiting for more, while others are at work?"""
        if self._ready or not self._waiting or not self._running:
            return False
        return asyncio.get_running_loop().time() - self._flushed < LULL_S

    @property
    def _most(self) -> int:
        return _BATCHES

    async def _heard(self, beat: asyncio.Event) -> None:
        self._waiting = True
        try:
            await beat.wait()
        finally:
            self._waiting = False

    async def _work_on(self, taken: Sequence[Operation], full: bool) -> None:
        if _long(taken):  # those who have left when there was nothing to do find more by now
            self._hire(min(self._wanted(), self._most))
        try:
            await self._together(taken)
        finally:
            self._running -= 1
            self._batches -= full
        if self._ready:
            self._hire(self._wanted())

    async def _together(self, taken: Sequence[Operation]) -> None:
        """Work on a batch in one go; what is left of it is ready to be run one by one."""
        outcomes: Sequence[Outcome | None] | None = None
        left = taken
        try:
            if not self._stop.counting:
                outcomes = await self._task.together(taken, self._ctx, self._goes_on)
        except _HOPELESS as error:
            self._failed(taken[0], error)
            left = taken[1:]
        except AcdrunError:
            outcomes = [None] * len(taken)  # of which one it is true is found out by running each
        if outcomes is not None:
            both = list(zip(taken, outcomes, strict=True))
            self._ended += [(op, outcome) for op, outcome in both if outcome is not None]
            left = [op for op, outcome in both if outcome is None]
        self._ready += left
        if outcomes is not None or self.hopeless:
            self._pulse.beat()  # whoever waited meanwhile may help

    def _goes_on(self) -> bool:
        return self._stop.code is None and self.hopeless is None

    async def _another_round(self) -> bool:
        """Whole operations are tried again once all others had their turn."""
        if not await asyncio.to_thread(self._queue.waiting_to_retry, self._stage.id):
            return False
        # Without an error of our own it was an earlier process that tried: its wait is long over.
        wait_s = self._retries.wait_s(self._last, self._round + 1) if self._last else 0.0
        if not self._retries.spend(wait_s):
            await asyncio.to_thread(self._queue.give_up, self._stage.id)
            return False
        await self._stop.pause(self._retries.sleep(wait_s))
        self._round += 1
        return True

    async def _try(self, op: Operation) -> None:
        try:
            outcome = await self._task.run(op, self._ctx)
        except AcdrunError as error:
            self._failed(op, error)
        else:
            self._ended.append((op, outcome))

    def _failed(self, op: Operation, error: AcdrunError) -> None:
        # A storm that outlasted the budget would make each operation that is left wait through its pauses.
        hopeless = isinstance(error, _HOPELESS) or (isinstance(error, Throttled) and self._retries.used_up)
        again = error.retry and not hopeless and op.tries + 1 < self._retries.policy.attempts
        self._last = error
        state = State.STALE if isinstance(error, Exists | Stale) else State.FAILED
        # Of what ends a stage, what to do about it stands with it: the rest of the stage waits for just that.
        said = f"{error.message}; {error.hint}" if hopeless and error.hint else error.message
        outcome = Outcome(state, note=said, kind=error.kind, exit=int(error.exit))
        (self._again if again else self._ended).append((op, outcome))
        if hopeless:
            self.hopeless = error
        self._tell(Problem(self._stage.pair, self._task.name, show(op.path), error.kind, said, again))

    async def _flush(self, limit: int = 0) -> Sequence[Operation]:
        """Write down what has ended; so many operations at most are taken by the same commit, and returned."""
        ended, self._ended = self._ended, []
        again, self._again = self._again, []
        self._flushed = asyncio.get_running_loop().time()
        if not ended and not again and not limit:
            return ()
        taken = await asyncio.to_thread(self._write_down, ended, again, limit)
        if ended or again:
            size = sum(op.size for op, _ in ended)
            self._tell(Finished(self._stage.pair, self._task.name, len(ended), size))
            self._pulse.beat()
        return taken

    def _write_down(self, ended: Sequence[_End], again: Sequence[_End], limit: int) -> Sequence[Operation]:
        stage, taken = self._stage.id, list[Operation]()
        ends, retries = [(op.id, o) for op, o in ended], [(op.id, o) for op, o in again]
        if limit:
            taken = self._queue.take(stage, most_tries=self._round, limit=limit, ended=ends, retried=retries)
        else:
            self._queue.finish(stage, ends, retries)
        if ended or again:
            self._ctx.hashes.flush()
        return taken


def _long(taken: Sequence[Operation]) -> bool:
    """Is it likely that there is more, and will these take longer than to look for it?

    Of what has only just become ready, little at a time, one worker makes larger batches.
    """
    return len(taken) >= BATCH_OPS or sum(op.size for op in taken) >= BATCH_BYTES // 8
