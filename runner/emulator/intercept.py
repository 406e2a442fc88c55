"""An HTTPS proxy that leads unmodified clients to the emulator. Source: acd-api §13.5.

It answers CONNECT for Amazon's host names with a certificate of the throw-away authority, and passes what
comes out of the TLS on to the emulator. It connects to nothing else, whatever it is asked for.
"""

import asyncio
import contextlib
import re
import sys
import traceback

from runner.emulator.certificates import HOSTS, Certificates
from runner.emulator.tunnel import Plain, Secure, join

HEAD_BYTES = 16 << 10
HEAD_S = 10
CONNECTIONS = 500
LOOPBACK = "127.0.0.1"
_LINE = re.compile(rb"([A-Z]{1,20}) (\S{1,8000}) HTTP/1\.[01]", re.ASCII)
_HOST_AND_PORT = re.compile(r"([^:/?#@\s]{1,255}):([1-9]\d{0,4})", re.ASCII)
_URL = re.compile(r"http://([^:/?#@\s]{1,255})(:80)?(/.*)?", re.ASCII | re.IGNORECASE)
_NOT_PASSED_ON = (b"connection", b"proxy-connection", b"keep-alive", b"proxy-authorization")
_REASONS = {400: "Bad Request", 403: "Forbidden", 431: "Request Header Fields Too Large", 503: "Unavailable"}


class Declined(Exception):
    """A request that the proxy does not serve: a status, and a sentence why."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Intercept:
    """The proxy; it listens on this machine's own address only."""

    def __init__(self, certificates: Certificates, emulator_host: str, emulator_port: int) -> None:
        """Remember where the emulator listens."""
        self._certificates = certificates
        self._emulator = (emulator_host, emulator_port)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.ca = certificates.path
        self.url = ""

    async def start(self, port: int) -> None:
        """Listen; sets `url`. Raises OSError when the port cannot be had."""
        self._certificates.context()  # what could fail fails now, not at the first client
        self._server = await asyncio.start_server(self._serve, LOOPBACK, port, limit=HEAD_BYTES)
        self.url = f"http://{LOOPBACK}:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        """Stop listening and end what is open."""
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        peaceful = False
        try:
            peaceful = await self._answer(reader, writer)
        except (OSError, EOFError, TimeoutError, asyncio.CancelledError):
            pass  # the client or the emulator has gone, or nobody said anything
        except Exception:
            traceback.print_exc(file=sys.stderr)
        finally:
            self._tasks.discard(task)
            if peaceful:
                writer.close()
            else:
                writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        try:
            if len(self._tasks) > CONNECTIONS:
                raise Declined(503, f"more than {CONNECTIONS} connections are open")
            async with asyncio.timeout(HEAD_S):
                try:
                    head = await reader.readuntil(b"\r\n\r\n")
                except asyncio.LimitOverrunError as error:
                    raise Declined(431, f"a head has at most {HEAD_BYTES} bytes") from error
            in_the_clear = read_head(head)
        except Declined as refusal:
            await _decline(writer, refusal)
            return True
        above_reader, above_writer = await asyncio.open_connection(*self._emulator)
        emulator = Plain(above_reader, above_writer)
        try:
            if in_the_clear is not None:
                await emulator.write(in_the_clear)
                return await join(Plain(reader, writer), emulator)
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            client = Secure(reader, writer, self._certificates.context())
            async with asyncio.timeout(HEAD_S):
                await client.shake_hands()
            return await join(client, emulator)
        finally:
            above_writer.close()


def read_head(head: bytes) -> bytes | None:
    """Read the head of a request to a proxy; raises Declined for anything but Amazon's hosts.

    Returns None for a tunnel. A request in the clear comes back as the emulator shall get it: without the
    host in its first line, and the last one of its connection, so that no other host can follow unseen.
    """
    first, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    found = _LINE.fullmatch(first)
    if found is None:
        raise Declined(400, "the first line is not that of an HTTP/1.1 request")
    method, target = found[1].decode(), found[2].decode("latin-1")
    if method == "CONNECT":
        goal = _HOST_AND_PORT.fullmatch(target)
        if goal is None:
            raise Declined(400, "CONNECT takes a host and a port")
        if int(goal[2]) != 443:
            raise Declined(403, f"only port 443 is served, not {goal[2]}")
        _check_host(goal[1])
        return None
    url = _URL.fullmatch(target)
    if url is None:
        raise Declined(403, "this is a proxy; it serves https:// and http:// URLs of Amazon's hosts only")
    _check_host(url[1])
    kept = [line for line in lines if line.partition(b":")[0].strip().lower() not in _NOT_PASSED_ON]
    path = (url[3] or "/").encode("latin-1")
    return b"\r\n".join([b"%s %s HTTP/1.1" % (found[1], path), *kept, b"Connection: close", b"", b""])


def _check_host(host: str) -> None:
    if host.lower() not in HOSTS:
        raise Declined(403, f"'{host}' is not one of Amazon Cloud Drive's hosts, and nothing else is served")


async def _decline(writer: asyncio.StreamWriter, refusal: Declined) -> None:
    body = f"{refusal}\n".encode("ascii", "backslashreplace")
    writer.write(
        b"HTTP/1.1 %d %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"
        % (refusal.status, _REASONS[refusal.status].encode(), len(body), body)
    )
    with contextlib.suppress(OSError):
        await writer.drain()
