"""The listener takes one answer, the right one, from this machine, and is gone."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest

from runner.model.errors import Denied, LoginNeeded, Unavailable
from runner.model.secret import Secret
from runner.remote.loopback import DEADLINE_S, Listener, listening
from tests.rooms.login.world import STATE, get, listens, send

RIGHT = f"/?code=code-canary-123456&scope=x&state={STATE}"


async def forever(_: float) -> None:
    """A deadline that never comes."""
    await asyncio.Event().wait()


def port_of(listener: Listener) -> int:
    """Where it listens."""
    return int(listener.redirect_uri.rpartition(":")[2].strip("/"))


def run(test: Callable[[Listener, int, str], Awaitable[None]]) -> None:
    """Run a test with a listener, its port and its authority."""

    async def whole() -> None:
        async with listening(Secret(STATE), 0) as listener:
            port = port_of(listener)
            await test(listener, port, f"127.0.0.1:{port}")

    asyncio.run(whole())


def test_the_right_answer_ends_the_wait_with_its_code() -> None:
    async def test(listener: Listener, port: int, host: str) -> None:
        page = await send(port, get(RIGHT, host))

        assert (await listener.code(DEADLINE_S, forever)).reveal() == "code-canary-123456"
        assert page.startswith("HTTP/1.1 200 ")
        assert not await listens(port)

    run(test)


def test_the_answer_page_holds_no_secret_and_sends_no_referrer() -> None:
    async def test(listener: Listener, port: int, host: str) -> None:
        page = await send(port, get(RIGHT, host))

        assert "Referrer-Policy: no-referrer" in page
        assert "no-store" in page
        assert "canary" not in page
        assert STATE not in page

    run(test)


@pytest.mark.torture
@pytest.mark.parametrize(
    ("status", "request_of"),
    [
        pytest.param(404, lambda host: get("/auth" + RIGHT[1:], host), id="path"),
        pytest.param(404, lambda host: get("//" + RIGHT[1:], host), id="two-slashes"),
        pytest.param(404, lambda host: get("/favicon.ico", host), id="favicon"),
        pytest.param(404, lambda host: get("/", host), id="no-answer-at-all"),
        pytest.param(400, lambda host: get(RIGHT, "localhost:" + host.partition(":")[2]), id="localhost"),
        pytest.param(400, lambda host: get(RIGHT, "evil.example"), id="host-of-a-stranger"),
        pytest.param(400, lambda host: get(RIGHT, host, more="Host: evil.example\r\n"), id="two-hosts"),
        pytest.param(400, lambda host: b"GET " + RIGHT.encode() + b" HTTP/1.1\r\n\r\n", id="no-host"),
        pytest.param(400, lambda host: get(f"http://{host}{RIGHT}", "x"), id="absolute-target"),
        pytest.param(404, lambda host: get(f"http://{host}{RIGHT}", host), id="absolute-target-our-host"),
        pytest.param(405, lambda host: get(RIGHT, host, method="POST"), id="post"),
        pytest.param(405, lambda host: get(RIGHT, host, method="HEAD"), id="head"),
        pytest.param(
            400, lambda host: get(RIGHT, host, more="Sec-Fetch-Mode: no-cors\r\n"), id="within-a-page"
        ),
        pytest.param(400, lambda host: get(RIGHT + "&code=other", host), id="two-codes"),
        pytest.param(400, lambda host: get(RIGHT + f"&state={STATE}", host), id="two-states"),
        pytest.param(400, lambda host: get("/?code=%ff&state=x", host), id="not-utf-8"),
        pytest.param(400, lambda host: b"\x16\x03\x01 tls \r\n\r\n", id="no-http"),
    ],
)
def test_A6_a_request_of_the_wrong_form_is_refused_and_the_wait_goes_on(
    status: int, request_of: Callable[[str], bytes]
) -> None:
    async def test(listener: Listener, port: int, host: str) -> None:
        wrong = await send(port, request_of(host))
        right = await send(port, get(RIGHT, host))

        assert wrong.startswith(f"HTTP/1.1 {status} ")
        assert right.startswith("HTTP/1.1 200 ")
        assert (await listener.code(DEADLINE_S, forever)).reveal() == "code-canary-123456"

    run(test)


@pytest.mark.torture
@pytest.mark.parametrize("query", ["code=x&state=wrong", "code=x", "code=x&state=", f"state={STATE}&code="])
def test_A6_a_wrong_state_ends_the_wait(query: str) -> None:
    async def test(listener: Listener, port: int, host: str) -> None:
        page = await send(port, get(f"/?{query}", host))

        with pytest.raises(Denied, match=r"wrong `state`|without a code"):
            await listener.code(DEADLINE_S, forever)
        assert page.startswith("HTTP/1.1 400 ")
        assert not await listens(port)

    run(test)


@pytest.mark.torture
def test_A6_a_second_callback_finds_nobody() -> None:
    async def test(listener: Listener, port: int, host: str) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)  # was there before the first one
        await send(port, get(RIGHT, host))

        writer.write(get(f"/?code=another&state={STATE}", host))
        late = await reader.read()
        writer.close()

        assert late.startswith(b"HTTP/1.1 410 ")
        assert not await listens(port)
        assert (await listener.code(DEADLINE_S, forever)).reveal() == "code-canary-123456"

    run(test)


@pytest.mark.torture
def test_A6_nothing_but_this_machine_can_call() -> None:
    async def test(listener: Listener, port: int, host: str) -> None:
        others = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}

        found = [
            address
            for address in {*map(str, others), "127.0.0.2"} - {"127.0.0.1"}
            if await listens(port, address)
        ]

        assert found == []

    run(test)


@pytest.mark.torture
@pytest.mark.parametrize(
    ("query", "kind", "words"),
    [
        (f"error=access_denied&state={STATE}", Denied, "access was refused in the browser"),
        ("error=access_denied", Denied, "access was refused in the browser"),
        (f"error=invalid_scope&error_description=An+unknown+scope&state={STATE}", Denied, "An unknown scope"),
        (f"error=temporarily_unavailable&state={STATE}", Unavailable, "not available"),
        (f"error=%1b%5b31m&state={STATE}", Denied, "no reason given"),
        ("error=access_denied&state=wrong", Denied, "wrong `state`"),
    ],
)
def test_A6_an_error_callback_ends_the_wait_in_its_own_words(
    query: str, kind: type[Exception], words: str
) -> None:
    async def test(listener: Listener, port: int, host: str) -> None:
        await send(port, get(f"/?{query}", host))

        with pytest.raises(kind, match=words):
            await listener.code(DEADLINE_S, forever)

    run(test)


def test_a_port_in_use_is_named_with_what_to_do() -> None:
    async def test() -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]

            with pytest.raises(Unavailable, match=f"port {port} of 127.0.0.1 is in use") as caught:
                async with listening(Secret(STATE), port):
                    pass

        assert "acdrun authorize" in caught.value.hint

    asyncio.run(test())


def test_nobody_within_five_minutes_is_the_end() -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def test(listener: Listener, port: int, host: str) -> None:
        with pytest.raises(LoginNeeded, match="within 5 minutes"):
            await listener.code(DEADLINE_S, sleep)

        assert slept == [300.0]

    run(test)


def test_a_connection_that_says_nothing_holds_up_nobody() -> None:
    async def test() -> float:
        loop = asyncio.get_running_loop()
        async with listening(Secret(STATE), 0) as listener:
            port = port_of(listener)
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            await send(port, get(RIGHT, f"127.0.0.1:{port}"))
            began = loop.time()
        writer.close()
        return loop.time() - began

    assert asyncio.run(test()) < 1


def test_a_head_without_end_is_given_up() -> None:
    async def test(listener: Listener, port: int, host: str) -> None:
        said = await send(port, b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 10_000)
        right = await send(port, get(RIGHT, host))

        assert said == ""
        assert right.startswith("HTTP/1.1 200 ")

    run(test)
