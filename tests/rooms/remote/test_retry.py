"""Trying again: how often, how long, when not."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from itertools import chain, repeat

import pytest

from runner.model.errors import AcdrunError, NotFound, Throttled, Unavailable, Unclear
from runner.model.policy import RetryPolicy
from runner.model.units import Backoff
from runner.remote import retry
from runner.remote.retry import Retry
from tests.rooms.remote.world import Clock

POLICY = RetryPolicy(calls=4, backoff=Backoff(timedelta(seconds=1), timedelta(seconds=8)))


def failing(*errors: AcdrunError) -> tuple[Callable[[], Awaitable[str]], list[int]]:
    """A call that raises these one after the other and then succeeds; and how often it was made."""
    made: list[int] = []
    outcomes = chain(errors, repeat(None))

    async def call() -> str:
        made.append(len(made))
        error = next(outcomes)
        if error is not None:
            raise error
        return "done"

    return call, made


def most(least: float, greatest: float) -> float:
    return greatest


def test_a_passing_error_is_tried_until_it_passes() -> None:
    clock = Clock()
    call, made = failing(Unavailable("1"), Unavailable("2"))

    result = clock.run(
        Retry(POLICY, clock=clock, chance=most, sleep=clock.sleep).again(call, Unavailable("0"))
    )

    assert (result, len(made), clock.now) == ("done", 3, 2 + 4 + 8)


def test_calls_counts_every_try_the_first_included_and_the_last_error_is_raised() -> None:
    clock = Clock()
    call, made = failing(*[Unavailable(str(n)) for n in range(1, 9)])

    with pytest.raises(Unavailable, match=r"^3$"):
        clock.run(Retry(POLICY, clock=clock, sleep=clock.sleep).again(call, Unavailable("0")))

    assert len(made) == 3


@pytest.mark.parametrize("error", [NotFound("gone"), Unclear("lost")])
def test_a_definite_error_and_an_unclear_one_are_not_tried_again(error: AcdrunError) -> None:
    clock = Clock()
    call, made = failing(error)

    with pytest.raises(type(error)):
        clock.run(Retry(POLICY, clock=clock, sleep=clock.sleep).again(call, Unavailable("0")))

    assert len(made) == 1


def test_waits_grow_and_stay_within_the_policys_own() -> None:
    patient = Retry(POLICY)

    waits = [patient.wait_s(Unavailable("x"), failures) for failures in range(1, 200)]

    assert all(1 <= wait <= 8 for wait in waits)
    assert patient.wait_s(Unavailable("x"), 1) <= 2


@pytest.mark.torture
def test_N4_the_services_own_wish_wins_and_is_capped() -> None:
    patient = Retry(POLICY)

    assert patient.wait_s(Unavailable("x", after_s=40), 1) == 40
    assert patient.wait_s(Unavailable("x", after_s=1e9), 1) == 300


def test_a_throttled_call_costs_no_try_but_costs_budget() -> None:
    clock = Clock()
    policy = POLICY.model_copy(update={"budget": timedelta(seconds=60)})
    call, made = failing(*[Throttled("slow", after_s=7) for _ in range(100)])
    patient = Retry(policy, clock=clock, sleep=clock.sleep)

    with pytest.raises(Throttled):
        clock.run(patient.again(call, Throttled("slow", after_s=7)))

    assert len(made) == 8
    assert patient.spent_s == 56


def test_waits_of_many_workers_at_once_are_spent_once() -> None:
    clock = Clock()
    patient = Retry(POLICY, clock=clock, chance=most, sleep=clock.sleep)

    async def work() -> None:
        await asyncio.gather(*[patient.again(failing()[0], Unavailable("0")) for _ in range(50)])

    clock.run(work())

    assert patient.spent_s == 2


def test_the_retry_in_force_is_the_tasks_own() -> None:
    one, two = Retry(POLICY), Retry(POLICY)

    async def inside(mine: Retry) -> bool:
        with retry.following(mine):
            await asyncio.sleep(0)
            return retry.in_force() is mine

    async def both() -> list[bool]:
        return list(await asyncio.gather(inside(one), inside(two)))

    assert asyncio.run(both()) == [True, True]
    assert retry.in_force() not in (one, two)
