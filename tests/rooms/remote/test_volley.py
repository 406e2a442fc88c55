"""Many small requests at once: each is answered to its number, and the throttle holds for all of them."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest

from runner.model.errors import AcdrunError, Throttled, Unavailable, Unclear
from runner.remote.fast_engine import FastEngine
from runner.remote.http import Reply, Request
from runner.remote.throttle import Throttle
from runner.remote.volley import Volley
from runner.remote.wire import Trace, Wire
from tests.rooms.remote.world import classify

Answer = Callable[[str, bytes], "bytes | None"]


def says(status: str, body: bytes = b"") -> bytes:
    """A whole answer."""
    return b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status.encode(), len(body), body)


def echo(path: str, body: bytes) -> bytes:
    """What was asked for, and what was sent."""
    return says("200 OK", path.encode() + body)


@dataclass
class Service:
    """A server on the loopback. answer: to a path and a body; None closes. busy, most: requests at once."""

    answer: Answer = echo
    wait_s: float = 0.0
    busy: int = 0
    most: int = 0
    asked: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = head.lower().partition("content-length: ")[2].partition("\r")[0] or "0"
                body = await reader.readexactly(int(length))
                path = head.split(" ")[1]
                self.asked.append(path)
                self.busy += 1
                self.most = max(self.most, self.busy)
                await asyncio.sleep(self.wait_s)
                self.busy -= 1
                said = self.answer(path, body)
                if said is None:
                    break
                writer.write(said)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


@dataclass
class World:
    """A service, a wire to it, and what it told of each request."""

    service: Service
    throttle: Throttle
    url: str
    wire: Wire
    told: dict[int, Reply | AcdrunError | None] = field(default_factory=dict)
    traced: list[Trace] = field(default_factory=list)

    def volley(self, wanted: Callable[[], bool] | None = None) -> Volley:
        """A new one."""
        posting = self.wire.posting
        assert posting is not None
        return Volley(self.wire, posting, 1000, self.told.__setitem__, wanted)

    def requests(
        self, count: int, *, repeatable: bool = True, idle_s: float = 5.0
    ) -> list[tuple[int, Request]]:
        """PUTs of some bytes each."""
        return [
            (n, Request("PUT", f"{self.url}/{n}", (), b"b%d" % n, repeatable, idle_s=idle_s))
            for n in range(count)
        ]


def play(service: Service, act: Callable[[World], Coroutine[Any, Any, None]], **limits: Any) -> World:
    """Do that with a wire to the service."""

    async def whole() -> World:
        server = await asyncio.start_server(service.serve, "127.0.0.1", 0)
        engine, throttle = FastEngine(), Throttle(**({"concurrency": 4} | limits))
        traced: list[Trace] = []
        wire = Wire(engine, throttle, classify, remote="cloud", trace=traced.append)
        world = World(
            service, throttle, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", wire, traced=traced
        )
        try:
            await asyncio.wait_for(act(world), 20)
            assert throttle._busy == 0, "no place is held any more"
            return world
        finally:
            await engine.close()
            server.close()
            await server.wait_closed()

    return asyncio.run(whole())


def test_each_request_has_its_answer_and_no_more_are_under_way_than_the_throttle_lets() -> None:
    async def act(world: World) -> None:
        async with world.volley() as volley:
            assert await volley.send(world.requests(50))

    world = play(Service(wait_s=0.002), act)

    assert {n: reply.body for n, reply in world.told.items() if isinstance(reply, Reply)} == {
        n: b"/%db%d" % (n, n) for n in range(50)
    }
    assert world.service.most == 4
    assert len(world.traced) == 50


def test_requests_a_second_are_kept() -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        moment[0] += seconds

    moment = [0.0]

    async def act(world: World) -> None:
        async with world.volley() as volley:
            await volley.send(world.requests(10))

    play(Service(), act, requests_per_s=4.0, clock=lambda: moment[0], sleep=sleep)

    assert sum(waits) == pytest.approx(9 / 4)


def test_one_that_is_refused_for_now_pauses_all_and_is_left_to_be_asked_alone() -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        moment[0] += seconds

    moment = [0.0]

    async def act(world: World) -> None:
        async with world.volley() as volley:
            assert await volley.send(world.requests(20))

    busy = Service(lambda path, body: says("429 Slow") if path == "/3" else echo(path, body))
    world = play(busy, act, clock=lambda: moment[0], sleep=sleep)

    assert isinstance(world.told.pop(3), Throttled)
    assert all(isinstance(reply, Reply) for reply in world.told.values())
    assert len(world.told) == 19
    assert waits
    assert busy.asked.count("/3") == 1


def test_an_answer_that_is_lost_is_unclear_and_nothing_more_is_sent() -> None:
    async def act(world: World) -> None:
        async with world.volley() as volley:
            assert not await volley.send(world.requests(20, repeatable=False))

    world = play(Service(lambda path, body: None if path == "/3" else echo(path, body)), act, concurrency=1)

    assert isinstance(world.told[3], Unclear)
    assert sorted(world.told) == [0, 1, 2, 3]


def test_what_may_be_repeated_and_lost_its_answer_was_in_vain() -> None:
    async def act(world: World) -> None:
        async with world.volley() as volley:
            await volley.send(world.requests(1))

    world = play(Service(lambda path, body: None), act)

    assert isinstance(world.told[0], Unavailable)


def test_a_longer_answer_than_was_asked_for_is_none() -> None:
    async def act(world: World) -> None:
        async with world.volley() as volley:
            await volley.send(world.requests(1))

    world = play(Service(lambda path, body: says("200 OK", b"x" * 2000)), act)

    assert isinstance(world.told[0], Unavailable)


def test_a_service_that_falls_silent_is_not_waited_for() -> None:
    async def act(world: World) -> None:
        async with world.volley() as volley:
            await volley.send(world.requests(2, idle_s=0.05))

    world = play(Service(wait_s=60), act)

    assert [type(world.told[n]) for n in (0, 1)] == [Unavailable] * 2


def test_a_service_that_is_not_there_is_told_once_and_the_rest_is_not_sent() -> None:
    async def act(world: World) -> None:
        world.url = "http://127.0.0.1:1"
        async with world.volley() as volley:
            assert not await volley.send(world.requests(50))

    world = play(Service(), act)

    assert set(world.told.values()) == {None}
    assert len(world.told) <= 8


def test_nothing_more_is_sent_once_nobody_wants_it() -> None:
    async def act(world: World) -> None:
        async with world.volley(lambda: len(world.told) < 5) as volley:
            assert not await volley.send(world.requests(50))

    world = play(Service(), act, concurrency=1)

    assert sorted(world.told) == [0, 1, 2, 3, 4]
    assert all(isinstance(reply, Reply) for reply in world.told.values())


def test_who_is_cancelled_leaves_nothing_under_way() -> None:
    async def act(world: World) -> None:
        async def send() -> None:
            async with world.volley() as volley:
                await volley.send(world.requests(50))

        task = asyncio.create_task(send())
        while world.service.busy < 4:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    world = play(Service(wait_s=60), act)

    assert len(world.service.asked) == 4
    assert not any(isinstance(reply, Reply) for reply in world.told.values())


def test_a_mistake_of_who_is_told_is_raised_and_no_connection_is_lost() -> None:
    async def act(world: World) -> None:
        posting = world.wire.posting
        assert posting is not None

        def told(number: int, reply: object) -> None:
            world.told[number] = None
            if number == 2:
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            async with Volley(world.wire, posting, 1000, told) as volley:
                await volley.send(world.requests(5))

    world = play(Service(), act)

    assert sorted(world.told) == [0, 1, 2, 3, 4]


def test_where_bytes_are_weighed_there_is_none() -> None:
    async def act(world: World) -> None:
        assert world.wire.posting is None

    play(Service(), act, bandwidth=1000)
