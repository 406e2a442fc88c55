"""Bytes on their way from one place to another."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from typing import NamedTuple, Protocol

from runner.model.checksum import Checksum, hasher
from runner.model.errors import Changed, Damaged

CHUNK = 1 << 20
"""Most bytes in one piece, so that memory is bounded by pieces and never by files."""

_IN_THREAD = 1 << 18
"""A piece of this many bytes takes longer to digest (0.4 ms) than a thread takes to answer (0.05 ms)."""


class Fetched(NamedTuple):
    """The bytes of a small file. mtime_ns: its time, where that was told with them."""

    data: bytes
    mtime_ns: int | None = None


class Loaded(NamedTuple):
    """A small file that was read to its end, as it was listed. mtime_ns: its time, where that was told with it."""

    data: bytes
    checksum: Checksum
    mtime_ns: int | None = None


class Digests(NamedTuple):
    """What one pass found: the number of bytes, the digest of all of them, and of each part, in hex."""

    size: int
    whole: Checksum
    parts: Sequence[str]


class Spans(Protocol):
    """The way to bytes that can be read from anywhere on. Both raise what `Content.chunks` raises."""

    async def digests(self, algorithm: str, size: int) -> Digests:
        """Read all there is once, in parts of `size` bytes, the last one smaller."""

    def span(self, start: int, size: int) -> AsyncGenerator[bytes, None]:
        """Yield so many bytes from there on, at most CHUNK at a time."""


class Content:
    """Bytes that can be sent, and sent again from the start.

    size: how many bytes there will be, as the listing said.
    mtime_ns: the time to keep with them, in ns since 1970; None when there is none to keep. Where the listing did
        not tell it, it is known after a complete pass; asked: tells it before, see `time`.
    algorithm: the digest to compute over the bytes that are really sent.
    source: opens the bytes anew; each call yields them from the first to the last.
    expect: what they were found to be before; other bytes are never published.
    near: reading them once more costs no transfer.
    proven: a place that stores them and tells no digest of its own may read them back and compare before it publishes
        them; the node that `put` returns then has their checksum. Where it has none, nobody has compared.
    alone: a disk that stores them confirms them by themselves, not with what else is stored at the same time.
    at_once: hands all of them over in one go, of a place that can do so and content that is small.
    spans: reads them from anywhere on; None where they come from the first to the last only.
    """

    def __init__(
        self,
        size: int,
        source: Callable[[], AsyncIterator[bytes]],
        *,
        mtime_ns: int | None = None,
        algorithm: str = "md5",
        progress: Callable[[int], None] | None = None,
        expect: Checksum | None = None,
        near: bool = False,
        asked: Callable[[], Awaitable[int | None]] | None = None,
        proven: bool = False,
        alone: bool = False,
        at_once: Callable[[], Awaitable[Fetched]] | None = None,
        spans: Spans | None = None,
    ) -> None:
        self.size = size
        self.mtime_ns = mtime_ns
        self.algorithm = algorithm
        self._source = source
        self._progress = progress
        self._expect = expect
        self._near = near
        self._asked = asked
        self.proven = proven
        self.alone = alone
        self._at_once = at_once
        self._spans = spans
        self._checksum: Checksum | None = None

    @classmethod
    def of(cls, data: bytes, *, mtime_ns: int | None = None, algorithm: str = "md5") -> "Content":
        """Content that is already in memory."""

        async def whole() -> AsyncIterator[bytes]:
            if data:
                yield data

        return cls(len(data), whole, mtime_ns=mtime_ns, algorithm=algorithm)

    @property
    def checksum(self) -> Checksum:
        """Of the bytes of the last complete pass; only then is it known."""
        if self._checksum is None:
            raise ValueError("the content has not been read to its end yet")
        return self._checksum

    async def time(self) -> int | None:
        """`mtime_ns`, for a place that has to be told before the bytes come: at the price of a request, where the
        listing did not tell it."""
        if self.mtime_ns is None and self._asked is not None:
            self.mtime_ns = await self._asked()
            self._asked = None
        return self.mtime_ns

    async def known(self) -> Checksum | None:
        """What the bytes will be, for a place that has to be told before they come: as expected, or found out by a
        pass of its own where that costs no transfer. None where neither is to be had. Raises what `chunks` raises.
        """
        if self._expect is not None and self._expect.algorithm == self.algorithm:
            return self._expect
        if not self._near:
            return None
        progress, self._progress = self._progress, None
        try:
            async for _ in self.chunks():
                pass
        finally:
            self._progress = progress
        return self.checksum

    async def parts(self, size: int) -> Sequence[str] | None:
        """The digest of each part of that many bytes, the last one smaller, so that a service can be told them before
        `part` reads it. `checksum` is known then, too. Raises what `chunks` raises.

        None where `known` says as much of the whole without a pass, or bytes come only one after the other.
        """
        if self._spans is None or (self._expect is not None and self._expect.algorithm == self.algorithm):
            return None
        self._checksum = None
        found = await self._spans.digests(self.algorithm, size)
        if found.size > self.size:
            raise self._grown()
        self._ended(found.whole.digest, found.size)
        return found.parts

    def part(self, start: int, size: int) -> AsyncGenerator[bytes, None]:
        """Yield the bytes of a part; only of content that tells its `parts`. They are neither digested nor told as
        progress: `moved` does that, once they are where they belong.
        """
        assert self._spans is not None
        return self._spans.span(start, size)

    def moved(self, count: int) -> None:
        """Tell that so many bytes of parts are where they belong."""
        if self._progress is not None:
            self._progress(count)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the bytes from the start, at most CHUNK at a time, and digest them on the way.

        Raises Changed when there turn out to be more or fewer than `size`, and Damaged when they are not those
        expected: a receiver that has not seen the end of this iterator must not publish what it got.
        """
        self._checksum = None
        digest, sent = hasher(self.algorithm), 0
        async for chunk in self._source():
            sent += len(chunk)
            if sent > self.size:
                raise self._grown()
            if len(chunk) >= _IN_THREAD:
                import asyncio  # the words of a manifest come from here too, and need no event loop

                await asyncio.to_thread(digest.update, chunk)
            else:
                digest.update(chunk)
            yield chunk
            if self._progress is not None:
                self._progress(len(chunk))
        self._ended(digest.hexdigest(), sent)
        await self.time()  # whoever was read from has told it by now

    async def whole(self) -> bytes:
        """All the bytes at once, for content that is small. Raises what `chunks` raises."""
        self._checksum = None
        data = await (self._joined() if self._at_once is None else self._fetched(self._at_once))
        came = len(data)
        if came > self.size:
            raise self._grown()
        if came >= _IN_THREAD:
            import asyncio

            digest = await asyncio.to_thread(hasher, self.algorithm, data)
        else:
            digest = hasher(self.algorithm, data)
        self._ended(digest.hexdigest(), came)
        if self.mtime_ns is None:
            await self.time()
        if self._progress is not None:
            self._progress(came)
        return data

    async def _fetched(self, at_once: Callable[[], Awaitable[Fetched]]) -> bytes:
        data, mtime_ns = await at_once()
        if self.mtime_ns is None:
            self.mtime_ns = mtime_ns
        return data

    async def _joined(self) -> bytes:
        parts: list[bytes] = []
        came = 0
        async for part in self._source():
            came += len(part)
            if came > self.size:
                raise self._grown()
            parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _grown(self) -> Changed:
        return Changed(f"grew while it was read: more than the {self.size} bytes listed")

    def _ended(self, digest: str, came: int) -> None:
        if came < self.size:
            raise Changed(f"shrank while it was read: {came} of the {self.size} bytes listed")
        read = Checksum(self.algorithm, digest)
        if self._expect is not None and self._expect.algorithm == read.algorithm and self._expect != read:
            raise Damaged(f"the source is damaged: reading it gave {read}, known of it is {self._expect}")
        self._checksum = read
