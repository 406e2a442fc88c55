"""Trying again: which errors, how long to wait, when to give up. The only door to tenacity."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Generic, TypeVar

from runner.model.errors import AcdrunError, Throttled, Unclear
from runner.model.policy import RetryPolicy

if TYPE_CHECKING:
    from tenacity import RetryCallState

T = TypeVar("T")

LONGEST_WISH_S = 300.0
"""A service that asks for a longer wait than this, or than the policy's longest, is asked again sooner."""


class Retry:
    """A retry policy, and what has been spent of its budget.

    The budget counts seconds in which somebody waited: the waits of many workers that overlap count once,
    so that a pause of the whole remote costs its length and not that times the number of workers.
    used_up: a wait was refused for want of budget.
    clock: seconds, monotonic. chance: a random number between its two arguments.
    """

    def __init__(
        self,
        policy: RetryPolicy,
        *,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[float, float], float] = random.uniform,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.policy = policy
        self.spent_s = 0.0
        self.used_up = False
        self._clock = clock
        self._chance = chance
        self._sleep = sleep
        self._counted_until = float("-inf")

    async def again(
        self, call: Callable[[], Awaitable[T]], error: AcdrunError, *, tries: int | None = None
    ) -> T:
        """Make the call again that has just failed with `error`; return its result or raise its last error.

        Meant for the `except` branch, so that a call that succeeds at once costs nothing here.
        tries: most tries, the failed first one included; by default the policy's `calls`. A Throttled is not
            counted: the remote as a whole slows down for it, until the budget is used up.
        An Unclear is never repeated: somebody has to look first.
        """
        return await _Again(self, call, error, tries or self.policy.calls).run()

    def wait_s(self, error: AcdrunError, failures: int) -> float:
        """Seconds to wait after the n-th failure: what the service asks for, else a random, growing time."""
        least = self.policy.backoff.least.total_seconds()
        most = self.policy.backoff.most.total_seconds()
        if error.after_s is not None and error.after_s > 0:
            return min(error.after_s, max(most, LONGEST_WISH_S))
        return self._chance(least, min(most, least * 2.0 ** min(failures, 30)))

    def spend(self, seconds: float) -> bool:
        """Take a wait that begins now out of the budget; False when that does not hold it."""
        now = self._clock()
        fresh = max(0.0, now + seconds - max(now, self._counted_until))
        if self.spent_s + fresh > self.policy.budget.total_seconds():
            self.used_up = True
            return False
        self.spent_s += fresh
        self._counted_until = max(self._counted_until, now + seconds)
        return True

    async def sleep(self, seconds: float) -> None:
        """Wait; the time was taken from the budget already."""
        await self._sleep(seconds)


class _Again(Generic[T]):
    """One call on its way through tenacity. The first attempt is the failure that led here."""

    def __init__(
        self, retry: Retry, call: Callable[[], Awaitable[T]], error: AcdrunError, tries: int
    ) -> None:
        self._retry = retry
        self._call = call
        self._first: AcdrunError | None = error
        self._tries = tries
        self._failures = 0

    async def run(self) -> T:
        from tenacity import AsyncRetrying

        retrying = AsyncRetrying(
            sleep=self._retry.sleep, retry=self._wanted, wait=self._wait, stop=self._stop, reraise=True
        )
        result: T = await retrying(self._attempt)
        return result

    async def _attempt(self) -> object:
        if self._first is not None:
            error, self._first = self._first, None
            raise error
        return await self._call()

    def _wanted(self, state: "RetryCallState") -> bool:
        error = _failure(state)
        if not isinstance(error, AcdrunError) or not error.retry or isinstance(error, Unclear):
            return False
        if not isinstance(error, Throttled):
            self._failures += 1
        return True

    def _wait(self, state: "RetryCallState") -> float:
        error = _failure(state)
        assert isinstance(error, AcdrunError)
        return self._retry.wait_s(error, max(1, self._failures))

    def _stop(self, state: "RetryCallState") -> bool:
        counted = not isinstance(_failure(state), Throttled)
        return (counted and self._failures >= self._tries) or not self._retry.spend(state.upcoming_sleep)


def _failure(state: "RetryCallState") -> BaseException | None:
    return state.outcome.exception() if state.outcome is not None else None


current: ContextVar[Retry] = ContextVar("retry")
"""The retry in force for the calls of this task; pairs with different policies share one remote."""


@contextmanager
def following(retry: Retry) -> Iterator[Retry]:
    """Let `retry` decide for every call inside, and for the tasks begun there."""
    token = current.set(retry)
    try:
        yield retry
    finally:
        current.reset(token)


def in_force() -> Retry:
    """The retry of this task; where none was set, the default policy with a budget of its own."""
    return current.get(None) or Retry(RetryPolicy())


def patient() -> bool:
    """May this task still wait for a service that asks for it? Not once the budget of its retry is used up."""
    mine = current.get(None)
    return mine is None or not mine.used_up


async def again(attempt: Callable[[], Awaitable[T]]) -> T:
    """Make a call, and make it again where its error allows it: one that looks after a lost answer itself."""
    try:
        return await attempt()
    except AcdrunError as error:
        if not error.retry or isinstance(error, Unclear):
            raise
        return await in_force().again(attempt, error)
