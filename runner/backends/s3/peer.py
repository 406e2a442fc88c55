"""What comes from another bucket of the same service: it is copied there, and no byte of it passes through us."""

import asyncio
from collections.abc import Callable, Iterator, Sequence

from runner.backends.s3.answers import Failed
from runner.backends.s3.copies import Copies
from runner.backends.s3.nodes import Found, md5_of
from runner.backends.s3.objects import Objects
from runner.backends.s3.probe import CopyConditions
from runner.backends.s3.store import Store
from runner.model.backend import Copied, Copy, Copying
from runner.model.checksum import Checksum
from runner.model.errors import AcdrunError, Unsynced
from runner.remote.dated import At
from runner.state.heads import Head

_BATCHES = 2
"""That are copied at the same time: while the last of one are waited for, the next one has begun."""

LOOKED_UP = "the service does not guard copies: that nothing was there was looked up just before"


class Peering:
    """Takes files from a bucket of the same service.

    ats: from paths of ours to where objects are; at_once: how many requests suit the service now.
    """

    def __init__(
        self, objects: Objects, copies: Copies, store: Store, ats: Callable[[str], At], at_once: Callable[[], int]
    ) -> None:  # fmt: skip
        self._objects, self._copies, self._store = objects, copies, store
        self._ats, self._at_once = ats, at_once
        self._turn = asyncio.Semaphore(_BATCHES)

    async def take(
        self, origin: Callable[[str], At], batch: Sequence[Copy], how: Copying, guard: CopyConditions
    ) -> list[Copied | None]:
        """Copy a batch; see `Peer.copy_from`. origin: from paths of the source to where its objects are."""
        done: list[Copied | None] = [None] * len(batch)
        left = iter(range(len(batch)))
        async with self._turn:
            workers = min(len(batch), self._at_once())
            await asyncio.gather(*(self._work(left, done, origin, batch, how, guard) for _ in range(workers)))
        return done

    async def _work(
        self, left: Iterator[int], done: list[Copied | None], origin: Callable[[str], At], batch: Sequence[Copy],
        how: Copying, guard: CopyConditions,
    ) -> None:  # fmt: skip
        for number in left:
            if how.wanted is not None and not how.wanted():
                return
            copy = batch[number]
            try:
                one = await self._copy(origin(copy.origin), copy, how, guard)
            except Unsynced:
                raise
            except AcdrunError:
                continue  # who reads and puts it says why, if it is still so then
            if one is not None and how.moved is not None:
                how.moved(copy.size)
            done[number] = one

    async def _copy(self, at: At, copy: Copy, how: Copying, guard: CopyConditions) -> Copied | None:
        """Copy one file and prove it by what the service says of both; what is not proven is taken back."""
        found = await self._meant(at, copy, guard)
        if found is None:
            return None
        to, layout = self._ats(copy.path), 0
        if found.checksum is None or found.size > self._copies.most:
            layout = await self._objects.layout(at, found)
            if not layout and (how.proven or found.checksum is None):
                return None
        async with self._store.alone(to):
            if not guard.goal and await self._objects.find(to) is not None:
                return None
            note = "" if guard.goal else LOOKED_UP
            try:
                etag = await self._copies.create(at, to, found, layout=layout, guarded=guard.goal)
            except Failed:
                note, there = "found complete", await self._objects.find(to)
                if there is None or not _same(there.etag, found):
                    return None
                etag = there.etag
            if not _same(etag, found) and (how.proven or found.checksum is None):
                await self._objects.remove(to, expect=etag if self._store.removes(to.bucket) else None)
                return None
        return self._copied(to, found, etag, copy, note)

    async def _meant(self, at: At, copy: Copy, guard: CopyConditions) -> Found | None:
        """The source with all that has to be known of it; None where it is not what was listed."""
        plain = md5_of(copy.generation)
        known = copy.known if copy.known is not None and copy.known.algorithm == "md5" else None
        if plain is not None and known not in (None, plain):
            return None
        if guard.source and plain is not None and copy.size <= self._copies.most:
            return Found(at.key, copy.size, copy.generation, None, copy.mtime_ns, plain)
        found = await self._objects.find(at)
        if found is None or (found.etag, found.size) != (copy.generation, copy.size):
            return None
        if found.checksum is not None and known not in (None, found.checksum):
            return None
        return found._replace(checksum=found.checksum or known)

    def _copied(self, to: At, found: Found, etag: str, copy: Copy, note: str) -> Copied:
        copied = found._replace(key=to.key, etag=etag, mtime_ns=found.mtime_ns or copy.mtime_ns)
        if copied.mtime_ns is not None:
            head = Head(etag, copied.mtime_ns, copied.checksum)
            self._objects.heads.learn(self._objects.place(to.bucket), to.key, head)
        checksum: Checksum | None = found.checksum
        return Copied(copied.node(), checksum, "" if checksum is not None else "etag", note)


def _same(etag: str, found: Found) -> bool:
    """Does the ETag of a copy say that it has the bytes of the source?"""
    return etag == found.etag or (found.checksum is not None and md5_of(etag) == found.checksum)
