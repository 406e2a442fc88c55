"""Connections of the benchmark to an emulator, which speak just enough HTTP to be faster than it."""

import asyncio
import json
import re
from typing import NamedTuple

BOUNDARY = "b1b2b3"
FORM = f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
TAIL = f"\r\n--{BOUNDARY}--\r\n".encode()


class Server(NamedTuple):
    """An emulator: where it listens, a token for it, its process."""

    port: int
    token: str
    pid: int


def common(server: Server) -> str:
    """Return what every request has after its target."""
    return f"HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nAuthorization: Bearer {server.token}\r\n"


def upload_head(name: str, parent: str) -> bytes:
    """Return what comes before the content of an upload."""
    place = f',"parents":["{parent}"]' if parent else ""
    return (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="metadata"\r\n\r\n'
        f'{{"name":"{name}","kind":"FILE"{place}}}\r\n--{BOUNDARY}\r\n'
        'Content-Disposition: form-data; name="content"; filename="x"\r\n\r\n'
    ).encode()


class Wire:
    """One connection that speaks just enough HTTP to be faster than the server."""

    def __init__(self, server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.common = common(server)

    @classmethod
    async def open(cls, server: Server) -> "Wire":
        """Connect."""
        return cls(server, *await asyncio.open_connection("127.0.0.1", server.port, limit=4 << 20))

    def close(self) -> None:
        """Let go."""
        self._writer.close()

    async def upload(self, name: str, piece: bytes, parent: str = "", times: int = 1) -> str:
        """Store a file that is `piece` so many times over; return its id."""
        head = upload_head(name, parent)
        length = len(head) + len(piece) * times + len(TAIL)
        line = (
            f"POST /cdproxy/nodes?suppress=deduplication {self.common}{FORM}Content-Length: {length}\r\n\r\n"
        )
        if times == 1:
            self._writer.write(line.encode() + head + piece + TAIL)
        else:
            self._writer.write(line.encode() + head)
            for _ in range(times):
                self._writer.write(piece)
                await self._writer.drain()
            self._writer.write(TAIL)
        return str(json.loads(await self._answer(201))["id"])

    async def mkdir(self, name: str) -> str:
        """Make a folder; return its id."""
        body = json.dumps({"name": name, "kind": "FOLDER"})
        self._writer.write(
            f"POST /drive/v1/nodes {self.common}Content-Length: {len(body)}\r\n\r\n{body}".encode()
        )
        return str(json.loads(await self._answer(201))["id"])

    async def get(self, target: str) -> bytes:
        """Read something small."""
        self._writer.write(f"GET {target} {self.common}\r\n".encode())
        return await self._answer(200)

    async def drain(self, target: str) -> int:
        """Read something big and forget it; return its length."""
        self._writer.write(f"GET {target} {self.common}\r\n".encode())
        left = length = await self._head(200)
        while left:
            left -= len(await self._reader.read(min(left, 1 << 20)))
        return length

    async def count(self, request: str, mark: bytes) -> int:
        """Send a request whose answer comes in chunks; return how often a mark is in it."""
        self._writer.write(request.encode())
        if b"chunked" not in (await self._reader.readuntil(b"\r\n\r\n")).lower():
            raise RuntimeError("expected chunks")
        answer = bytearray()
        while size := int(await self._reader.readuntil(b"\r\n"), 16):
            answer += (await self._reader.readexactly(size + 2))[:-2]
        await self._reader.readexactly(2)
        return answer.count(mark)

    async def _answer(self, status: int) -> bytes:
        return await self._reader.readexactly(await self._head(status))

    async def _head(self, status: int) -> int:
        head = await self._reader.readuntil(b"\r\n\r\n")
        found = re.search(rb"(?i)content-length: (\d+)", head)
        if int(head[9:12]) != status or found is None:
            raise RuntimeError(f"expected {status}, got {head.decode('latin-1')}")
        return int(found[1])
