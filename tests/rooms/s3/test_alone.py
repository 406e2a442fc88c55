"""One write to a key at a time."""

import asyncio

from runner.backends.s3.alone import Alone, Turns
from runner.remote.dated import At

KEY = At("bucket", "key")


def test_who_comes_while_the_turn_passes_on_waits_too() -> None:
    """The lock is free for a moment then, and the next one has not taken it yet."""
    turns: dict[At, Turns] = {}
    inside, most = 0, 0

    async def write(pause: asyncio.Event | None = None) -> None:
        nonlocal inside, most
        async with Alone(turns, KEY):
            inside += 1
            most = max(most, inside)
            await (pause.wait() if pause is not None else asyncio.sleep(0))
            inside -= 1

    async def all_three() -> None:
        pause = asyncio.Event()
        first = asyncio.create_task(write(pause))
        await asyncio.sleep(0)
        second = asyncio.create_task(write())
        await asyncio.sleep(0)
        pause.set()
        await first
        await asyncio.gather(second, write())

    asyncio.run(all_three())

    assert most == 1
    assert turns == {}


def test_what_fails_or_is_cancelled_leaves_nothing_behind() -> None:
    turns: dict[At, Turns] = {}

    async def fail() -> None:
        async with Alone(turns, KEY):
            raise ValueError

    async def act() -> None:
        async with Alone(turns, KEY):
            waiting = asyncio.create_task(fail())
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        await asyncio.gather(fail(), fail(), return_exceptions=True)

    asyncio.run(act())

    assert turns == {}
