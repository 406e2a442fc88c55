"""What every engine owes, asked of each: see `http.Engine`."""

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from runner.model.errors import UsageError
from runner.remote.engines import open_engine
from runner.remote.http import Engine, LinkFailure, Sending
from tests.rooms.remote.scripts import Script, Stage, playing, says

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CREATED = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}"
REFUSED = b"HTTP/1.1 409 Conflict\r\nContent-Length: 2\r\n\r\n{}"
Work = Callable[[Engine, Stage], Coroutine[Any, Any, Any]]


NEITHER_IN_THE_REFERENCE = pytest.mark.parametrize("run", ["fast"], indirect=True)
"""Where the fast engine is better than the reference: httpx takes what a service said too much for the next answer, and
loses an answer that came before the end of the body when the service has closed behind it."""


@pytest.fixture(params=["fast", "httpx"])
def run(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Do work with an engine of each kind against a server that plays scripts; nothing is left open."""
    monkeypatch.setenv("ACDRUN_WIRE", request.param)

    def with_scripts(work: Work, *scripts: Script) -> Any:
        async def whole() -> Any:
            engine = open_engine()
            try:
                async with playing(*scripts) as stage:
                    return await work(engine, stage)
            finally:
                await engine.close()

        return asyncio.run(asyncio.wait_for(whole(), 20))

    return with_scripts


def sending(url: str, body: bytes | AsyncIterator[bytes] = b"", *, size: int | None = None, method: str = "POST",
            idle_s: float = 1.0, more: tuple[tuple[str, str], ...] = ()) -> Sending:  # fmt: skip
    length = len(body) if isinstance(body, bytes) else size
    headers = [("User-Agent", "test"), *more, ("Content-Length", str(length))]
    return Sending(method, url, headers if length is not None else headers[:-1], body, 5.0, idle_s)


async def told(engine: Engine, what: Sending) -> tuple[int, bytes]:
    """The whole answer."""
    answer = await engine.send(what)
    try:
        body = b""
        while piece := await answer.piece():
            body += piece
        return answer.status, body
    finally:
        await answer.close()


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def keeps(*answers: bytes, then: str = "close") -> Script:
    """Answer one request after the other on one connection."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number, answer in enumerate(answers):
            if number:
                await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
        if then == "silence":
            await asyncio.sleep(60)

    return script


def test_a_request_says_what_it_was_given_and_nothing_else(run: Callable[..., Any]) -> None:
    async def work(engine: Engine, stage: Stage) -> tuple[int, bytes]:
        return await told(
            engine, sending(stage.url + "?q=%7e", b"abc", more=(("X-One", "1"), ("X-One", "2")))
        )

    heads: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readexactly(3))
        writer.write(OK)

    async def both(engine: Engine, stage: Stage) -> tuple[list[bytes], str]:
        assert await work(engine, stage) == (200, b"ok")
        return stage.requests[0].split(b"\r\n"), stage.url

    lines, url = run(both, script)

    host = url.split("/")[2].encode()
    assert lines[0] == b"POST /x?q=%7e HTTP/1.1"
    assert sorted(line.lower() for line in lines[1:] if line) == sorted(
        [b"host: " + host, b"user-agent: test", b"x-one: 1", b"x-one: 2", b"content-length: 3"]
    )
    assert heads == [b"abc"]


ADDRESSES = ["/a/../b/./c?d=/../e", "/%2e%2e/%41%2F?x=%zz", "//a//b", "/a;b/%C3%A9", "?only=query"]


@pytest.mark.parametrize("rest", ADDRESSES)
def test_nothing_in_an_address_is_cleaned(rest: str, run: Callable[..., Any]) -> None:
    async def work(engine: Engine, stage: Stage) -> bytes:
        await told(engine, sending(stage.url.removesuffix("/x") + rest, method="GET"))
        return stage.requests[0]

    head = run(work, says(OK))

    assert head.startswith(b"GET " + (rest if rest[0] == "/" else "/" + rest).encode() + b" HTTP/1.1\r\n")


@pytest.mark.parametrize("header", [("X", "a\r\nY: b"), ("X", "a\nY: b"), ("X\r\nY", "b"), ("X", "\0")])
def test_a_header_that_holds_another_is_never_sent(header: tuple[str, str], run: Callable[..., Any]) -> None:
    async def work(engine: Engine, stage: Stage) -> list[bytes]:
        with pytest.raises(LinkFailure):
            await told(engine, sending(stage.url, more=(header,)))
        return stage.requests

    assert run(work, says(OK)) == []


def test_a_streamed_body_arrives_as_it_is(run: Callable[..., Any]) -> None:
    parts = [b"a" * 70_000, b"", b"b", b"c" * 1_000_000]
    came: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(await reader.readexactly(sum(map(len, parts))))
        writer.write(CREATED)

    async def work(engine: Engine, stage: Stage) -> tuple[int, bytes]:
        return await told(engine, sending(stage.url, pieces(*parts), size=sum(map(len, parts))))

    assert run(work, script) == (201, b"{}")
    assert came == [b"".join(parts)]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified", b"200 OK"])
def test_answers_without_a_body_end_at_once(method: str, status: bytes, run: Callable[..., Any]) -> None:
    bare = b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n"

    async def work(engine: Engine, stage: Stage) -> Any:
        first = await told(engine, sending(stage.url, method=method, size=None))
        second = await told(engine, sending(stage.url, method=method, size=None))
        return first == second, first[1], len(stage.requests)

    assert run(work, keeps(bare, bare, then="silence")) == (True, b"", 1)


def test_a_head_answer_may_declare_what_it_does_not_bring(run: Callable[..., Any]) -> None:
    async def work(engine: Engine, stage: Stage) -> Any:
        return await told(engine, sending(stage.url, method="HEAD"))

    assert run(work, says(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n", then="silence")) == (200, b"")


def test_interim_answers_are_passed_over(run: Callable[..., Any]) -> None:
    early = b"HTTP/1.1 100 Continue\r\nX-Early: 1\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"

    async def work(engine: Engine, stage: Stage) -> Any:
        answer = await engine.send(sending(stage.url, b"x"))
        said = answer.status, answer.headers.get("x-early"), answer.headers["content-length"]
        await answer.close()
        return said

    assert run(work, says(early + OK)) == (200, None, "2")


def test_a_body_that_ends_with_the_connection_is_given_as_it_came(run: Callable[..., Any]) -> None:
    async def work(engine: Engine, stage: Stage) -> Any:
        return await told(engine, sending(stage.url))

    assert run(work, says(b"HTTP/1.1 500 Oops\r\n\r\n", b"it broke")) == (500, b"it broke")


@pytest.mark.parametrize("then", ["close", "reset", "silence"])
@pytest.mark.parametrize(
    "said", [b"Content-Length: 9\r\n\r\nab", b"Transfer-Encoding: chunked\r\n\r\n3\r\nab"]
)
def test_a_body_cut_off_fails_as_a_body(said: bytes, then: str, run: Callable[..., Any]) -> None:
    async def work(engine: Engine, stage: Stage) -> str:
        answer = await engine.send(sending(stage.url, method="GET", idle_s=0.3))
        with pytest.raises(LinkFailure) as caught:
            while await answer.piece():
                pass
        await answer.close()
        return caught.value.phase

    assert run(work, says(b"HTTP/1.1 200 OK\r\n" + said, then=then)) == "body"


@pytest.mark.parametrize("then", ["close", "reset", "silence"])
@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nContent-Le", b"\0\1\2\r\n\r\n"])
def test_no_answer_fails_as_an_exchange(said: bytes, then: str, run: Callable[..., Any]) -> None:
    async def work(engine: Engine, stage: Stage) -> str:
        with pytest.raises(LinkFailure) as caught:
            await told(engine, sending(stage.url, b"x", idle_s=0.3))
        return caught.value.phase

    assert run(work, says(said, then=then)) == "exchange"


def test_headers_that_come_by_drops_have_a_last_moment(run: Callable[..., Any]) -> None:
    drops = [b"HTTP/1.1 200 OK\r\nX: ", *[b"y"] * 200]

    async def work(engine: Engine, stage: Stage) -> tuple[str, bool]:
        began = time.monotonic()
        with pytest.raises(LinkFailure) as caught:
            await told(engine, sending(stage.url, b"x")._replace(answer_s=0.4))
        return caught.value.phase, time.monotonic() - began < 8

    assert run(work, says(*drops, pause_s=0.05)) == ("exchange", True)


def test_nobody_there_fails_as_a_connect(run: Callable[..., Any]) -> None:
    async def work(engine: Engine, stage: Stage) -> str:
        with pytest.raises(LinkFailure) as caught:
            await told(engine, sending("http://127.0.0.1:9/x", b"x"))
        return caught.value.phase

    assert run(work, says(OK)) == "connect"


def test_a_host_that_does_not_shake_hands_in_time_fails_as_a_connect(run: Callable[..., Any]) -> None:
    async def work(engine: Engine, stage: Stage) -> str:
        with socket.create_server(("127.0.0.1", 0)) as mute:
            url = f"https://127.0.0.1:{mute.getsockname()[1]}/"
            with pytest.raises(LinkFailure) as caught:
                await told(engine, sending(url, b"x")._replace(connect_s=0.3))
            return caught.value.phase

    assert run(work, says(OK)) == "connect"


def test_a_connection_is_used_again_and_only_after_a_whole_answer(run: Callable[..., Any]) -> None:
    async def work(engine: Engine, stage: Stage) -> list[int]:
        counts = []
        for whole in (True, True, False, True):
            answer = await engine.send(sending(stage.url, method="GET"))
            while whole and await answer.piece():
                pass
            await answer.close()
            counts.append(len(stage.requests))
        return counts

    long = b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n" + b"x" * 1000
    assert run(work, keeps(OK, OK, long, then="silence"), keeps(OK)) == [1, 1, 1, 2]


@NEITHER_IN_THE_REFERENCE
@pytest.mark.parametrize("more", [b"HTTP/1.1 200 OK\r\n", OK, b"\0"])
def test_what_nobody_asked_for_is_never_taken_for_the_next_answer(
    more: bytes, run: Callable[..., Any]
) -> None:
    async def work(engine: Engine, stage: Stage) -> Any:
        first = await told(engine, sending(stage.url))
        return first, await told(engine, sending(stage.url)), len(stage.requests)

    assert run(work, says(OK + more, then="silence"), says(CREATED)) == ((200, b"ok"), (201, b"{}"), 2)


def test_a_connection_that_the_service_wants_to_close_is_not_used_again(run: Callable[..., Any]) -> None:
    closing = OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")

    async def work(engine: Engine, stage: Stage) -> Any:
        first = await told(engine, sending(stage.url))
        return first, await told(engine, sending(stage.url)), len(stage.requests)

    assert run(work, says(closing, then="silence")) == ((200, b"ok"), (200, b"ok"), 2)


def test_a_connection_that_was_closed_meanwhile_is_not_used(run: Callable[..., Any]) -> None:
    async def work(engine: Engine, stage: Stage) -> Any:
        await told(engine, sending(stage.url))
        await asyncio.sleep(0.05)
        return await told(engine, sending(stage.url)), len(stage.requests)

    assert run(work, says(OK), says(OK)) == ((200, b"ok"), 2)


def test_a_connection_closed_while_this_program_was_busy_elsewhere_is_not_used(
    run: Callable[..., Any],
) -> None:
    def serve(listener: socket.socket) -> None:
        for _ in range(2):
            link, _ = listener.accept()
            link.recv(65536)
            link.sendall(OK)
            time.sleep(0.05)
            link.close()

    async def work(engine: Engine, stage: Stage) -> Any:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            serving = threading.Thread(target=serve, args=(listener,))
            serving.start()
            url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
            await told(engine, sending(url))
            time.sleep(0.3)  # the loop hears of nothing meanwhile
            said = await told(engine, sending(url))
            await asyncio.to_thread(serving.join)
            return said

    assert run(work, says(OK)) == (200, b"ok")


def test_a_request_that_a_dying_connection_swallowed_is_not_sent_again(run: Callable[..., Any]) -> None:
    """The service closes just when the second request is on its way: nobody knows whether it had its effect."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        await reader.readuntil(b"\r\n\r\n")
        swallowed.append(1)

    async def work(engine: Engine, stage: Stage) -> Any:
        phases = []
        for method, body in (("POST", b"x"), ("GET", b""), ("PUT", b"x"), ("DELETE", b"")):
            await told(engine, sending(stage.url))
            with pytest.raises(LinkFailure) as caught:
                await told(engine, sending(stage.url, body, method=method))
            phases.append(caught.value.phase)
        return phases, len(stage.requests)

    swallowed: list[int] = []
    assert run(work, script) == (["exchange"] * 4, 4)
    assert len(swallowed) == 4


def test_an_answer_before_the_end_of_the_body_is_the_answer(run: Callable[..., Any]) -> None:
    early_answer(run, "reads on")


@NEITHER_IN_THE_REFERENCE
@pytest.mark.parametrize("how", ["closes", "closes at once"])
def test_an_answer_before_the_end_of_the_body_outlives_the_connection(
    how: str, run: Callable[..., Any]
) -> None:
    early_answer(run, how)


def early_answer(run: Callable[..., Any], how: str) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if how != "closes at once":
            await reader.readexactly(100)
        writer.write(REFUSED)
        await writer.drain()
        if how == "reads on":
            while await reader.read(1 << 20):
                pass

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(64):
            await asyncio.sleep(0.001)
            yield b"x" * 65536

    async def work(engine: Engine, stage: Stage) -> Any:
        return await told(engine, sending(stage.url, endless(), size=64 * 65536))

    assert run(work, script) == (409, b"{}")


@NEITHER_IN_THE_REFERENCE
def test_a_refusal_ends_the_sending_and_the_connection(run: Callable[..., Any]) -> None:
    """A body of 50 GB that the service has refused is not sent to its end, nor is its rest taken for a request."""
    handed: list[int] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(REFUSED)
        while await reader.read(1 << 20):
            pass

    async def slow() -> AsyncIterator[bytes]:
        for number in range(1000):
            handed.append(number)
            yield b"x"
            await asyncio.sleep(0.01)

    async def work(engine: Engine, stage: Stage) -> Any:
        first = await told(engine, sending(stage.url, slow(), size=1000))
        return first, await told(engine, sending(stage.url)), len(stage.requests)

    assert run(work, script, says(OK)) == ((409, b"{}"), (200, b"ok"), 2)
    assert len(handed) < 500


def test_what_the_bodys_source_raises_comes_through_and_the_connection_is_let_go(
    run: Callable[..., Any],
) -> None:
    ended: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ended.append(await reader.read(-1))

    async def broken() -> AsyncIterator[bytes]:
        yield b"abc"
        raise ValueError("the source is gone")

    async def work(engine: Engine, stage: Stage) -> None:
        with pytest.raises(ValueError, match="the source is gone"):
            await told(engine, sending(stage.url, broken(), size=10))
        while not ended:
            await asyncio.sleep(0.01)

    run(work, script)

    assert ended == [b"abc"]


@pytest.mark.parametrize("when", ["before the answer", "within the answer"])
def test_who_is_cancelled_leaves_no_connection_behind(when: str, run: Callable[..., Any]) -> None:
    ended: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if when == "within the answer":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        try:
            ended.append(await reader.read(-1))
        except ConnectionResetError:
            ended.append(b"reset")

    async def work(engine: Engine, stage: Stage) -> None:
        asking = asyncio.ensure_future(told(engine, sending(stage.url, method="GET", idle_s=10)))
        while not stage.requests:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        asking.cancel()
        await asyncio.wait([asking])
        assert asking.cancelled()
        while not ended:
            await asyncio.sleep(0.01)

    run(work, script)


def test_a_service_that_takes_no_more_bytes_is_given_up(run: Callable[..., Any]) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * (1 << 20)

    async def work(engine: Engine, stage: Stage) -> str:
        with pytest.raises(LinkFailure) as caught:
            await told(engine, sending(stage.url, endless(), size=1 << 40, idle_s=0.3))
        return caught.value.phase

    assert run(work, script) == "exchange"


def test_an_answer_that_nobody_reads_on_stays_with_the_service(run: Callable[..., Any]) -> None:
    """Memory holds no more of an answer than a few pieces, however long it is."""
    sent: list[int] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        for _ in range(1000):
            writer.write(b"x" * 100_000)
            await writer.drain()
            sent.append(100_000)

    async def work(engine: Engine, stage: Stage) -> int:
        answer = await engine.send(sending(stage.url, method="GET"))
        await answer.piece()
        await asyncio.sleep(0.5)
        held = sum(sent)
        got = 0
        while piece := await answer.piece():
            got += len(piece)
        await answer.close()
        assert got > 99_000_000
        return held

    assert run(work, script) < 50_000_000


def test_hundreds_of_requests_are_under_way_at_once(run: Callable[..., Any]) -> None:
    together = asyncio.Barrier(200)

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await together.wait()
        writer.write(OK)

    async def work(engine: Engine, stage: Stage) -> set[tuple[int, bytes]]:
        return set(await asyncio.gather(*[told(engine, sending(stage.url, idle_s=10)) for _ in range(200)]))

    assert run(work, script) == {(200, b"ok")}


def test_cookies_and_the_users_proxies_are_of_no_interest(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    baked = OK.replace(b"\r\n\r\n", b"\r\nSet-Cookie: a=b\r\nConnection: close\r\n\r\n")

    async def work(engine: Engine, stage: Stage) -> list[bytes]:
        assert await told(engine, sending(stage.url)) == (200, b"ok")
        await told(engine, sending(stage.url))
        return stage.requests

    assert not [head for head in run(work, says(baked)) if b"cookie" in head.lower()]


def test_an_engine_that_is_closed_closes_its_connections(run: Callable[..., Any]) -> None:
    ended: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        ended.append(await reader.read(-1))

    async def work(engine: Engine, stage: Stage) -> None:
        await told(engine, sending(stage.url))
        await engine.close()
        while not ended:
            await asyncio.sleep(0.01)

    run(work, script)


def test_only_engines_that_there_are_may_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACDRUN_WIRE", "curl")

    with pytest.raises(UsageError, match="curl"):
        open_engine()


def test_trust_is_the_public_authorities_or_those_that_the_user_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from runner.remote.trust import trusted

    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    context = trusted()
    monkeypatch.setenv("SSL_CERT_DIR", "/nowhere")

    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.cert_store_stats()["x509_ca"] > 100
    assert trusted().cert_store_stats()["x509_ca"] == 0
