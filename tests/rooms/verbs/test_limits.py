"""`limits` of a remote that has no wire: bytes and requests a second, and how much goes on at once."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from runner.backends.local.backend import Local
from runner.backends.local.config import LocalConfig
from runner.backends.memory import Memory, MemoryConfig
from runner.model.backend import Backend, Setting
from runner.model.checksum import Checksum
from runner.model.config import Limits
from runner.model.content import Content
from runner.model.node import Node
from runner.remote.paced import pace
from runner.remote.remote import Remote
from runner.remote.throttle import Throttle
from tests.lab.worlds import World
from tests.rooms.remote.world import Clock

MIB = 1 << 20


async def opened(kind: str, folder: Path, throttle: Throttle) -> Remote:
    """A remote of this kind under the throttle."""
    setting = Setting(remote="here", base=folder, state=folder / "state", run="run")
    backend: Backend
    if kind == "local":
        backend = await Local.open(LocalConfig(type="local", path="disk"), setting)
    else:
        backend = await Memory.open(MemoryConfig(type="memory", store=str(folder)), setting)
    remote = Remote("here", backend, throttle=throttle)
    await remote.mkdirs("")
    return remote


def test_bandwidth_is_exact_both_ways_together(tmp_path: Path) -> None:
    clock = Clock()
    throttle = Throttle(concurrency=4, bandwidth=MIB // 4, clock=clock, sleep=clock.sleep)

    async def work() -> None:
        remote = await opened("memory", tmp_path, throttle)
        nodes = [await remote.put(str(number), Content.of(bytes(64 * 1024))) for number in range(200)]
        for number, node in enumerate(nodes):
            await remote.put(f"copy of {number}", remote.content(str(number), node))

    clock.run(work())

    assert clock.now == pytest.approx(3 * 200 * 64 * 1024 / (MIB // 4), rel=0.05)


@pytest.mark.parametrize("kind", ["memory", "local"])
def test_the_digest_is_that_of_the_bytes_whatever_their_pace(kind: str, tmp_path: Path) -> None:
    async def work() -> tuple[Content, Node, bytes]:
        throttle = pace(Limits(bandwidth=1 << 40))
        assert throttle is not None
        remote = await opened(kind, tmp_path, throttle)
        content = Content.of(b"x" * 3_000_000, mtime_ns=10**18)
        node = await remote.put("x", content)
        data = b"".join([chunk async for chunk in remote.read("x")])
        await remote.close()
        return content, node, data

    content, node, data = asyncio.run(work())

    assert (node.size, node.mtime_ns, data) == (3_000_000, 10**18, b"x" * 3_000_000)
    assert content.checksum == Checksum.of("md5", data)


def test_requests_a_second_are_counted_over_all_views(tmp_path: Path) -> None:
    clock = Clock()
    throttle = Throttle(concurrency=1 << 30, requests_per_s=10, clock=clock, sleep=clock.sleep)

    async def work() -> None:
        remote = await opened("memory", tmp_path, throttle)
        await remote.mkdir("a")
        view = remote.at("a")
        await asyncio.gather(*[(remote if number % 2 else view).stat("") for number in range(98)])

    clock.run(work())

    assert clock.now == pytest.approx(9.9, rel=0.05)


def test_nothing_is_paced_that_has_no_limit() -> None:
    assert pace(Limits()) is None
    assert pace(Limits(concurrency=2)) is None


class Crowd:
    """Looks on at a backend, and remembers how many puts and reads it saw at once."""

    def __init__(self, inner: Backend) -> None:
        self.inner, self.can, self.now, self.most = inner, inner.can, 0, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def put(self, path: str, content: Content, *, expect: str | None) -> Node:
        """Takes its time."""
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0.002)
        try:
            return await self.inner.put(path, content, expect=expect)
        finally:
            self.now -= 1


@pytest.mark.parametrize(
    ("src", "dst", "transfers", "most"),
    [("auto", "auto", None, 4), ("auto", 2, None, 2), (1, "auto", None, 1), ("auto", 9, None, 9),
     ("auto", "auto", 7, 7), (3, "auto", 7, 3)],
)  # fmt: skip
def test_as_many_files_go_over_at_once_as_the_limits_say(
    src: int | str, dst: int | str, transfers: int | None, most: int, tmp_path: Path
) -> None:
    world = World(tmp_path)
    world.fields = {"src": {"limits": {"concurrency": src}}, "dst": {"limits": {"concurrency": dst}}}
    world.write("src", {f"{number:02}": str(number) for number in range(30)})
    crowds: list[Crowd] = []

    def looked_at(name: str, inner: Backend) -> Backend:
        if name == "dst":
            crowds.append(Crowd(inner))
            return crowds[-1]  # type: ignore[return-value]
        return inner

    world.wrap = looked_at
    ended = world.run(world.pair("copy"), transfers=transfers)

    assert ended.code == 0
    assert crowds[0].most == most


def test_a_limited_disk_says_so_itself(tmp_path: Path) -> None:
    remote = Remote("x", Memory(MemoryConfig(type="memory"), World(tmp_path).tree("x")), most=3)

    assert remote.can.concurrency == remote.at("a").can.concurrency == 3
    assert remote.backend.can.concurrency == 4


def test_a_run_obeys_the_bandwidth_of_a_local_remote(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.fields = {"dst": {"limits": {"bandwidth": "4MiB/s"}}}
    world.write("src", {f"{number:02}": b"x" * 65536 for number in range(32)})

    began = time.monotonic()
    ended = world.run(world.pair("copy"))

    assert ended.code == 0
    assert time.monotonic() - began >= 0.95 * 31 * 65536 / (4 * MIB)
