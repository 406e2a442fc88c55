"""What comes from another remote of the same log-in: the service copies it, and no byte of it passes through us."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from runner.backends.gcs.nodes import number
from runner.backends.gcs.objects import Objects
from runner.model.backend import Copied, Copy, Copying
from runner.model.checksum import Checksum
from runner.model.errors import AcdrunError
from runner.remote.dated import At

_BATCHES = 2
"""That are copied at the same time: while the last of one are waited for, the next one has begun."""


class Peering:
    """Takes files from other buckets, or other folders of this one.

    ats: from paths of ours to where objects are; at_once: how many requests suit the service now.
    """

    def __init__(self, objects: Objects, ats: Callable[[str], At], at_once: Callable[[], int]) -> None:
        self._objects, self._ats, self._at_once = objects, ats, at_once
        self._turn = asyncio.Semaphore(_BATCHES)

    async def take(
        self, origin: Callable[[str], At], batch: Sequence[Copy], how: Copying
    ) -> list[Copied | None]:
        """Copy a batch; see `Peer.copy_from`. origin: from paths of the source to where its objects are."""
        done: list[Copied | None] = [None] * len(batch)
        left = iter(range(len(batch)))
        async with self._turn:
            workers = max(1, min(len(batch), self._at_once()))
            await asyncio.gather(*(self._work(left, done, origin, batch, how) for _ in range(workers)))
        return done

    async def _work(
        self, left: Iterator[int], done: list[Copied | None], origin: Callable[[str], At],
        batch: Sequence[Copy], how: Copying,
    ) -> None:  # fmt: skip
        for place in left:
            if how.wanted is not None and not how.wanted():
                return
            copy = batch[place]
            try:
                one = await self._copy(origin(copy.origin), copy, how)
            except AcdrunError:
                continue  # who reads and puts it says why, if it is still so then
            if one is not None and how.moved is not None:
                how.moved(copy.size)
            done[place] = one

    async def _copy(self, at: At, copy: Copy, how: Copying) -> Copied | None:
        """Copy the listed state, which its generation holds the service to; what is not proven is taken back.

        A generation tells the content's MD5, or where the service knows none its CRC32C: see `Found.stamp`.
        """
        digest, marked, _ = copy.generation.partition("~")
        md5 = Checksum("md5", digest) if marked else None
        known = copy.known if copy.known is not None and copy.known.algorithm == "md5" else None
        if how.algorithm != "md5" or (md5 is not None and known not in (None, md5)):
            return None
        to = self._ats(copy.path)
        stored = await self._objects.copy(at, to, number(copy.generation))
        same = stored.checksum == md5 if md5 is not None else copy.generation.startswith(f"{stored.crc32c}.")
        if not same or (stored.size, stored.mtime_ns) != (copy.size, copy.mtime_ns):
            with suppress(AcdrunError):  # somebody else's by now, or soon met again
                await self._objects.remove(to, generation=stored.generation)
            return None
        return Copied(stored.node(), md5 or known, "" if md5 is not None else "crc32c")
