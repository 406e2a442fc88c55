"""Small files carried from one place to another, many by one call on each side."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from typing import cast

from runner.model.backend import Copied, Copy, Copying
from runner.model.content import Loaded
from runner.model.powers import PutsSome, ReadsSome, Some
from runner.remote.placing import Placing
from runner.remote.remote import Remote

SMALL = 1 << 16
"""Of more bytes it is the bytes that cost."""

LONGEST_S = 5.0
"""What does not go in this time goes one by one: what a batch has done is written down at its end, and a service that
takes so long for it costs us little for each."""


def carries(source: Remote, destination: Remote) -> bool:
    """Can small files go from there to there together? Where `Remote` itself paces requests they go one by one; two
    disks copy by themselves.
    """
    return (
        not (source.can.near and destination.can.near)
        and isinstance(destination.backend, PutsSome)
        and isinstance(source.backend, ReadsSome)
        and source.throttle is None
        and destination.throttle is None
    )


async def carry(
    source: Remote, destination: Remote, batch: Sequence[Copy], how: Copying
) -> Sequence[Copied | None]:
    """Store new files of a place that `carries`; return what became of each, in their order.

    Copied, None: see `Peer.copy_from`. Raises Unsynced, and what objects to a write.
    """
    done: list[Copied | None] = [None] * len(batch)
    numbers = [number for number, one in enumerate(batch) if one.size <= SMALL]
    if not numbers or not how.proven:
        return done
    copies = destination.below(source, [batch[number] for number in numbers])
    how = how._replace(wanted=_While(how.wanted))
    reads, puts = cast(ReadsSome, source.backend), cast(PutsSome, destination.backend)
    with Placing(destination.name, destination.prefix):
        async with (
            aclosing(reads.read_some(copies, how)) as loaded,
            aclosing(_handed(destination, loaded, copies, how)) as handed,
        ):
            stored = await puts.put_some(copies, handed, how)
    for number, one in zip(numbers, stored, strict=True):
        done[number] = one
    return done


async def _handed(
    destination: Remote, loaded: AsyncIterator[Some], copies: Sequence[Copy], how: Copying
) -> AsyncGenerator[Some, None]:
    async for some in loaded:
        if how.wanted is not None and not how.wanted():
            return
        for watch in destination.watches:
            watch()
        fit = [(number, one) for number, one in some if _as_listed(copies[number], one)]
        yield fit
        if how.moved is not None:
            how.moved(sum([len(one.data) for _, one in fit]))


class _While:
    """Does the run still go on, and has this batch not taken too long, from the first time somebody asks?"""

    def __init__(self, wanted: Callable[[], bool] | None) -> None:
        self._wanted = wanted
        self._until: float | None = None

    def __call__(self) -> bool:
        now = asyncio.get_running_loop().time()
        if self._until is None:
            self._until = now + LONGEST_S
        return now < self._until and (self._wanted is None or self._wanted())


def _as_listed(file: Copy, loaded: Loaded) -> bool:
    known = file.known
    same = known is None or known.algorithm != loaded.checksum.algorithm or known == loaded.checksum
    return same and len(loaded.data) == file.size
