"""Whom the wire talks to, for how long, and how much it takes from them. Source: reliability.md §9, N1 to N23."""

import asyncio
import datetime
import gzip
import ipaddress
import socket
import ssl
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from runner.model.errors import AcdrunError, BadAnswer, Denied, Throttled, Truncated, Unavailable
from runner.model.policy import RetryPolicy
from runner.model.units import Backoff
from runner.remote import retry
from runner.remote.engines import open_engine
from runner.remote.http import Request, Stream
from runner.remote.httpx_engine import HttpxEngine
from runner.remote.retry import Retry
from runner.remote.throttle import Throttle
from runner.remote.wire import Wire
from tests.rooms.remote.scripts import Stage, says
from tests.rooms.remote.test_wire_bytes import HEAD, ONCE, THRICE, ask, each_engine, run  # noqa: F401
from tests.rooms.remote.world import URL, Clock, classify, wire

x509 = pytest.importorskip("cryptography.x509")
NOW = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)


@pytest.mark.torture
def test_N1_a_name_that_nobody_knows_is_unavailable_after_all_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def unknown(host: str, *args: Any, **more: Any) -> Any:
        asked.append(host)
        raise socket.gaierror(-2, "Name or service not known")

    async def work() -> None:
        engine = open_engine()
        with retry.following(Retry(THRICE)):
            await Wire(engine, Throttle(concurrency=1), classify).call(
                Request("GET", "https://drive.example/")
            )

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(Unavailable):
        asyncio.run(work())

    assert len(asked) == 3


def after(seconds: float) -> str:
    """The other form of `Retry-After`."""
    return format_datetime(NOW + datetime.timedelta(seconds=seconds), usegmt=True)


@pytest.mark.torture
@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("wish", "waits"), [("40", 40.0), (after(40), 40.0), ("86400", 300.0), (after(86400), 300.0)]
)
def test_N4_the_wait_that_a_service_asks_for_is_kept_and_capped(wish: str, waits: float, status: int) -> None:
    clock = Clock()
    asked: list[float] = []

    def service(request: httpx.Request) -> httpx.Response:
        asked.append(clock.now)
        if len(asked) == 1:
            return httpx.Response(status, headers={"Retry-After": wish, "Content-Length": "0"})
        return httpx.Response(200, content=b"ok")

    throttle = Throttle(concurrency=4, clock=clock, sleep=clock.sleep)
    engine = HttpxEngine(transport=lambda: httpx.MockTransport(service))
    line = Wire(engine, throttle, classify, clock=clock, now=NOW.timestamp)

    async def work() -> None:
        with retry.following(Retry(RetryPolicy(), clock=clock, sleep=clock.sleep)):
            await line.call(Request("GET", URL))

    clock.run(work())

    assert asked == [0.0, waits]


@pytest.mark.torture
def test_N19_a_socket_that_stalls_gives_its_place_to_the_next() -> None:
    whole = says(HEAD + b"Content-Length: 2\r\n\r\nok")

    async def work(line: Wire, stage: Stage) -> bytes:
        alone = Wire(open_engine(), Throttle(concurrency=1), classify)
        with pytest.raises(Unavailable):
            await ask(alone, stage)
        with pytest.raises(Truncated):
            await ask(alone, stage)
        return await ask(alone, stage)

    stalls = [says(then="silence"), says(HEAD + b"Content-Length: 9\r\n\r\nx", then="silence")]
    assert run(work, *stalls, whole, policy=ONCE) == b"ok"


@pytest.mark.torture
@pytest.mark.parametrize(
    "location",
    [
        "https://drive.example/",
        "http://drive.example/",
        "//drive.example/x",
        "http://169.254.169.254/latest/meta-data/",
        "http://[fe80::1]/",
        "file:///etc/passwd",
        "/elsewhere",
        "",
    ],
)
def test_N20_no_redirect_is_followed_wherever_it_leads(location: str) -> None:
    hosts: list[str] = []

    async def service(request: httpx.Request) -> httpx.Response:
        hosts.append(request.url.host)
        await request.aread()
        return httpx.Response(307, headers={"Location": location})

    async def body() -> Any:
        yield b"secret"

    request = Request("POST", URL, body=Stream(6, body), repeatable=False)
    with retry.following(Retry(THRICE)), pytest.raises(BadAnswer, match="not followed"):
        asyncio.run(wire(service).call(request))

    assert hosts == ["127.0.0.1"]


@pytest.mark.torture
@pytest.mark.parametrize(
    "url", ["http://drive.example/", "http://169.254.169.254/", "http://10.0.0.1/", "ftp://127.0.0.1/"]
)
def test_N20_nobody_but_this_machine_is_spoken_to_in_the_clear(url: str) -> None:
    asked: list[httpx.Request] = []

    with pytest.raises(BadAnswer):
        asyncio.run(wire(asked.append).call(Request("GET", url)))

    assert asked == []


def certificate(folder: Path, *, host: str, days: int) -> tuple[Path, Path]:
    """An authority that the client trusts, and what it signed: for a host, until so many days from now."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    now = datetime.datetime.now(datetime.UTC)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, word)]) for word in ("ca", "server")]
    made = []
    for number, (key, name) in enumerate(zip(keys, names, strict=True)):
        leaf = number == 1
        builder = (
            x509.CertificateBuilder().subject_name(name).issuer_name(names[0]).public_key(key.public_key())
        )
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - datetime.timedelta(days=30))
        builder = builder.not_valid_after(now + datetime.timedelta(days=days if leaf else 30))
        builder = builder.add_extension(x509.BasicConstraints(ca=not leaf, path_length=None), critical=True)
        if leaf:
            spoken = x509.IPAddress(ipaddress.ip_address(host)) if host[0].isdigit() else x509.DNSName(host)
            builder = builder.add_extension(x509.SubjectAlternativeName([spoken]), critical=False)
        made.append(builder.sign(keys[0], hashes.SHA256()))
    form = serialization.Encoding.PEM
    private = keys[1].private_bytes(form, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "ca.pem").write_bytes(made[0].public_bytes(form))
    (folder / "server.pem").write_bytes(private + made[1].public_bytes(form))
    return folder / "ca.pem", folder / "server.pem"


def secure(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, host: str, days: int
) -> tuple[AcdrunError | bytes, int]:
    """Ask a server with such a certificate; what comes of it, and how many requests it saw."""
    authority, own = certificate(folder, host=host, days=days)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trust.load_cert_chain(own)
    requests: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(HEAD + b"Content-Length: 2\r\n\r\nok")
        writer.close()

    async def whole() -> AcdrunError | bytes:
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=trust)
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        engine = open_engine()
        try:
            with retry.following(Retry(THRICE)):
                return (await Wire(engine, Throttle(concurrency=1), classify).call(Request("GET", url))).body
        except AcdrunError as error:
            return error
        finally:
            await engine.close()
            server.close()

    return asyncio.run(whole()), len(requests)


@pytest.mark.torture
def test_N21_a_certificate_that_has_expired_or_is_another_hosts_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert secure(tmp_path, monkeypatch, host="127.0.0.1", days=9) == (b"ok", 1)

    expired, wrong = (
        secure(tmp_path, monkeypatch, host="127.0.0.1", days=-1),
        secure(tmp_path, monkeypatch, host="drive.example", days=9),
    )

    for error, requests in (expired, wrong):
        assert isinstance(error, Denied)
        assert "certificate" in str(error)
        assert requests == 0


@pytest.mark.torture
def test_N23_what_is_packed_is_never_unpacked() -> None:
    bomb = gzip.compress(b"0" * 50_000_000)
    packed = HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)

    with pytest.raises(BadAnswer, match="encoded"):
        run(ask, says(packed, bomb))


@pytest.mark.torture
def test_N5_a_storm_ends_with_the_budget_and_is_told_as_throttled() -> None:
    clock = Clock()
    policy = RetryPolicy(
        budget=datetime.timedelta(minutes=2), backoff=Backoff(*[datetime.timedelta(seconds=5)] * 2)
    )
    throttle = Throttle(concurrency=4, clock=clock, sleep=clock.sleep)
    line = wire(lambda _: httpx.Response(429), throttle=throttle, clock=clock)
    patient = Retry(policy, clock=clock, sleep=clock.sleep)

    async def worker() -> None:
        with retry.following(patient):
            await line.call(Request("GET", URL))

    async def work() -> list[BaseException | None]:
        return await asyncio.gather(*[worker() for _ in range(8)], return_exceptions=True)

    ends = clock.run(work())

    assert {type(end) for end in ends} == {Throttled}
    assert clock.now < 120 + 3 * 60
