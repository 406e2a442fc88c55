"""Claims about a tunnel's two directions and their ends, with a client and a server of our own."""

import asyncio
import contextlib
import socket
import ssl
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("cryptography", reason="the intercept needs acdrun[intercept]")

from runner.emulator import intercept, tunnel
from runner.emulator.certificates import Certificates
from runner.emulator.intercept import Intercept

Answerer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def test_a_client_may_end_its_half_and_still_get_its_answer(tmp_path: Path) -> None:
    async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        whole = await reader.read()
        writer.write(whole.upper() * 100_000)
        await writer.drain()
        writer.close()

    async def run() -> tuple[bytes, int]:
        async with _between(tmp_path, shout) as (proxy, certificates):
            said = await asyncio.to_thread(_half_close, proxy, certificates, b"all i have to say ")
            return said, len(asyncio.all_tasks())

    said, tasks = asyncio.run(run())

    assert said == b"ALL I HAVE TO SAY " * 100_000
    assert tasks <= 3


def test_a_client_that_goes_ends_the_emulators_side_too(tmp_path: Path) -> None:
    gone = asyncio.Event()

    async def wait_for_more(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        gone.set()
        writer.close()

    async def run() -> None:
        async with _between(tmp_path, wait_for_more) as (proxy, certificates):
            await asyncio.to_thread(_leave, proxy, certificates)
            async with asyncio.timeout(5):
                await gone.wait()

    asyncio.run(run())

    assert gone.is_set()


def test_an_emulator_that_is_gone_ends_the_connection(tmp_path: Path) -> None:
    async def run() -> bytes:
        certificates = Certificates(tmp_path)
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        proxy = Intercept(certificates, "127.0.0.1", port)
        await proxy.start(0)
        reader, writer = await asyncio.open_connection("127.0.0.1", int(proxy.url.rpartition(":")[2]))
        writer.write(b"CONNECT api.amazon.com:443 HTTP/1.1\r\n\r\n")
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""
        finally:
            writer.close()
            await proxy.stop()

    assert asyncio.run(run()) == b""


@pytest.mark.parametrize("said", [b"", b"CONNECT api.amazon.com:443 HTTP/1.1\r\n\r\n"])
def test_silence_ends_the_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    monkeypatch.setattr(intercept, "HEAD_S", 0.2)

    async def quiet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async def run() -> float:
        async with _between(tmp_path, quiet) as (proxy, _):
            reader, writer = await asyncio.open_connection("127.0.0.1", int(proxy.url.rpartition(":")[2]))
            began = time.monotonic()
            writer.write(said)
            with contextlib.suppress(ConnectionResetError):
                await reader.read()
            writer.close()
            return time.monotonic() - began

    assert asyncio.run(run()) < 3


def test_an_idle_tunnel_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tunnel, "IDLE_S", 0.2)

    async def quiet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async def run() -> bytes:
        async with _between(tmp_path, quiet) as (proxy, certificates):
            return await asyncio.to_thread(_wait, proxy, certificates)

    assert asyncio.run(run()) == b""


@contextlib.asynccontextmanager
async def _between(folder: Path, answer: Answerer) -> AsyncIterator[tuple[Intercept, Certificates]]:
    """A proxy in front of a server that does as it is told."""
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    certificates = Certificates(folder)
    proxy = Intercept(certificates, *server.sockets[0].getsockname()[:2])
    await proxy.start(0)
    try:
        yield proxy, certificates
    finally:
        await proxy.stop()
        server.close()


class _Wire:
    """A tunnel's client; unlike an SSLSocket it can end its own half and go on reading."""

    def __init__(self, proxy: Intercept, certificates: Certificates) -> None:
        self.socket = socket.create_connection(("127.0.0.1", int(proxy.url.rpartition(":")[2])), timeout=10)
        self.socket.sendall(b"CONNECT api.amazon.com:443 HTTP/1.1\r\n\r\n")
        assert self.socket.recv(1000).startswith(b"HTTP/1.1 200 ")
        trusted = ssl.create_default_context(cafile=certificates.path)
        self._come, self._go = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = trusted.wrap_bio(self._come, self._go, server_hostname="api.amazon.com")
        self.do(self.tls.do_handshake)

    def do(self, step: Callable[[], Any]) -> Any:
        """Do something with TLS, moving bytes for it as long as it wants some."""
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                self.flush()
                if data := self.socket.recv(65536):
                    self._come.write(data)
                else:
                    self._come.write_eof()

    def flush(self) -> None:
        """Send what TLS has made."""
        if self._go.pending:
            self.socket.sendall(self._go.read())

    def rest(self) -> bytes:
        """Read to the end."""
        found = b""
        with contextlib.suppress(ssl.SSLZeroReturnError, ssl.SSLEOFError, ConnectionResetError):
            while data := self.do(lambda: self.tls.read(65536)):
                found += data
        return found


def _half_close(proxy: Intercept, certificates: Certificates, text: bytes) -> bytes:
    wire = _Wire(proxy, certificates)
    with wire.socket:
        wire.tls.write(text)
        with contextlib.suppress(ssl.SSLWantReadError):
            wire.tls.unwrap()
        wire.flush()
        wire.socket.shutdown(socket.SHUT_WR)
        return wire.rest()


def _leave(proxy: Intercept, certificates: Certificates) -> None:
    wire = _Wire(proxy, certificates)
    wire.tls.write(b"and then")
    wire.flush()
    wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wire.socket.close()


def _wait(proxy: Intercept, certificates: Certificates) -> bytes:
    wire = _Wire(proxy, certificates)
    wire.flush()
    with wire.socket:
        return wire.rest()
