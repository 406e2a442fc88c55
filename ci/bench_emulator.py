"""Figures of the emulator: small uploads, a look-up among 20,000 siblings, lists and changes, memory for 2 GiB.

Usage: python ci/bench_emulator.py [uploads] [lookup] [reads] [stream] [--folder D] [--seconds S] [--clients N]

It starts an emulator of its own in a fresh folder below D (default: the system's temporary folder), talks to
it over loopback only, prints what it measured beside what is promised, removes the folder, and ends by
itself. Exit code 1 when a promise is not kept. Processor time is that of the emulator, its kernel time included.
"""

import argparse
import asyncio
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar, cast

from emulator_wire import FORM, TAIL, Server, Wire, common, upload_head

UPLOADS_A_SECOND = 1500
LOOKUP_MS = 5.0
SIBLINGS = 20_000
STREAM_BYTES = 2 << 30
GROWTH_BYTES = 64 << 20
SMALL = 4096
WHAT = ["uploads", "lookup", "reads", "stream"]
MOST_S = 300
T = TypeVar("T")


def main() -> int:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("what", nargs="*", help=f"{', '.join(WHAT)} (default: all)")
    parser.add_argument("--folder", type=Path, help="where the store is made; its disk counts")
    parser.add_argument(
        "--seconds", type=float, default=10, help="length of the uploads (default: %(default)s)"
    )
    parser.add_argument(
        "--clients", type=int, default=64, help="connections of the uploads (default: %(default)s)"
    )
    parser.add_argument(
        "--nodes", type=int, default=SIBLINGS, help="files of the reads (default: %(default)s)"
    )
    options = parser.parse_args()
    if not set(options.what) <= set(WHAT):
        parser.error(f"what: {', '.join(WHAT)}")
    wanted = options.what or WHAT
    sys.stdout.write(f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}\n")
    kept = True
    with serving(options.folder) as server:
        if "uploads" in wanted:
            used = processor_s(server.pid)
            rate, stored = asyncio.run(
                bounded(uploads(server, min(options.seconds, 60), min(options.clients, 500)))
            )
            used = processor_s(server.pid) - used
            kept = tell(
                "small uploads", rate, "a second", rate >= UPLOADS_A_SECOND, f"at least {UPLOADS_A_SECOND}"
            )
            sys.stdout.write(f"processor time of each: {used / stored * 1e6:.0f} us\n")
        if "reads" in wanted:
            for name, each_us in asyncio.run(bounded(reads(server, options.nodes))).items():
                sys.stdout.write(f"{name}: {each_us:.0f} us of processor time\n")
        if "lookup" in wanted:
            took = asyncio.run(bounded(lookup(server)))
            good = took < LOOKUP_MS
            kept = (
                tell(f"a look-up among {SIBLINGS}", took, "ms (median)", good, f"under {LOOKUP_MS:g}")
                and kept
            )
        if "stream" in wanted:
            growth = asyncio.run(bounded(stream(server)))
            good, most = growth <= GROWTH_BYTES, f"at most {GROWTH_BYTES >> 20}"
            kept = (
                tell("growth of memory by 2 GiB up and down", growth / (1 << 20), "MiB", good, most) and kept
            )
    return 0 if kept else 1


async def bounded(work: Awaitable[T]) -> T:
    """Wait for a measurement, but not for ever."""
    async with asyncio.timeout(MOST_S):
        return await work


def tell(name: str, value: float, unit: str, good: bool, promise: str) -> bool:
    """Print one figure; return whether it is as promised."""
    sys.stdout.write(f"{name}: {value:.1f} {unit}; promised {promise}: {'kept' if good else 'NOT KEPT'}\n")
    sys.stdout.flush()
    return good


@contextmanager
def serving(folder: Path | None) -> Iterator[Server]:
    """Run an emulator in a fresh folder and remove both afterwards."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-emulator-", dir=folder) as made:
        options = ["--dir", made, "--ready-json", "--issue-token", "--watch-stdin"]
        with subprocess.Popen(
            [sys.executable, "-m", "runner.emulator", *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline())
            try:
                port = int(re.sub(r"\D", "", ready["url"].rpartition(":")[2]))
                yield Server(port, ready["token"]["access_token"], process.pid)
            finally:
                process.stdin.close()
                process.wait(timeout=30)


async def uploads(server: Server, seconds: float, clients: int) -> tuple[float, int]:
    """Return how many files of 4 KiB a second, and in all, were stored for good, over many connections."""
    loop, began = asyncio.get_running_loop(), time.monotonic()
    senders = [Sender(server, number, began + seconds, loop.create_future()) for number in range(clients)]
    for sender in senders:
        await loop.create_connection(lambda sender=sender: sender, "127.0.0.1", server.port)  # type: ignore[misc]
    counts = await asyncio.gather(*(sender.ended for sender in senders))
    return sum(counts) / (time.monotonic() - began), sum(counts)


class Sender(asyncio.Protocol):
    """Uploads one file after the other on one connection; `ended` tells how many were stored."""

    def __init__(self, server: Server, client: int, end: float, ended: "asyncio.Future[int]") -> None:
        self.ended = ended
        self._client, self._end, self._done = client, end, 0
        self._came = b""
        content = os.urandom(SMALL)
        name = "%s"
        body = upload_head(name, "") + content + TAIL
        line = f"POST /cdproxy/nodes?suppress=deduplication {common(server)}{FORM}"
        length = len(body) - len(name) + len(self._name())
        self._request = f"{line}Content-Length: {length}\r\n\r\n".encode() + body
        self._split = self._request.index(b'"name":"%s"') + len(b'"name":"')

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)
        self._next()

    def data_received(self, data: bytes) -> None:
        """Take an answer, then send the next file."""
        self._came += data
        head, gap, body = self._came.partition(b"\r\n\r\n")
        found = re.search(rb"(?i)content-length: (\d+)", head)
        if not gap or found is None or len(body) < int(found[1]):
            return
        if head[9:12] != b"201":
            self.ended.set_exception(RuntimeError(self._came.decode("latin-1")))
            return
        self._came = b""
        self._done += 1
        if time.monotonic() < self._end:
            self._next()
        else:
            self._transport.close()
            self.ended.set_result(self._done)

    def connection_lost(self, error: Exception | None) -> None:
        """Tell of an end that came too early."""
        if not self.ended.done():
            self.ended.set_exception(error or ConnectionResetError("the emulator closed the connection"))

    def _name(self) -> bytes:
        return b"%06d-%08d.bin" % (self._client, self._done)

    def _next(self) -> None:
        self._transport.writelines(
            (self._request[: self._split], self._name(), self._request[self._split + 2 :])
        )


async def lookup(server: Server) -> float:
    """Return the median time, in ms, of finding one name in a folder of 20,000."""
    wire = await Wire.open(server)
    folder = await fill(server, "many", SIBLINGS)
    took = []
    for number in range(0, SIBLINGS, SIBLINGS // 300):
        name = f"file%5C%20{number}.txt"
        began = time.perf_counter()
        page = await wire.get(f"/drive/v1/nodes?filters=parents:%22{folder}%22+AND+name:%22{name}%22")
        took.append((time.perf_counter() - began) * 1000)
        assert json.loads(page)["count"] == 1
    return statistics.median(took)


async def reads(server: Server, nodes: int) -> dict[str, float]:
    """Return the emulator's processor time, in us, of one listed, one fed and one asked node."""
    wire = await Wire.open(server)
    folder = await fill(server, "read", nodes)
    began = processor_s(server.pid)
    seen, page = 0, ""
    while page is not None:
        token = f"?startToken={page}" if page else ""
        found = json.loads(await wire.get(f"/drive/v1/nodes/{folder}/children{token}"))
        seen, page = seen + len(found["data"]), found.get("nextToken")
    listed = processor_s(server.pid)
    assert seen == nodes
    fed = await wire.count(
        f"POST /drive/v1/changes {wire.common}Content-Length: 2\r\n\r\n{{}}", b'"eTagResponse"'
    )
    changed = processor_s(server.pid)
    assert fed >= nodes
    for node in found["data"] * 10:
        await wire.get(f"/drive/v1/nodes/{node['id']}")
    asked = processor_s(server.pid) - changed
    return {
        "a node in a list by pages of 200": (listed - began) / nodes * 1e6,
        "a node in the change feed": (changed - listed) / fed * 1e6,
        "a node asked for": asked / len(found["data"] * 10) * 1e6,
    }


async def fill(server: Server, name: str, files: int) -> str:
    """Make a folder of so many files; return its id."""
    wires = [await Wire.open(server) for _ in range(32)]
    folder = await wires[0].mkdir(name)

    async def some(part: int) -> None:
        for number in range(part, files, len(wires)):
            await wires[part].upload(f"file {number}.txt", b"x", folder)

    await asyncio.gather(*(some(part) for part in range(len(wires))))
    return folder


async def stream(server: Server) -> int:
    """Send 2 GiB up and get them back; return by how many bytes the emulator's memory grew at most."""
    wire = await Wire.open(server)
    await wire.upload("warm.bin", b"x" * (4 << 20))
    before = peak(server.pid)
    piece = os.urandom(1 << 20)
    node = await wire.upload("big.bin", piece, times=STREAM_BYTES >> 20)
    got = await wire.drain(f"/cdproxy/nodes/{node}/content")
    assert got == STREAM_BYTES
    return peak(server.pid) - before


def processor_s(pid: int) -> float:
    """Return the processor time that a process has used, in seconds; 0 where the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak(pid: int) -> int:
    """Return the most memory that a process ever held, in bytes; 0 where the system does not tell."""
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    except FileNotFoundError:
        return 0
    return int(found[1]) * 1024 if found else 0


if __name__ == "__main__":
    sys.exit(main())
