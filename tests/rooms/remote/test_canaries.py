"""Secrets planted everywhere the wire handles them are found in no message, no cause, no log, no form."""

import asyncio
import logging
import traceback
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from runner.model.errors import AcdrunError
from runner.model.policy import RetryPolicy
from runner.model.secret import Secret
from runner.model.units import Backoff
from runner.remote import retry
from runner.remote.http import Request
from runner.remote.retry import Retry
from runner.remote.secrets import known
from runner.remote.wire import Trace
from tests.rooms.remote.world import URL, wire

CANARY = "Atza|canary-4711"
SIGNED = URL + "?X-Amz-Signature=canary-4711&X-Amz-Credential=canary-4711"


class Tokens:
    def __init__(self, bearer: str = f"Bearer {CANARY}") -> None:
        self._bearer = bearer

    async def bearer(self) -> str:
        return self._bearer

    async def renew(self, refused: str) -> None: ...


def echo(request: httpx.Request) -> httpx.Response:
    """A service that repeats in its complaint what it was sent."""
    return httpx.Response(400, text=f"{request.headers} {request.url}")


def raising(error: type[httpx.TransportError]) -> Callable[[httpx.Request], httpx.Response]:
    def answer(request: httpx.Request) -> httpx.Response:
        raise error(f"failed with {request.headers['authorization']} at {request.url}", request=request)

    return answer


SERVICES: dict[str, Callable[[httpx.Request], httpx.Response]] = {
    "echo": echo,
    "redirect": lambda _: httpx.Response(302, headers={"location": SIGNED}),
    "read error": raising(httpx.ReadError),
    "connect error": raising(httpx.ConnectError),
    "protocol error": raising(httpx.LocalProtocolError),
    "401": lambda _: httpx.Response(401, text=CANARY),
    "no length": lambda _: httpx.Response(200, stream=httpx.ByteStream(CANARY.encode())),
}


def everything_said_by(error: BaseException) -> str:
    """The error with all that hangs on it, as a traceback with locals would show it."""
    said = "".join(traceback.TracebackException.from_exception(error, capture_locals=False).format())
    seen: set[int] = set()
    todo: list[BaseException | None] = [error]
    while todo:
        one = todo.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        said += f"{one!r} {one} {one.args} {getattr(one, 'hint', '')} {getattr(one, 'message', '')}"
        todo += [one.__cause__, one.__context__]
    return said


@pytest.mark.torture
@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES.keys())
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_A8_no_canary_leaves_the_wire(
    service: Callable[[httpx.Request], httpx.Response], method: str, caplog: pytest.LogCaptureFixture
) -> None:
    known(Secret(CANARY))
    caplog.set_level(logging.DEBUG)
    traces: list[Trace] = []
    line = wire(service, authoriser=Tokens(), trace=traces.append)
    quick = Retry(RetryPolicy(calls=2, backoff=Backoff(timedelta(0), timedelta(0))))

    async def work() -> Any:
        with retry.following(quick):
            return await line.call(Request(method, SIGNED, repeatable=method == "GET"))

    with pytest.raises(AcdrunError) as caught:
        asyncio.run(work())

    assert "y-4711" not in everything_said_by(caught.value)
    assert "y-4711" not in caplog.text + repr(traces) + repr(line)


def test_a_token_that_cannot_be_a_header_is_not_quoted() -> None:
    line = wire(lambda _: httpx.Response(200), authoriser=Tokens("Bearer canary-4711\r\nX: y"))

    with pytest.raises(AcdrunError) as caught:
        asyncio.run(line.call(Request("GET", URL)))

    assert "y-4711" not in everything_said_by(caught.value)
