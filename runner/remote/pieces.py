"""The parts in which content goes to a service: held in memory, or read when they are sent."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Sequence
from functools import partial

from runner.model.checksum import Checksum, hasher
from runner.model.content import CHUNK, Content
from runner.remote.close import closing
from runner.remote.cut import cut
from runner.remote.http import Stream

ROOM = CHUNK
"""Bytes of memory that a part takes while it is read and sent: what was read last, and what is still to leave."""


class Piece(ABC):
    """A part. It can be sent as often as it has to be."""

    size: int

    @abstractmethod
    async def digest(self) -> str:
        """What a service should make of it: its MD5, in hex."""

    @abstractmethod
    def body(self, *, look: bool) -> bytes | Stream:
        """What to send. look: find out what is really sent, see `sent`."""

    @property
    @abstractmethod
    def sent(self) -> str | None:
        """MD5 of what was sent last, in hex; None where nobody looked."""

    @abstractmethod
    async def again(self) -> str:
        """MD5 of what would be sent now, in hex. Raises what `Content.chunks` raises."""

    @abstractmethod
    def arrived(self) -> None:
        """Tell the content that it is where it belongs, unless it has counted it already."""


class Held(Piece):
    """A part in memory."""

    def __init__(self, data: bytes) -> None:
        self.size = len(data)
        self._data = data
        self._digest: str | None = None

    async def digest(self) -> str:
        """See `Piece.digest`."""
        if self._digest is None:
            self._digest = (await asyncio.to_thread(Checksum.of, "md5", self._data)).digest
        return self._digest

    def body(self, *, look: bool) -> bytes:
        """See `Piece.body`."""
        return self._data

    @property
    def sent(self) -> str | None:
        """See `Piece.sent`."""
        return self._digest

    async def again(self) -> str:
        """See `Piece.again`."""
        return await self.digest()

    def arrived(self) -> None:
        """See `Piece.arrived`: what was read was counted."""


class Streamed(Piece):
    """A part that is read when it is sent. digest: what an earlier pass has read there."""

    def __init__(self, content: Content, start: int, size: int, digest: str) -> None:
        self.size = size
        self._content, self._start, self._known = content, start, digest
        self._looked = hasher("md5")
        self._looks = False

    async def digest(self) -> str:
        """See `Piece.digest`."""
        return self._known

    def body(self, *, look: bool) -> Stream:
        """See `Piece.body`."""
        self._looks = look
        return Stream(self.size, partial(self._read, look))

    @property
    def sent(self) -> str | None:
        """See `Piece.sent`."""
        return self._looked.hexdigest() if self._looks else None

    async def again(self) -> str:
        """See `Piece.again`."""
        async with closing(self._read(look=True)) as chunks:
            async for _ in chunks:
                pass
        return self._looked.hexdigest()

    def arrived(self) -> None:
        """See `Piece.arrived`."""
        self._content.moved(self.size)

    async def _read(self, look: bool) -> AsyncGenerator[bytes, None]:
        looked = self._looked = hasher("md5")
        async with closing(self._content.part(self._start, self.size)) as chunks:
            async for chunk in chunks:
                if look:
                    await asyncio.to_thread(looked.update, chunk)
                yield chunk


async def pieces(content: Content, size: int, digests: Sequence[str] | None) -> AsyncGenerator[Piece, None]:
    """The content in parts of this many bytes, the last one smaller. Raises what `content.chunks()` raises.

    digests: what `content.parts(size)` told; then parts are read when they are sent.
    """
    if digests is None:
        async with closing(cut(content, size)) as held:
            async for data in held:
                piece = Held(data)
                del data
                yield piece
                del piece
        return
    for number, digest in enumerate(digests):
        start = number * size
        yield Streamed(content, start, min(size, content.size - start), digest)
