"""One connection of the fast engine: what asyncio's transport moves, and what llhttp reads in it."""

import asyncio
import os
import select
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from math import inf
from typing import Literal, cast

import httptools

from runner.remote.http import LinkFailure, Sending
from runner.remote.secrets import redact

_HEAD_LIMIT = 100 << 10
"""Most bytes of an answer's headers."""

_HELD = 1 << 18
"""From so many bytes that nobody has asked for yet, the service has to wait."""

_JOINED = 1 << 18
"""The head is sent as one piece with a body of up to so many bytes: each piece costs a system call and a packet."""


class Link(asyncio.BufferedProtocol):
    """A connection; it carries one request at a time.

    buffer: where the transport puts what comes. It is used up in the same step, so all links share one; a transport
    that has none makes 256 KiB anew for each answer, however short.
    ended: told when the link can carry the next request, and when it never will.
    open: no end of the connection has been heard of. since: when it was last in use, by the loop's clock.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, buffer: memoryview, ended: Callable[["Link"], None]
    ) -> None:
        self.open = True
        self.since = 0.0
        self._loop, self._buffer, self._ended = loop, buffer, ended
        self._answer: LinkAnswer | None = None
        self.parser: httptools.HttpResponseParser | None = None
        self._transport: asyncio.Transport
        self._paused = self._held_back = False
        self._waiter: asyncio.Future[bool] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._idle_s = self._deadline = 0.0
        self._latest, self._most = inf, 0
        self._told: Callable[[LinkAnswer], None] | None = None

    async def ask(self, sending: Sending, head: bytes) -> "LinkAnswer":
        """Send, and wait for the answer's headers; see `http.Engine`."""
        answer = self._answer = LinkAnswer(self, sending.method)
        self.parser, self._idle_s = httptools.HttpResponseParser(answer), sending.idle_s
        if isinstance(sending.body, bytes):
            await self._write(answer, head, sending.body)
            answer.sent = True
        else:
            await self._write_all(answer, head, sending)
        if not answer.headed:
            self._latest = self._loop.time() + sending.answer_s
        while not answer.headed and answer.failure is None:
            if not await self.change():
                self.fail("no answer in time")
        self._latest = inf
        if not answer.headed:
            raise answer.broken("exchange")
        return answer

    def post(
        self, sending: Sending, request: bytes, most: int, told: Callable[["LinkAnswer"], None]
    ) -> Callable[[], None]:
        """Send, and tell of the answer or of its failure by a call; see `http.Posting`."""
        answer = self._answer = LinkAnswer(self, sending.method)
        self.parser, self._idle_s = httptools.HttpResponseParser(answer), sending.idle_s
        self._told, self._most = told, most
        self._latest = self._loop.time() + sending.answer_s
        self._watch()
        self._transport.write(request)
        return partial(self.fail, "let go of")

    async def change(self) -> bool:
        """Wait for something to happen; False when nothing has for too long."""
        waiter = self._waiter = self._loop.create_future()
        self._watch()
        if self._held_back:
            self._held_back = False
            self._transport.resume_reading()
        happened: bool = await waiter
        return happened

    def _watch(self) -> None:
        self._deadline = min(self._loop.time() + self._idle_s, self._latest)
        if self._timer is not None and self._timer.when() > self._deadline:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:  # one that rings early is set anew then: most waits need none of their own
            self._timer = self._loop.call_at(self._deadline, self._ring)

    def fail(self, why: str) -> None:
        """Give the connection up, and the answer with it if it is not whole."""
        self.open = False
        if self._answer is not None and not self._answer.whole and self._answer.failure is None:
            self._answer.failure = why
        self._transport.abort()
        self._wake()

    def free(self) -> None:
        """The answer is done with: carry another request, where what came of this one allows it."""
        answer, self._answer = self._answer, None
        if answer is not None and answer.whole and answer.sent and answer.keeps and self.open:
            self.since = self._loop.time()
            self._ended(self)
        else:
            self.fail("let go of")

    def silent(self) -> bool:
        """The service has neither spoken nor closed, the loop not having looked yet included."""
        poll = select.poll()
        poll.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN)
        return not poll.poll(0)

    def close(self) -> None:
        """End a connection that carries no request."""
        self.open = False
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._transport = cast(asyncio.Transport, transport)

    def get_buffer(self, _: int) -> memoryview:
        """See `asyncio.BufferedProtocol`."""
        return self._buffer

    def buffer_updated(self, count: int) -> None:
        """See `asyncio.BufferedProtocol`."""
        self._heard(self._buffer[:count])

    def _heard(self, data: bytes | memoryview) -> None:
        answer = self._answer
        if answer is None or self.parser is None:
            self.fail("spoke without being asked")
            return
        headed = answer.headed
        try:
            self.parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self.fail(f"no proper answer: {redact(str(error))[:300]}")
            return
        if not answer.headed:
            answer.size += len(data)
            self._deadline = min(self._loop.time() + self._idle_s, self._latest)
            if answer.size > _HEAD_LIMIT:
                self.fail("an answer whose headers do not end")
            return
        if self._told is not None:
            self._deadline = min(self._loop.time() + self._idle_s, self._latest)
            if answer.held > self._most:
                answer.whole = False
                self.fail("a longer answer than was asked for")
                return
        elif answer.held > _HELD and not answer.whole and not self._held_back:
            self._held_back = True
            self._transport.pause_reading()
        if not headed or answer.pieces or answer.whole:
            self._wake()

    def eof_received(self) -> None:
        """See `asyncio.BufferedProtocol`."""
        self.open = False
        if self._answer is not None and self._answer.headed and self._answer.until_closed:
            self._answer.whole = True
        self.fail("connection closed")

    def pause_writing(self) -> None:
        """See `asyncio.BaseProtocol`."""
        self._paused = True

    def resume_writing(self) -> None:
        """See `asyncio.BaseProtocol`."""
        self._paused = False
        self._wake()

    def connection_lost(self, error: Exception | None) -> None:
        """See `asyncio.BaseProtocol`."""
        if self._timer is not None:
            self._timer.cancel()
        if error is not None and self._answer is not None and not self._answer.headed:
            self._last_words()
        self.open = False
        if self._answer is not None and not self._answer.whole and self._answer.failure is None:
            self._answer.failure = redact(str(error or "connection closed"))[:300]
        self._wake()
        self._ended(self)

    def _last_words(self) -> None:
        """Read what the service said before it closed on a request that it did not read to its end.

        The transport reads no more once a write has failed, but the answer has come by then.
        """
        socket = self._transport.get_extra_info("socket")
        if socket is None or self._transport.get_extra_info("ssl_object") is not None:
            return
        try:
            while data := os.read(socket.fileno(), 1 << 16):
                self._heard(data)
        except OSError:
            return

    async def _write_all(self, answer: "LinkAnswer", head: bytes, sending: Sending) -> None:
        """Send the body's pieces, to their end or until the service has refused them."""
        assert not isinstance(sending.body, bytes)
        async for piece in sending.body:
            await self._write(answer, head, piece)
            head = b""
            if self._transport.is_closing():
                await asyncio.sleep(0)  # the loop has yet to tell that the service has gone
            if answer.failure is not None or answer.refused:
                return
        if head:
            await self._write(answer, head, b"")
        answer.sent = True

    async def _write(self, answer: "LinkAnswer", head: bytes, piece: bytes) -> None:
        if len(piece) <= _JOINED:
            self._transport.write(head + piece)
        else:
            self._transport.write(head)
            self._transport.write(piece)
        while self._paused and answer.failure is None and not answer.refused:
            left = self._transport.get_write_buffer_size()
            if not await self.change() and self._transport.get_write_buffer_size() >= left:
                self.fail("takes no more bytes")

    def _wake(self) -> None:
        if self._told is not None:
            answer = self._answer
            if answer is not None and (answer.whole or answer.failure is not None):
                told, self._told, self._latest = self._told, None, inf
                answer.sent = not self._transport.get_write_buffer_size()
                told(answer)
        elif self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(True)

    def _ring(self) -> None:
        self._timer = None
        if self._told is None and (self._waiter is None or self._waiter.done()):
            return
        if self._loop.time() < self._deadline:
            self._timer = self._loop.call_at(self._deadline, self._ring)
        elif self._told is not None:
            self.fail("no answer in time")
        elif self._waiter is not None:
            self._waiter.set_result(False)


class LinkAnswer:
    """See `http.Answer`. It is what llhttp tells of what it reads, too.

    headed: the final answer's headers have come. sent: the request was sent to its end.
    whole: the answer has come to its end. keeps: the service keeps the connection. until_closed: the end of
    the connection is that of the answer. pieces, held: of the body, and how many bytes they are.
    failure: why the rest will never come.
    """

    __slots__ = ("_head_only", "_lines", "_link", "failure", "headed", "headers", "held", "keeps", "pieces", "sent",
                 "size", "status", "until_closed", "whole")  # fmt: skip

    def __init__(self, link: Link, method: str) -> None:
        self.status = 0
        self.headers: Mapping[str, str] = {}
        self.pieces: deque[bytes] = deque()
        self.held = self.size = 0
        self.headed = self.sent = self.whole = self.keeps = self.until_closed = False
        self.failure: str | None = None
        self._link: Link | None = link
        self._head_only = method == "HEAD"
        self._lines: dict[str, str] = {}

    async def piece(self) -> bytes:
        """See `http.Answer`."""
        while not self.pieces:
            if self.whole:
                return b""
            if self.failure is not None or self._link is None:
                raise self.broken("body")
            if not await self._link.change():
                self._link.fail("no answer in time")
        piece = self.pieces.popleft()
        self.held -= len(piece)
        return piece

    async def close(self) -> None:
        """See `http.Answer`."""
        self._let_go()

    def taken(self) -> bytes:
        """See `http.LateAnswer`."""
        self._let_go()
        return self.pieces[0] if len(self.pieces) == 1 else b"".join(self.pieces)

    def _let_go(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.free()

    @property
    def refused(self) -> bool:
        """The service does not want what is being sent to it."""
        return self.headed and self.status >= 300

    def broken(self, phase: Literal["exchange", "body"]) -> LinkFailure:
        """What to raise of `failure`."""
        return LinkFailure(self.failure or "let go of", phase)

    def on_message_begin(self) -> None:
        """A first answer, the next one after a 1xx, or one that nobody asked for."""
        if self.headed:
            self.keeps = False
        else:
            self.headers = self._lines = {}

    def on_header(self, name: bytes, value: bytes) -> None:
        """One line; what comes after the body is of no interest."""
        if not self.headed:
            key, text = name.lower().decode("latin-1"), value.decode("latin-1")
            self._lines[key] = f"{self._lines[key]}, {text}" if key in self._lines else text

    def on_headers_complete(self) -> None:
        """A 1xx is followed by the answer itself."""
        parser = self._link.parser if self._link is not None else None
        if parser is None or self.headed or (status := parser.get_status_code()) < 200:
            return
        self.status, self.headed, self.keeps = status, True, parser.should_keep_alive()
        self.until_closed = not self.headers.keys() & {"content-length", "transfer-encoding"}
        self.whole = self._head_only

    def on_body(self, data: bytes) -> None:
        """A piece of it."""
        if self.whole:
            self.keeps = False
        else:
            self.pieces.append(data)
            self.held += len(data)

    def on_message_complete(self) -> None:
        """The declared end."""
        self.whole = self.whole or self.headed
