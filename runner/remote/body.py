"""The body of an answer, piece by piece, sure to be whole once it has ended."""

from collections.abc import Callable, Iterator

from runner.model.errors import AcdrunError, BadAnswer, Truncated
from runner.remote.exchange import Exchange
from runner.remote.http import Answer, LinkFailure, Reply, Request, proves_its_end, show_url
from runner.remote.throttle import Throttle

_LEAST_BYTES = 1024
"""A body that brings fewer bytes than this in `idle_s` seconds of waiting is as good as silent."""


def unfit(request: Request, answer: Answer | Reply) -> AcdrunError | None:
    """What speaks against the body of an answer: it is encoded, or would not say where it ends."""
    encoding = answer.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity") and not request.as_stored:
        return BadAnswer(f"{show_url(request.url)}: an encoded answer, which was not asked for")
    if answer.status < 300 and not proves_its_end(request.method, answer.status, answer.headers):
        return Truncated(f"{show_url(request.url)}: an answer that does not say where it ends")
    return None


class Body:
    """What is still to be read of an exchange.

    signed: adds to an error what every error of the remote says. clock: seconds, monotonic.
    Raises BadAnswer for one that is encoded, Truncated for one that would not say where it ends.
    """

    def __init__(
        self,
        exchange: Exchange,
        throttle: Throttle,
        clock: Callable[[], float],
        signed: Callable[[AcdrunError], AcdrunError],
    ) -> None:
        self._request, self._answer = exchange.request, exchange.answered
        self._throttle, self._clock, self._signed = throttle, clock, signed
        self._waited, self._brought = 0.0, 0
        self._portions: Iterator[bytes] = iter(())
        if (error := unfit(self._request, self._answer)) is not None:
            raise signed(error)

    async def piece(self) -> bytes:
        """The next bytes; b"" at the declared end. Raises Truncated."""
        piece = next(self._portions, b"") or await self._next()
        await self._throttle.moved(len(piece))
        return piece

    async def _next(self) -> bytes:
        began = self._clock()
        try:
            piece = await self._answer.piece()
        except LinkFailure as error:
            raise self._signed(Truncated(f"{self._where}: the answer was cut off: {error}")) from error
        if not piece:
            return piece
        self._waited += self._clock() - began
        self._brought += len(piece)
        if self._waited > self._request.idle_s:
            if self._brought < _LEAST_BYTES:
                raise self._signed(Truncated(f"{self._where}: the answer only trickles"))
            self._waited, self._brought = 0.0, 0
        self._portions = self._throttle.portions(piece)
        return next(self._portions)

    @property
    def _where(self) -> str:
        return show_url(self._request.url)
