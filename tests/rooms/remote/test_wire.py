"""The choke point: order, repeats, tokens, storms."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest

from runner.model.errors import BadAnswer, Changed, LoginNeeded, NotFound, Throttled, Unavailable, Unclear
from runner.model.policy import RetryPolicy
from runner.model.units import Backoff
from runner.remote import retry
from runner.remote.http import Request, Stream
from runner.remote.retry import Retry
from runner.remote.throttle import Throttle
from runner.remote.wire import Trace
from tests.rooms.remote.world import URL, Clock, wire

QUICK = RetryPolicy(calls=4, backoff=Backoff(timedelta(0), timedelta(0)))


class Answers:
    """Answers one after the other, the last one for ever; remembers what was asked."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[httpx.Request] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        self.asked.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


def said(status: int, body: bytes = b"{}", **headers: str) -> httpx.Response:
    return httpx.Response(status, content=body, headers={k.replace("_", "-"): v for k, v in headers.items()})


class Tokens:
    """An authoriser that counts its renewals."""

    def __init__(self) -> None:
        self.renewed: list[str] = []

    async def bearer(self) -> str:
        return f"Bearer canary{len(self.renewed)}"

    async def renew(self, refused: str) -> None:
        self.renewed.append(refused)


def stream(*chunks: bytes) -> Stream:
    async def chunked() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    return Stream(sum(map(len, chunks)), chunked)


def test_a_good_call_is_one_request_with_its_length_and_no_encoding() -> None:
    service = Answers(said(200, b'{"a":1}'))

    reply = asyncio.run(wire(service).call(Request("POST", URL, body=b"hello")))

    assert (reply.status, reply.body) == (200, b'{"a":1}')
    headers = service.asked[0].headers
    assert headers["content-length"] == "5"
    assert headers["accept-encoding"] == "identity"
    assert headers["user-agent"].startswith("acdrun/")
    assert "transfer-encoding" not in headers
    assert len(service.asked) == 1


def test_a_streamed_body_has_a_length_and_is_opened_anew_for_every_try() -> None:
    service = Answers(said(503), said(200))

    with retry.following(Retry(QUICK)):
        asyncio.run(wire(service).call(Request("PUT", URL, body=stream(b"ab", b"cde"))))

    assert [request.content for request in service.asked] == [b"abcde", b"abcde"]
    assert {request.headers["content-length"] for request in service.asked} == {"5"}


@pytest.mark.torture
@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_N4_a_passing_fault_is_tried_again_as_the_policy_says(status: int) -> None:
    service = Answers(said(status))

    with retry.following(Retry(QUICK)), pytest.raises(Unavailable):
        asyncio.run(wire(service).call(Request("GET", URL)))

    assert len(service.asked) == 4


def test_a_definite_answer_is_final() -> None:
    service = Answers(said(404))

    with retry.following(Retry(QUICK)), pytest.raises(NotFound) as caught:
        asyncio.run(wire(service).call(Request("GET", URL)))

    assert caught.value.remote == "cloud"
    assert len(service.asked) == 1


@pytest.mark.torture
@pytest.mark.parametrize("failure", [said(500), said(504, b""), httpx.ReadTimeout(""), httpx.ReadError("")])
def test_N4_a_write_sent_in_full_is_unclear_and_never_repeated_by_the_wire(
    failure: httpx.Response | Exception,
) -> None:
    service = Answers(failure)

    with retry.following(Retry(QUICK)), pytest.raises(Unclear):
        asyncio.run(wire(service).call(Request("POST", URL, body=stream(b"all"), repeatable=False)))

    assert len(service.asked) == 1


def test_a_write_that_never_connected_is_repeated() -> None:
    service = Answers(httpx.ConnectError("refused"), said(201))

    with retry.following(Retry(QUICK)):
        reply = asyncio.run(wire(service).call(Request("POST", URL, body=b"all", repeatable=False)))

    assert reply.status == 201


def test_a_write_refused_for_too_many_requests_had_no_effect_and_is_repeated() -> None:
    service = Answers(said(429, retry_after="3"), said(201))
    clock = Clock()
    throttle = Throttle(concurrency=4, clock=clock, sleep=clock.sleep)

    async def work() -> int:
        with retry.following(Retry(QUICK, clock=clock, sleep=clock.sleep)):
            request = Request("POST", URL, body=b"all", repeatable=False)
            return (await wire(service, throttle=throttle, clock=clock).call(request)).status

    assert clock.run(work()) == 201
    assert clock.now == 3


def test_the_sources_own_failure_passes_by_unrepeated() -> None:
    service = Answers(said(201))
    opened = []

    async def shrinking() -> AsyncIterator[bytes]:
        opened.append(1)
        yield b"ab"
        raise Changed("shrank")

    with retry.following(Retry(QUICK)), pytest.raises(Changed, match="shrank"):
        asyncio.run(wire(service).call(Request("POST", URL, body=Stream(5, shrinking))))

    assert len(opened) == 1


@pytest.mark.torture
def test_A1_a_refused_token_is_renewed_and_the_call_repeated_once() -> None:
    service, tokens = Answers(said(401, b""), said(200)), Tokens()

    asyncio.run(wire(service, authoriser=tokens).call(Request("POST", URL, body=b"x", repeatable=False)))

    assert tokens.renewed == ["Bearer canary0"]
    assert [request.headers["authorization"] for request in service.asked] == [
        "Bearer canary0",
        "Bearer canary1",
    ]


def test_a_token_refused_twice_needs_a_person() -> None:
    service, tokens = Answers(said(401)), Tokens()

    with pytest.raises(LoginNeeded) as caught:
        asyncio.run(wire(service, authoriser=tokens).call(Request("GET", URL)))

    assert caught.value.hint == "acdrun login cloud"
    assert len(service.asked) == 2


def test_a_signed_address_is_asked_without_the_token() -> None:
    service = Answers(said(200))

    asyncio.run(wire(service, authoriser=Tokens()).call(Request("GET", URL, authorised=False)))

    assert "authorization" not in service.asked[0].headers


@pytest.mark.torture
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_N20_a_redirect_is_refused_and_its_query_not_shown(status: int) -> None:
    service = Answers(said(status, location="https://s3.example/x?X-Amz-Signature=canary"))

    with pytest.raises(BadAnswer, match=r"s3\.example/x") as caught:
        asyncio.run(wire(service).call(Request("GET", URL)))

    assert "canary" not in str(caught.value)
    assert len(service.asked) == 1


def test_dot_segments_are_sent_as_they_are() -> None:
    service = Answers(said(200))

    asyncio.run(wire(service).call(Request("GET", "http://127.0.0.1:1/a/../b/./c?d=/../e")))

    assert service.asked[0].extensions["target"] == b"/a/../b/./c?d=/../e"


@pytest.mark.torture
def test_N23_an_answer_larger_than_allowed_is_refused() -> None:
    service = Answers(said(200, b"x" * 1001))

    with pytest.raises(BadAnswer, match="more than 1000 bytes"):
        asyncio.run(wire(service).call(Request("GET", URL), most=1000))


@pytest.mark.torture
def test_N23_an_encoded_answer_is_refused() -> None:
    async def bomb(_: httpx.Request) -> httpx.Response:
        headers = {"content-encoding": "gzip", "content-length": "3"}
        return httpx.Response(200, headers=headers, stream=httpx.ByteStream(b"abc"))

    with pytest.raises(BadAnswer, match="encoded"):
        asyncio.run(wire(bomb).call(Request("GET", URL)))


def test_every_try_is_traced_without_its_query() -> None:
    service, traces = Answers(said(500), httpx.ConnectError("no"), said(200)), list[Trace]()

    with retry.following(Retry(QUICK)):
        asyncio.run(wire(service, trace=traces.append).call(Request("GET", URL + "?token=canary")))

    assert [(trace.method, trace.url, trace.status) for trace in traces] == [
        ("GET", URL, 500),
        ("GET", URL, None),
        ("GET", URL, 200),
    ]


@pytest.mark.torture
def test_N5_a_storm_of_429_slows_all_down_together_and_costs_nobody_a_try() -> None:
    clock = Clock()
    throttle = Throttle(concurrency=16, clock=clock, sleep=clock.sleep)
    asked = []
    busy = 0
    storm_s = 20.0

    async def service(request: httpx.Request) -> httpx.Response:
        nonlocal busy
        asked.append(clock.now)
        busy += 1
        await clock.sleep(0.05)
        busy -= 1
        return said(429 if clock.now < storm_s or busy > 8 else 200, b'{"message":"Rate exceeded"}')

    policy = RetryPolicy(calls=2, backoff=Backoff(timedelta(seconds=1), timedelta(seconds=5)))
    patient = Retry(policy, clock=clock, sleep=clock.sleep)
    line = wire(service, throttle=throttle, clock=clock)
    left = iter(range(400))

    async def worker() -> None:
        for _ in left:
            await line.call(Request("GET", URL))

    async def work() -> None:
        with retry.following(patient):
            await asyncio.gather(*[worker() for _ in range(16)])

    clock.run(work())

    in_storm = [instant for instant in asked if instant < storm_s]
    assert len(in_storm) < 16 + 30
    assert len(asked) < 400 * 1.25
    assert patient.spent_s < 60
    assert clock.now < 60


def test_a_storm_that_never_ends_ends_with_the_budget() -> None:
    clock = Clock()
    throttle = Throttle(concurrency=4, clock=clock, sleep=clock.sleep)
    policy = RetryPolicy(
        calls=3, backoff=Backoff(timedelta(seconds=1), timedelta(seconds=5)), budget=timedelta(minutes=5)
    )
    line = wire(Answers(said(429)), throttle=throttle, clock=clock)

    async def work() -> None:
        with retry.following(Retry(policy, clock=clock, sleep=clock.sleep)):
            await line.call(Request("GET", URL))

    with pytest.raises(Throttled):
        clock.run(work())
    assert clock.now <= 301


def test_a_place_is_given_back_whatever_happens() -> None:
    throttle = Throttle(concurrency=1)
    service = Answers(said(404), httpx.ReadError(""), said(401), said(302, location="/"), said(200))
    line = wire(service, throttle=throttle)

    async def work() -> int:
        for _ in range(4):
            with pytest.raises(Exception):  # noqa: B017
                await line.call(Request("POST", URL, repeatable=False))
        hanging = asyncio.ensure_future(throttle.enter())
        await asyncio.sleep(0)
        assert hanging.done()
        throttle.leave()
        async with line.stream(Request("GET", URL)) as answer:
            first = await anext(answer.chunks())
        assert first == b"{}"
        return (await line.call(Request("GET", URL))).status

    assert asyncio.run(asyncio.wait_for(work(), 5)) == 200


def test_a_long_request_keeps_the_token_fresh_and_stops_when_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.remote.wire.RENEW_S", 0.01)
    asked = []

    class Counting(Tokens):
        async def bearer(self) -> str:
            asked.append(1)
            return await super().bearer()

    async def work() -> int:
        async with wire(Answers(said(200)), authoriser=Counting()).kept_authorised():
            await asyncio.sleep(0.1)
        at_the_end = len(asked)
        await asyncio.sleep(0.05)
        return len(asked) - at_the_end

    assert asyncio.run(work()) == 0
    assert len(asked) >= 2
