"""A server that plays a script of bytes, for answers that no proper server gives."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Stage:
    """url: of the server; requests: the head of each request it read; bodies: what it read of each body."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[bytes] = []
        self.bodies: list[bytes] = []


@asynccontextmanager
async def playing(*scripts: Script) -> AsyncIterator[Stage]:
    """Serve on the loopback: the n-th connection plays the n-th script, later ones the last."""
    stage = Stage()
    tasks: set[asyncio.Task[None]] = set()
    number = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal number
        script = scripts[min(number, len(scripts) - 1)]
        number += 1
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            stage.requests.append(await reader.readuntil(b"\r\n\r\n"))
            await script(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    stage.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/x"
    try:
        yield stage
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def says(*parts: bytes, pause_s: float = 0.0, then: str = "close") -> Script:
    """Send the parts, then close, reset, or stay silent."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause_s)
        await _end(writer, then)

    return script


def reads(count: int, *parts: bytes, then: str = "close") -> Script:
    """Read that many bytes of the body first."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(count)
        for part in parts:
            writer.write(part)
        await _end(writer, then)

    return script


async def _end(writer: asyncio.StreamWriter, then: str) -> None:
    if then == "silence":
        await asyncio.sleep(60)
    if then == "reset":
        writer.transport.abort()
    else:
        await writer.drain()
