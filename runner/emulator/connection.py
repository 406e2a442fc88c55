"""Connections: short requests are answered here, all else by the HTTP library.

The library reads every byte. But its own way from a request to an answer costs 50 us more than answering
takes: two tasks, three futures, a response built to be streamed. A request that has come whole and is
answered whole needs none of that.

Broken requests are answered in the protocol's own shape, and never waited for.
"""

import asyncio
import sys
import traceback
from typing import TYPE_CHECKING, Any

from aiohttp import web
from aiohttp.http import HttpVersion11, RawRequestMessage
from aiohttp.streams import StreamReader
from aiohttp.web_protocol import RequestHandler, _ErrInfo

from runner.emulator.answers import json_answer
from runner.emulator.call import Cut
from runner.emulator.sending import Reply, headed, stamped
from runner.emulator.whole import Whole

if TYPE_CHECKING:
    from runner.emulator.server import Emulator

# A longer body is read as it comes, and so is one whose end is not here after so long.
SHORT_BYTES = 64 << 10
PATIENCE_S = 0.2


class HttpServer(web.Server):
    """The HTTP library's server, with connections of our kind."""

    def __init__(self, emulator: "Emulator", **options: Any) -> None:
        """Serve an emulator; the options are the library's."""
        super().__init__(emulator.handle, **options)
        self.emulator = emulator

    def __call__(self) -> RequestHandler:
        """Make the handler of a new connection."""
        return Connection(self.emulator, self, loop=self._loop, **self._kwargs)


class Connection(RequestHandler):
    """One connection. prepared: a reply that waits to be sent the library's way."""

    def __init__(self, emulator: "Emulator", *args: Any, **options: Any) -> None:
        """Get ready."""
        super().__init__(*args, **options)
        self.prepared: Reply | None = None
        self._emulator = emulator
        self._work: asyncio.Task[None] | None = None
        self._patience: asyncio.TimerHandle | None = None
        self._came = 0
        self._lent = False  # whether the library's loop has a request, or had when it was last looked at

    async def start(self) -> None:
        """Run the library's loop; one that wakes up late does not overtake what was begun here."""
        while self._work is not None:
            await asyncio.wait([self._work])
        self._lent = bool(self._messages)
        if self._manager is not None:  # the connection is there still
            await super().start()

    def data_received(self, data: bytes) -> None:
        """Take what the client sent; tell the reader of a body at once when the parser gives up in it.

        The library queues such an error behind the request that it belongs to (seen in aiohttp 3.14), whose
        handler would wait for the rest of its body for as long as the client keeps the connection.
        """
        # The library's loop, if it sleeps, shall be woken only for what is not answered here.
        waiter, self._waiter = self._waiter, None
        super().data_received(data)
        self._waiter = waiter
        if not self._messages:
            return
        if isinstance(self._messages[-1][0], _ErrInfo):
            self._give_up_bodies()
        self._came += len(data)
        self._begin()

    def resume_reading(self, *resume_parser: Any, **named: Any) -> None:
        """Go on reading, if it was stopped; the library asks twice in every body."""
        if self._reading_paused:
            super().resume_reading(*resume_parser, **named)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Let go."""
        if self._patience is not None:
            self._patience.cancel()
        super().connection_lost(exc)

    def _begin(self) -> None:
        """Answer the next request, wait for its end, or leave it to the library's loop."""
        asleep = self._waiter is not None and not self._waiter.done()
        self._lent = self._lent and not asleep
        if self._work is not None or self._lent or not self._messages:
            return
        message, payload = self._messages[0]
        if isinstance(message, _ErrInfo) or payload.exception() is not None or not self._is_short(message):
            self._hand_over()
        elif payload.is_eof():
            self._stop_waiting()
            self._messages.popleft()
            self._request_in_progress = True
            self._work = self._loop.create_task(self._answer(message, payload))
        elif self._came > SHORT_BYTES or not asleep:
            self._hand_over()
        elif self._patience is None:
            self._patience = self._loop.call_later(PATIENCE_S, self._hand_over)

    def _is_short(self, message: RawRequestMessage) -> bool:
        headers = message.headers
        return (
            not self._emulator.faults.rules
            and message.version == HttpVersion11
            and not message.should_close
            and not message.upgrade
            and not getattr(self, "_buffer_paused", False)  # since aiohttp 3.14: many requests are queued
            and message.method != "HEAD"
            and "Expect" not in headers
            and len(length := headers.get("Content-Length", "")) < 10
            and int(length or 0) <= SHORT_BYTES
        )

    def _stop_waiting(self) -> None:
        self._came = 0
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _hand_over(self) -> None:
        """Wake the library's loop, which takes the next request."""
        self._stop_waiting()
        self._lent = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _answer(self, message: RawRequestMessage, payload: StreamReader) -> None:
        try:
            request = Whole(
                message.method, message.path, message.headers, payload.read_nowait(), self.transport
            )
            reply = await self._emulator.reply(request)
            head = headed(reply.answer) if reply.rule is None else None
            if head is None:
                self.prepared = reply
                self._messages.appendleft((message, payload))
            else:
                self._parser_is_free()
                if self.transport is not None:
                    assert isinstance(reply.answer.body, bytes)
                    self.transport.write(head + reply.answer.body)
                    await self._drain_helper()
        except (Cut, ConnectionError):
            self.force_close()
        except Exception:
            traceback.print_exc(file=sys.stderr)
            self.force_close()
        finally:
            self._work = None
            self._request_in_progress = False
            self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
            if self._handler_waiter is not None and not self._handler_waiter.done():
                self._handler_waiter.set_result(None)
        if self.prepared is not None:
            self._hand_over()
        else:
            self._begin()

    def _parser_is_free(self) -> None:
        # Since aiohttp 3.14 the parser counts the messages that nobody has taken.
        parser: Any = getattr(self, "_parser", None)
        if hasattr(parser, "message_consumed"):
            parser.message_consumed()

    def _give_up_bodies(self) -> None:
        readers = [reader for _, reader in self._messages]
        if self._current_request is not None:
            readers.append(self._current_request.content)
        unfinished = [reader for reader in readers if not reader.is_eof()]
        if unfinished:
            self._messages.pop()
            self._close = True
        for reader in unfinished:
            reader.set_exception(web.RequestPayloadError("the body is broken"))

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer a request that the HTTP parser could not read."""
        if request.writer.output_size > 0:
            raise ConnectionError("an answer was begun already")
        text = "Internal failure" if status >= 500 else "Bad request"
        answer = json_answer(status, {"message": text})
        response = web.Response(status=status, body=answer.body, headers=stamped(answer.headers))
        response.force_close()
        return response

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """Stay quiet: broken requests are answered, not logged."""
        if self._emulator.verbose:
            super().log_exception(*args, **kw)
