"""One try of one request: what is sent, how far it came, what it holds."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from functools import partial

from runner import __version__
from runner.model.errors import BadAnswer, Changed
from runner.remote.close import closing
from runner.remote.http import Answer, Request, Sending, Stream
from runner.remote.throttle import Throttle

USER_AGENT = f"acdrun/{__version__}"
CONNECT_S = 20.0

_AGENT = ("User-Agent", USER_AGENT)
_AS_IT_IS = ("Accept-Encoding", "identity")


class Exchange:
    """One try; it holds a place of the throttle, if it was given one, until it is closed.

    complete: every byte of the request was handed over, so the service may have all of it.
    fault: what the body's own iterator raised. bearer: the token that was sent, bearer_in: in which header.
    """

    def __init__(self, request: Request, throttle: Throttle, ticket: int, *, place: bool = True) -> None:
        self.request = request
        self._place = place
        self.ticket = ticket
        self.bearer = ""
        self.bearer_in = "Authorization"
        self.answer: Answer | None = None
        self.complete = False
        self.fault: Exception | None = None
        self._throttle = throttle
        self._outgoing: AsyncGenerator[bytes, None] | None = None
        self._open = True

    @property
    def answered(self) -> Answer:
        """The answer, once there is one."""
        assert self.answer is not None
        return self.answer

    def sending(self) -> Sending:
        """What the engine is given."""
        request = self.request
        headers = headed(request)
        if self.bearer:
            headers.append((self.bearer_in, self.bearer))
            check(headers[-1:])
        body: bytes | AsyncIterator[bytes]
        if isinstance(request.body, Stream):
            size = request.body.size
            body = self._outgoing = self._send(request.body)
        elif self._throttle.slices(request.body):
            size = len(request.body)
            body = self._outgoing = self._send(Stream(size, partial(_once, request.body)))
        else:
            size, body = len(request.body), request.body
            self.complete = True
        return sent(request, headers, body, size)

    async def close(self) -> None:
        """Let go of the answer, of the body's source, and of the place. Safe to call twice."""
        if not self._open:
            return
        self._open = False
        try:
            if self._outgoing is not None:
                await self._outgoing.aclose()
            if self.answer is not None:
                await self.answer.close()
        finally:
            if self._place:
                self._throttle.leave()

    async def _send(self, stream: Stream) -> AsyncGenerator[bytes, None]:
        handed = 0
        try:
            async with closing(stream.open()) as chunks:
                async for chunk in chunks:
                    for piece in self._throttle.portions(chunk):
                        handed += len(piece)
                        if handed > stream.size:
                            raise Changed(f"more than the {stream.size} bytes that were to be sent")
                        await self._throttle.moved(len(piece))
                        if handed >= stream.size:
                            self.complete = True
                        yield piece
            if handed < stream.size:
                raise Changed(f"{handed} of the {stream.size} bytes that were to be sent")
        except Exception as error:
            self.fault = error
            raise


def headed(request: Request) -> list[tuple[str, str]]:
    """The headers of a request with those that every request has. Raises BadAnswer."""
    headers = [_AGENT, *request.headers]
    if "accept-encoding" not in [name.lower() for name, _ in request.headers]:
        headers.insert(1, _AS_IT_IS)
    check(headers)
    return headers


def check(headers: Sequence[tuple[str, str]]) -> None:
    """Raises BadAnswer for one that cannot be sent."""
    if not _sendable("".join(map("".join, headers))):
        name = next(name for name, value in headers if not _sendable(name + value))
        raise BadAnswer(f"the header {name!r} cannot be sent: it holds a control character")


def sent(
    request: Request, headers: list[tuple[str, str]], body: bytes | AsyncIterator[bytes], size: int
) -> Sending:
    """What the engine is given of a request whose body has so many bytes."""
    if size or request.method in ("POST", "PUT", "PATCH"):
        headers.append(("Content-Length", str(size)))
    limit = 2 * (request.idle_s + CONNECT_S)
    return Sending(request.method, request.url, headers, body, CONNECT_S, request.idle_s, limit)


def _sendable(text: str) -> bool:
    return text.isascii() and text.isprintable()


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
