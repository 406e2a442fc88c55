"""The `limits` of a remote whose backend has no wire to keep them at."""

from collections.abc import AsyncGenerator

from runner.model.checksum import Checksum
from runner.model.config import Limits
from runner.model.content import Content
from runner.remote.close import closing
from runner.remote.throttle import Throttle

_UNBOUNDED = 1 << 30


def pace(limits: Limits) -> Throttle | None:
    """The throttle for requests a second and bandwidth; None when neither is limited.

    How much goes on at once is no business of it: a copy reads inside a write, and two that held a place each
    while they waited for the other's would wait for ever. Workers are counted instead, by `Remote.most`.
    """
    if limits.requests_per_s is None and limits.bandwidth is None:
        return None
    return Throttle(concurrency=_UNBOUNDED, requests_per_s=limits.requests_per_s, bandwidth=limits.bandwidth)


class Paced(Content):
    """Content whose pieces come no faster than the throttle lets them; all else is the inner one's."""

    def __init__(self, inner: Content, throttle: Throttle) -> None:
        super().__init__(
            inner.size,
            inner.chunks,
            mtime_ns=inner.mtime_ns,
            algorithm=inner.algorithm,
            proven=inner.proven,
            alone=inner.alone,
        )
        self._inner = inner
        self._throttle = throttle

    @property
    def checksum(self) -> Checksum:
        """See `Content.checksum`."""
        return self._inner.checksum

    async def time(self) -> int | None:
        """See `Content.time`."""
        self.mtime_ns = await self._inner.time()
        return self.mtime_ns

    async def known(self) -> Checksum | None:
        """See `Content.known`."""
        return await self._inner.known()

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """See `Content.chunks`."""
        async with closing(self._inner.chunks()) as chunks:
            async for chunk in chunks:
                for piece in self._throttle.portions(chunk):
                    await self._throttle.moved(len(piece))
                    yield piece
        await self.time()

    async def whole(self) -> bytes:
        """See `Content.whole`."""
        data = await self._inner.whole()
        for piece in self._throttle.portions(data):
            await self._throttle.moved(len(piece))
        await self.time()
        return data
