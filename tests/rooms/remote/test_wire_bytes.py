"""What the wire makes of bytes that no proper server sends. Source: reliability.md §9, N2 to N23."""

import asyncio
import shutil
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from runner.model.errors import AcdrunError, BadAnswer, Changed, Denied, Truncated, Unavailable, Unclear
from runner.model.policy import RetryPolicy
from runner.model.units import Backoff
from runner.remote import retry
from runner.remote.engines import open_engine
from runner.remote.http import Request, Stream
from runner.remote.retry import Retry
from runner.remote.throttle import Throttle
from runner.remote.wire import Wire
from tests.rooms.remote.scripts import Script, Stage, playing, reads, says
from tests.rooms.remote.world import classify


@pytest.fixture(params=["fast", "httpx"], autouse=True)
def each_engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every claim of this file is held by both."""
    monkeypatch.setenv("ACDRUN_WIRE", request.param)


HEAD = b"HTTP/1.1 200 OK\r\n"
ONCE = RetryPolicy(calls=1)
THRICE = RetryPolicy(calls=3, backoff=Backoff(timedelta(0), timedelta(0)))


def run(
    work: Callable[[Wire, Stage], Coroutine[Any, Any, Any]], *scripts: Script, policy: RetryPolicy = ONCE
) -> Any:
    """Do the work against a server that plays the scripts."""

    async def whole() -> Any:
        engine = open_engine()
        try:
            async with playing(*scripts) as stage:
                with retry.following(Retry(policy)):
                    return await work(Wire(engine, Throttle(concurrency=4), classify, remote="cloud"), stage)
        finally:
            await engine.close()

    return asyncio.run(asyncio.wait_for(whole(), 20))


async def ask(wire: Wire, stage: Stage) -> bytes:
    return (await wire.call(Request("GET", stage.url, idle_s=0.3))).body


async def download(wire: Wire, stage: Stage) -> bytes:
    async with wire.stream(Request("GET", stage.url, idle_s=0.3)) as answer:
        return b"".join([chunk async for chunk in answer.chunks()])


CUT = {
    "length, closed early": says(HEAD + b"Content-Length: 10\r\n\r\nshort"),
    "length, reset early": says(HEAD + b"Content-Length: 10\r\n\r\nshort", then="reset"),
    "length, silent early": says(HEAD + b"Content-Length: 10\r\n\r\nshort", then="silence"),
    "chunks, no last one": says(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n"),
    "chunks, cut inside": says(HEAD + b"Transfer-Encoding: chunked\r\n\r\nff\r\nshort"),
    "no length at all": says(HEAD + b"Connection: close\r\n\r\nlooks complete"),
    "no length, gzip": says(HEAD + b"Content-Encoding: identity\r\n\r\n\x1f\x8b\x08"),
}


@pytest.mark.torture
@pytest.mark.parametrize("script", CUT.values(), ids=CUT.keys())
@pytest.mark.parametrize("work", [ask, download])
def test_N7_an_answer_that_is_not_whole_is_truncated(
    script: Script, work: Callable[[Wire, Stage], Coroutine[Any, Any, bytes]]
) -> None:
    with pytest.raises(Truncated):
        run(work, script)


@pytest.mark.parametrize("work", [ask, download])
def test_an_answer_that_is_whole_is_whole(
    work: Callable[[Wire, Stage], Coroutine[Any, Any, bytes]],
) -> None:
    whole = says(HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")

    assert run(work, whole) == b"abc"


@pytest.mark.torture
def test_N6_a_truncated_answer_is_asked_for_again() -> None:
    whole = says(HEAD + b"Content-Length: 2\r\n\r\nok")

    assert run(ask, CUT["length, closed early"], CUT["chunks, no last one"], whole, policy=THRICE) == b"ok"


BROKEN = {
    "nothing": says(),
    "reset": says(then="reset"),
    "silence": says(then="silence"),
    "not HTTP": says(b"SSH-2.0-OpenSSH\r\n\r\n"),
    "half a head": says(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "an endless header": says(HEAD + b"X: " + b"y" * 300_000),
    "endless headers": says(HEAD, *[b"X-%d: %b\r\n" % (n, b"y" * 1000) for n in range(300)]),
}


@pytest.mark.parametrize("script", BROKEN.values(), ids=BROKEN.keys())
def test_no_proper_answer_is_unavailable_and_soon(script: Script) -> None:
    begun = time.monotonic()

    with pytest.raises(Unavailable) as caught:
        run(ask, script)

    assert type(caught.value) is Unavailable
    assert time.monotonic() - begun < 3


@pytest.mark.torture
def test_N19_a_body_that_only_trickles_is_given_up() -> None:
    parts = [b"x"] * 100

    with pytest.raises(Truncated, match="trickles"):
        run(download, says(HEAD + b"Content-Length: 100\r\n\r\n", *parts, pause_s=0.05))


@pytest.mark.torture
def test_N23_an_endless_answer_is_bounded() -> None:
    async def work(wire: Wire, stage: Stage) -> Any:
        return await wire.call(Request("GET", stage.url), most=100_000)

    flood = says(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *[b"2710\r\n" + b"x" * 10_000 + b"\r\n"] * 500)

    with pytest.raises(BadAnswer, match="more than 100000 bytes"):
        run(work, flood)


@pytest.mark.torture
def test_N1_nobody_there_is_unavailable_after_all_tries() -> None:
    async def work(wire: Wire, stage: Stage) -> Any:
        return await wire.call(Request("POST", "http://127.0.0.1:9/x", body=b"x", repeatable=False))

    with pytest.raises(Unavailable) as caught:
        run(work, says(), policy=THRICE)

    assert not isinstance(caught.value, Unclear)


def upload(size: int, piece: int = 65536) -> Callable[[Wire, Stage], Coroutine[Any, Any, int]]:
    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, size, piece):
            yield b"x" * min(piece, size - start)

    async def work(wire: Wire, stage: Stage) -> int:
        request = Request("POST", stage.url, body=Stream(size, pieces), repeatable=False, idle_s=1.0)
        return (await wire.call(request)).status

    return work


CREATED = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}"
BIG = 64 << 20


@pytest.mark.torture
@pytest.mark.parametrize("part", [0.01, 0.5], ids=["1%", "50%"])
def test_N2_an_upload_cut_in_mid_body_is_sent_again(part: float) -> None:
    cut = reads(int(BIG * part), then="reset")

    assert run(upload(BIG), cut, reads(BIG, CREATED), policy=THRICE) == 201


@pytest.mark.torture
def test_N2_an_upload_reset_before_its_last_byte_is_never_taken_for_done() -> None:
    with pytest.raises(Unavailable):
        run(upload(300_000), reads(299_999, then="reset"), policy=ONCE)


def test_an_upload_answered_before_its_end_has_that_answer() -> None:
    refusal = b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(100)
        writer.write(refusal)
        await writer.drain()
        while await reader.read(1 << 20):
            pass

    with pytest.raises(AcdrunError, match="not there"):
        run(upload(4 << 20), script)


ALL_SENT = {
    "closed": reads(1000),
    "reset": reads(1000, then="reset"),
    "silence": reads(1000, then="silence"),
    "half an answer": reads(1000, b"HTTP/1.1 201 Created\r\nContent-Length: 99\r\n\r\n{"),
    "an answer without an end": reads(1000, b"HTTP/1.1 201 Created\r\n\r\n{}"),
    "nonsense": reads(1000, b"\x00\x01\x02\r\n\r\n"),
    "504, empty": reads(1000, b"HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 0\r\n\r\n"),
    "500, cut": reads(1000, b"HTTP/1.1 500 Oops\r\nContent-Length: 99\r\n\r\n{"),
}


@pytest.mark.torture
@pytest.mark.parametrize("script", ALL_SENT.values(), ids=ALL_SENT.keys())
def test_N3_an_upload_sent_in_full_without_a_clear_answer_is_unclear(script: Script) -> None:
    with pytest.raises(Unclear):
        run(upload(1000), script, reads(1000, CREATED), policy=THRICE)


@pytest.mark.parametrize("size", [19, 21])
def test_a_body_of_another_length_than_declared_is_never_completed(size: int) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"x" * 10
        yield b"x" * 10

    async def work(wire: Wire, stage: Stage) -> Any:
        request = Request("POST", stage.url, body=Stream(size, pieces), repeatable=False, idle_s=0.5)
        return await wire.call(request)

    with pytest.raises(Changed):
        run(work, says(then="silence"), policy=THRICE)


def test_connections_are_used_again() -> None:
    async def twice(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(3):
            writer.write(HEAD + b"Content-Length: 2\r\n\r\nok")
            await reader.readuntil(b"\r\n\r\n")

    async def work(wire: Wire, stage: Stage) -> int:
        for _ in range(3):
            await ask(wire, stage)
        return len(stage.requests)

    assert run(work, twice) == 1


@pytest.mark.torture
def test_N3_an_upload_that_a_dying_connection_swallowed_is_unclear_and_not_sent_again() -> None:
    """The connection was kept from an earlier request: libraries send again by themselves there."""
    bodies: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"Content-Length: 2\r\n\r\nok")
        await reader.readuntil(b"\r\n\r\n")
        bodies.append(await reader.readexactly(1000))

    async def work(wire: Wire, stage: Stage) -> None:
        await ask(wire, stage)
        await upload(1000)(wire, stage)

    with pytest.raises(Unclear):
        run(work, script, reads(1000, CREATED), policy=THRICE)
    assert len(bodies) == 1


@pytest.mark.torture
@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes a certificate with openssl")
def test_N21_a_server_whose_certificate_nobody_signed_is_refused_at_once(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1"]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trust.load_cert_chain(certificate, key)
    connections = []

    async def whole() -> None:
        server = await asyncio.start_server(lambda *_: connections.append(1), "127.0.0.1", 0, ssl=trust)
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        engine = open_engine()
        wire = Wire(engine, Throttle(concurrency=1), classify, remote="cloud")
        try:
            with retry.following(Retry(THRICE)):
                await wire.call(Request("GET", url))
        finally:
            await engine.close()
            server.close()

    with pytest.raises(Denied, match="certificate"):
        asyncio.run(whole())
    assert connections == []
