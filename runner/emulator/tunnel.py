"""Bytes in both directions between a client and the emulator, each direction with an end of its own.

TLS is done here on memory buffers, not by asyncio's transport: that one closes both directions as soon as
the client says that it has no more to send, and an answer still on its way would be lost.
"""

import asyncio
import contextlib
import ssl
from typing import Protocol

PIECE = 64 << 10
# Nothing in either direction for so long: nobody is there any more.
IDLE_S = 3600
# How long a client may go on sending to a server that has ended.
LINGER_S = 5
_GONE = (OSError, ssl.SSLError, EOFError)


class Stream(Protocol):
    """One side of a tunnel."""

    async def read(self) -> bytes:
        """Return what has come, b"" at the end."""

    async def write(self, data: bytes) -> None:
        """Send, and wait while the other side is slow."""

    async def end(self) -> None:
        """Say that no more will be sent; the other direction stays open."""


class Plain:
    """A TCP connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def read(self) -> bytes:
        """Return what has come, b"" at the end."""
        return await self._reader.read(PIECE)

    async def write(self, data: bytes) -> None:
        """Send, and wait while the other side is slow."""
        self._writer.write(data)
        await self._writer.drain()

    async def end(self) -> None:
        """Say that no more will be sent."""
        self._writer.write_eof()


class Secure:
    """The server's side of TLS on a TCP connection."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, context: ssl.SSLContext
    ) -> None:
        self._reader, self._writer = reader, writer
        self._come, self._go = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._come, self._go, server_side=True)

    async def shake_hands(self) -> None:
        """Agree on keys; raises SSLError or OSError when the client will not."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                await self._more()
            except ssl.SSLError:
                await self._flush()  # the alert that tells the client why
                raise
            else:
                await self._flush()
                return

    async def read(self) -> bytes:
        """Return what has come, b"" at the end."""
        while True:
            try:
                return self._tls.read(PIECE)
            except ssl.SSLWantReadError:
                await self._flush()
                await self._more()
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b""

    async def write(self, data: bytes) -> None:
        """Send, and wait while the client is slow."""
        view = memoryview(data)
        while view:
            view = view[self._tls.write(view) :]
        await self._flush()

    async def end(self) -> None:
        """Say that no more will be sent."""
        with contextlib.suppress(ssl.SSLError, ValueError):  # the client has not said so itself yet
            self._tls.unwrap()
        await self._flush()
        self._writer.write_eof()

    async def _flush(self) -> None:
        if self._go.pending:
            self._writer.write(self._go.read())
        await self._writer.drain()

    async def _more(self) -> None:
        data = await self._reader.read(PIECE)
        if data:
            self._come.write(data)
        elif self._come.eof:
            raise ConnectionResetError("the client has gone")
        else:
            self._come.write_eof()


async def join(client: Stream, server: Stream) -> bool:
    """Carry bytes both ways until both directions have ended; return whether they ended in peace.

    After the server's end the client has a few seconds to end too. Raises TimeoutError when nothing moves.
    """
    moved = asyncio.Event()
    up = asyncio.create_task(_carry(client, server, moved))
    down = asyncio.create_task(_carry(server, client, moved))
    both = {up, down}
    watch = asyncio.create_task(_until_idle(moved))
    try:
        await asyncio.wait({up, down, watch}, return_when=asyncio.FIRST_COMPLETED)
        if up.done() and up.result() and not down.done():
            await asyncio.wait({down, watch}, return_when=asyncio.FIRST_COMPLETED)
        if watch.done():
            raise TimeoutError
        if down.done() and down.result():
            await asyncio.wait({up}, timeout=LINGER_S)
        return down.done() and down.result() and (not up.done() or up.result())
    finally:
        for task in (*both, watch):
            task.cancel()
        await asyncio.gather(*both, watch, return_exceptions=True)


async def _carry(source: Stream, goal: Stream, moved: asyncio.Event) -> bool:
    try:
        while data := await source.read():
            moved.set()
            await goal.write(data)
        await goal.end()
    except _GONE:
        return False
    return True


async def _until_idle(moved: asyncio.Event) -> None:
    """Return when nothing has moved for the idle time."""
    while True:
        moved.clear()
        try:
            async with asyncio.timeout(IDLE_S):
                await moved.wait()
        except TimeoutError:
            return
        await asyncio.sleep(IDLE_S / 10)  # a glance now and then, not one for every piece
