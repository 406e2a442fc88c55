"""The one choke point for a remote's requests: throttle > authorise > send > classify > retry > trace."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import NamedTuple, Protocol, TypeVar

from runner.model.errors import (
    AcdrunError,
    BadAnswer,
    Denied,
    LoginNeeded,
    Throttled,
    Truncated,
    Unavailable,
    Unclear,
)
from runner.remote import retry
from runner.remote.body import Body, unfit
from runner.remote.clock import ServiceClock
from runner.remote.exchange import Exchange
from runner.remote.http import (
    JSON_LIMIT,
    Classify,
    Engine,
    LinkFailure,
    Posting,
    Reply,
    Request,
    TokenExpired,
    retry_after,
    show_url,
)
from runner.remote.secrets import redact
from runner.remote.throttle import Throttle, feeding

T = TypeVar("T")

RENEW_S = 60.0
_ERROR_BODY = 1 << 20


class Authoriser(Protocol):
    """Knows the token of a remote."""

    async def bearer(self) -> str:
        """The value of `Authorization`, good for a while yet. Raises LoginNeeded."""

    async def renew(self, refused: str) -> None:
        """The service refused this value: get another, unless somebody has already. Raises LoginNeeded."""


class Trace(NamedTuple):
    """One try of a request. url: without query; status: None without an answer; seconds: to its headers."""

    method: str
    url: str
    status: int | None
    seconds: float


class Wire:
    """The way to one service.

    classify: the service's reading of an answer that is no 2xx.
    authoriser: None for a service that needs no token. token_header: what the token is sent in; log_in: what a person
        can do when even a new one is refused, by default `acdrun login`.
    redirected: the service's reading of a redirection, which is never followed; None makes it a BadAnswer.
    trace: told of each try. clock: seconds, monotonic; now: seconds since 1970.
    """

    def __init__(
        self,
        engine: Engine,
        throttle: Throttle,
        classify: Classify,
        *,
        remote: str = "",
        authoriser: Authoriser | None = None,
        token_header: str = "Authorization",  # noqa: S107
        log_in: str = "",
        redirected: Classify = lambda request, reply: None,
        trace: Callable[[Trace], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.remote = remote
        self.throttle = throttle
        self._engine = engine
        self._classify = classify
        self._authoriser = authoriser
        self._token_header = token_header
        self._log_in = log_in or f"acdrun login {remote}"
        self._redirected = redirected
        self._trace = trace
        self._clock = clock
        self._now = now
        self.service_clock = ServiceClock(clock, now)

    async def call(self, request: Request, *, most: int = JSON_LIMIT) -> Reply:
        """Ask, and return the whole answer, of at most `most` bytes.

        Raises what `classify` makes of the answer; Unavailable when none came; Truncated when it was cut
        off; Unclear when a request that is not repeatable was sent in full and may have had its effect.
        """
        return await self._repeated(partial(self._whole, request, most))

    @property
    def posting(self) -> Posting | None:
        """What sends many requests at less than a `call` costs each, for a `Volley`; None where that has to weigh
        what passes, or ask for a token.
        """
        plain = self._authoriser is None and not self.throttle.weighs
        return self._engine if plain and isinstance(self._engine, Posting) else None

    def moment(self) -> float:
        """Seconds, for `heard`."""
        return self._clock()

    def heard(self, request: Request, reply: Reply | None, ticket: int, began: float) -> AcdrunError | None:
        """What a `call` would make of an answer, or of there being none, before it tries again; None of a good one."""
        if self._trace is not None:
            status = reply.status if reply is not None else None
            self._trace(Trace(request.method, show_url(request.url), status, self._clock() - began))
        if reply is None:
            kind = Unavailable if request.repeatable else Unclear
            return self._error(kind(f"{show_url(request.url)}: sent, but no answer came"))
        if not 200 <= reply.status < 300:
            return self.judged(request, reply, ticket, complete=True)
        self.service_clock.hear(reply.headers)
        self.throttle.well(ticket)
        return unfit(request, reply)

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator["Download"]:
        """Ask, and let the body be read piece by piece. Only the way to its first byte is tried again."""
        exchange = await self._repeated(partial(self._open, request))
        try:
            yield Download(exchange, self)
        finally:
            await exchange.close()

    @asynccontextmanager
    async def kept_authorised(self) -> AsyncIterator[None]:
        """Renew the token whenever it is due, for as long as one long request is under way.

        The service gave up uploads that outlived their token by far, unless it had been renewed meanwhile.
        Source: acd-api §11, retry rules.
        """
        renewing = asyncio.ensure_future(self._renewing())
        try:
            yield
        finally:
            renewing.cancel()
            await asyncio.wait([renewing])

    async def _renewing(self) -> None:
        while self._authoriser is not None:
            await asyncio.sleep(RENEW_S)
            with suppress(AcdrunError):  # whoever needs the token next will meet the same
                await self._authoriser.bearer()

    async def _repeated(self, call: Callable[[], Awaitable[T]]) -> T:
        try:
            try:
                return await call()
            except AcdrunError as error:
                if not error.retry or isinstance(error, Unclear):
                    raise
                return await retry.in_force().again(call, error)
        except _SourceFault as fault:
            error_of_source = fault.error
        raise error_of_source

    async def _whole(self, request: Request, most: int) -> Reply:
        exchange = await self._open(request)
        try:
            body = await self._read(exchange, most)
        except Truncated as error:
            if request.repeatable:
                raise
            raise self._error(Unclear(f"sent, but the answer was cut off: {error.message}")) from error
        finally:
            await exchange.close()
        return Reply(exchange.answered.status, exchange.answered.headers, body)

    async def _open(self, request: Request) -> Exchange:
        renewed = False
        while True:
            place = not feeding.get()
            ticket = await self.throttle.enter(place=place)
            exchange = Exchange(request, self.throttle, ticket, place=place)
            try:
                return await self._try(exchange)
            except TokenExpired as error:
                await exchange.close()
                if renewed or self._authoriser is None:
                    raise self._error(
                        LoginNeeded(f"the service refuses the token: {error.message}"), renew=True
                    ) from error
                renewed = True
                await self._authoriser.renew(exchange.bearer)
            except BaseException:
                await exchange.close()
                raise

    async def _try(self, exchange: Exchange) -> Exchange:
        request = exchange.request
        if request.authorised and self._authoriser is not None:
            exchange.bearer = await self._authoriser.bearer()
            exchange.bearer_in = self._token_header
        started = self._clock()
        try:
            await self._send(exchange)
        finally:
            if self._trace is not None:
                status = exchange.answer.status if exchange.answer is not None else None
                self._trace(Trace(request.method, show_url(request.url), status, self._clock() - started))
        answer = exchange.answered
        if 200 <= answer.status < 300:
            self.service_clock.hear(answer.headers)
            self.throttle.well(exchange.ticket)
            return exchange
        raise await self._judged(exchange)

    async def _send(self, exchange: Exchange) -> None:
        request = exchange.request
        failure: LinkFailure | None = None
        if request.body and isinstance(request.body, bytes) and not self.throttle.slices(request.body):
            await self.throttle.moved(len(request.body))
        fed = feeding.set(True)
        try:
            exchange.answer = await self._engine.send(exchange.sending())
        except LinkFailure as error:
            failure = error
        except Exception as error:
            if error is not exchange.fault:
                raise
        finally:
            feeding.reset(fed)
        if exchange.fault is not None:
            raise _SourceFault(exchange.fault)
        if failure is not None:
            raise self._broken(exchange, failure)

    def _broken(self, exchange: Exchange, failure: LinkFailure) -> AcdrunError:
        where = show_url(exchange.request.url)
        if failure.untrusted:
            return self._error(Denied(f"{where}: the server's certificate is not to be trusted: {failure}"))
        if failure.phase == "connect" or not exchange.complete or exchange.request.repeatable:
            return self._error(Unavailable(f"{where}: {failure}"))
        return self._error(Unclear(f"{where}: sent in full, but no answer came: {failure}"))

    async def _judged(self, exchange: Exchange) -> AcdrunError:
        answer = exchange.answered
        try:
            body = await self._read(exchange, _ERROR_BODY)
        except (Truncated, BadAnswer):
            body = b""  # the status says enough
        reply = Reply(answer.status, answer.headers, body)
        return self.judged(exchange.request, reply, exchange.ticket, complete=exchange.complete)

    def judged(self, request: Request, answer: Reply, ticket: int, *, complete: bool) -> AcdrunError:
        """What an answer that is no 2xx stands for; the throttle is told. complete: the request was sent in full."""
        moved = 300 <= answer.status < 400
        error = self._redirected(request, answer) if moved else None
        if moved and error is None:
            goal = show_url(answer.headers.get("location", ""))
            return self._error(BadAnswer(f"{show_url(request.url)}: redirected to {goal!r}; not followed"))
        error = error or self._classify(request, answer)
        if error is None:
            error = BadAnswer(f"{show_url(request.url)}: status {answer.status}")
        if error.after_s is None:
            error.after_s = retry_after(answer.headers, self._now())
        if isinstance(error, Throttled):
            error.after_s = self.throttle.slow_down(ticket, error.after_s)
            return self._error(error)
        self.throttle.well(ticket)
        if _may_have_worked(answer.status) and complete and not request.repeatable:
            unclear = Unclear(error.message, hint=error.hint, after_s=error.after_s)
            unclear.__cause__ = error
            error = unclear
        return self._error(error)

    async def _read(self, exchange: Exchange, most: int) -> bytes:
        body = self.body(exchange)
        parts: list[bytes] = []
        total = 0
        while piece := await body.piece():
            total += len(piece)
            if total > most:
                raise self._error(
                    BadAnswer(f"{show_url(exchange.request.url)}: an answer of more than {most} bytes")
                )
            parts.append(piece)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def body(self, exchange: Exchange) -> Body:
        """The answer's body; see `Body`."""
        return Body(exchange, self.throttle, self._clock, self._error)

    def _error(self, error: AcdrunError, *, renew: bool = False) -> AcdrunError:
        error.message = redact(error.message)
        error.args = (error.message,)
        error.remote = error.remote or self.remote
        if renew:
            error.hint = self._log_in
        return error


class _SourceFault(Exception):
    """What the body's own source raised; it passes the retries by, for it is not the service's."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


def _may_have_worked(status: int) -> bool:
    """Time-outs and gateways speak for a service that they did not hear to the end. Source: acd-api §11."""
    return status == 408 or status >= 500


class Download:
    """An answer whose body is still to be read. headers: in lower case; size: bytes, None when not said."""

    def __init__(self, exchange: Exchange, wire: Wire) -> None:
        self.status = exchange.answered.status
        self.headers = exchange.answered.headers
        length = self.headers.get("content-length", "")
        self.size = int(length) if length.isascii() and length.isdigit() else None
        self._exchange = exchange
        self._wire = wire

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The body; an end without an error is the declared end. Raises Truncated."""
        body = self._wire.body(self._exchange)
        while piece := await body.piece():
            yield piece
