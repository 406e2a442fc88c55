"""Connections whose broken requests are answered in the protocol's own shape, and never waited for."""

from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler, _ErrInfo

from runner.emulator.answers import json_answer
from runner.emulator.sending import stamped


class HttpServer(web.Server):
    """The HTTP library's server, with connections of our kind."""

    verbose = False

    def __call__(self) -> RequestHandler:
        """Make the handler of a new connection."""
        handler = Connection(self, loop=self._loop, **self._kwargs)
        handler.verbose = self.verbose
        return handler


class Connection(RequestHandler):
    """One connection."""

    verbose = False

    def data_received(self, data: bytes) -> None:
        """Take what the client sent; tell the reader of a body at once when the parser gives up in it.

        The library queues such an error behind the request that it belongs to (seen in aiohttp 3.14), whose
        handler would wait for the rest of its body for as long as the client keeps the connection.
        """
        super().data_received(data)
        if not self._messages or not isinstance(self._messages[-1][0], _ErrInfo):
            return
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
        if self.verbose:
            super().log_exception(*args, **kw)
