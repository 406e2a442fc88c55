"""The listener on this machine that a browser comes back to from a consent page.

Source: RFC 8252 section 7.3, reliability.md §7 and its cell A6.
"""

import asyncio
import contextlib
import errno
import hmac
import re
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import NamedTuple
from urllib.parse import parse_qsl

from runner.model.errors import AcdrunError, Denied, LoginNeeded, Unavailable
from runner.model.path import show
from runner.model.secret import Secret
from runner.remote.secrets import known, redact

HOST = "127.0.0.1"
PORT = 53682
"""The port that client ids made for rclone allow; a service compares the whole return address."""

DEADLINE_S = 300.0

_MOST_HEAD = 16384
_MOST_AT_ONCE = 16
_HEAD_S = 10.0
_LAST_WORDS_S = 2.0
_REQUEST = re.compile(r"([!-~]+) ([!-~]+) HTTP/1\.[01]")
_OURS = ("code", "state", "error")
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>acdrun</title></head>
<body><h1>acdrun</h1><p>{text}</p></body></html>
"""
_HEADERS = (
    "Content-Type: text/html; charset=utf-8",
    "Referrer-Policy: no-referrer",
    "Cache-Control: no-store",
    "Content-Security-Policy: default-src 'none'",
    "X-Content-Type-Options: nosniff",
    "Connection: close",
)
_STATUS = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 410: "Gone"}


class _Judged(NamedTuple):
    """status, text: the page. outcome: what the wait ends with; None when it goes on."""

    status: int
    text: str
    outcome: Secret | AcdrunError | None = None


class Listener:
    """Waits for one request: `GET /?code=...&state=...` with our own address as its `Host`.

    A request to another path, by another method, for another host or from within a page is answered and
    the wait goes on. The first one of the right form ends it, whatever it brings: with another `state` it
    belongs to another log-in or is an attack, and nobody is to try again on the same listener.
    """

    def __init__(self, state: Secret) -> None:
        self._state = state
        self._server: asyncio.Server | None = None
        self._reading: set[asyncio.Task[None]] = set()
        self._answering: set[asyncio.Task[None]] = set()
        self._outcome: asyncio.Future[Secret | AcdrunError] = asyncio.get_running_loop().create_future()
        self._over = asyncio.Event()
        self._authority = ""

    @property
    def redirect_uri(self) -> str:
        """The address that the browser is to come back to."""
        return f"http://{self._authority}/"

    async def open(self, port: int) -> None:
        """Listen, on 127.0.0.1 alone. Raises Unavailable when the port is taken."""
        try:
            self._server = await asyncio.start_server(self._connected, HOST, port, limit=_MOST_HEAD)
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            raise Unavailable(
                f"port {port} of {HOST} is in use, and the browser has to come back there",
                hint="another log-in, by acdrun or rclone, may be waiting: end it "
                f"(`ss -ltnp sport = :{port}` shows it), or log in on another machine with "
                "`acdrun authorize`, and paste the token with `acdrun login --paste`",
            ) from error
        self._authority = f"{HOST}:{self._server.sockets[0].getsockname()[1]}"

    async def code(self, deadline_s: float, sleep: Callable[[float], Coroutine[None, None, None]]) -> Secret:
        """The authorization code. Raises Denied, Unavailable; LoginNeeded when nobody came in time."""
        timer: asyncio.Future[None] = asyncio.ensure_future(sleep(deadline_s))
        timer.add_done_callback(lambda _: self._over.set())
        try:
            await self._over.wait()
        finally:
            timer.cancel()
        if not self._outcome.done():
            raise LoginNeeded(f"nobody answered in the browser within {deadline_s / 60:.0f} minutes")
        outcome = self._outcome.result()
        if isinstance(outcome, AcdrunError):
            raise outcome
        return outcome

    async def close(self) -> None:
        """Stop listening; an answer on its way is finished, for two seconds at most."""
        if self._server is not None:
            self._server.close()
        if self._answering:
            await asyncio.wait(self._answering, timeout=_LAST_WORDS_S)
        for task in [*self._reading, *self._answering]:
            task.cancel()  # browsers open connections ahead and ask nothing on them

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A task of our own: Python 3.11 reports one of its streams' that was cancelled as a fault.
        task = asyncio.create_task(self._serve(reader, writer))
        self._reading.add(task)
        task.add_done_callback(lambda _: self._left(task, writer))

    def _left(self, task: asyncio.Task[None], writer: asyncio.StreamWriter) -> None:
        self._reading.discard(task)
        self._answering.discard(task)
        writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        try:
            if len(self._reading) > _MOST_AT_ONCE:
                return
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _HEAD_S)
            self._answering.add(task)
            judged = self._judge(head)
            if judged.outcome is not None and not self._outcome.done() and self._server is not None:
                self._server.close()
                self._outcome.set_result(judged.outcome)
                self._over.set()
            body = _PAGE.format(text=judged.text).encode()
            lines = (f"HTTP/1.1 {judged.status} {_STATUS[judged.status]}", *_HEADERS)
            end = f"\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write("\r\n".join(lines).encode() + end.encode() + body)
            await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # a browser that only looks ahead, or somebody who sends anything

    def _judge(self, head: bytes) -> _Judged:
        first, *lines = head.decode("latin-1").split("\r\n")
        request = _REQUEST.fullmatch(first)
        parts = (line.partition(":") for line in lines)
        headers = [(name.lower(), value.strip()) for name, _, value in parts]
        if request is None or [value for name, value in headers if name == "host"] != [self._authority]:
            return _Judged(400, "This is not the request that acdrun waits for.")
        if any(name == "sec-fetch-mode" and value != "navigate" for name, value in headers):
            return _Judged(400, "A page asked for this, not a person.")
        path, _, query = request[2].partition("?")
        if path != "/":
            return _Judged(404, "There is nothing here.")
        if request[1] != "GET":
            return _Judged(405, "Only GET is answered.")
        try:
            pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=32, errors="strict")
        except ValueError:
            return _Judged(400, "This is not the request that acdrun waits for.")
        given = dict(pairs)
        if any([name for name, _ in pairs].count(name) > 1 for name in _OURS):
            return _Judged(400, "This is not the request that acdrun waits for.")
        if not any(name in given for name in _OURS):
            return _Judged(404, "acdrun waits here for a log-in; use the link that it printed.")
        if self._outcome.done():
            return _Judged(410, "The log-in is over already.")
        return self._settled(given)

    def _settled(self, given: dict[str, str]) -> _Judged:
        state = given.get("state", "")
        ours = hmac.compare_digest(state.encode(), self._state.reveal().encode())
        if not ours and (state or "error" not in given):
            return _Judged(
                400,
                "This answer does not belong to the log-in that acdrun waits for. Nothing was done.",
                Denied(
                    "the browser came back with a wrong `state`, from another log-in or from somebody "
                    "who interferes; no token was asked for",
                    hint="start again, and use only the link that is printed then",
                ),
            )
        if "error" in given:
            text = "acdrun was not given access. The terminal says more."
            said = given.get("error_description", "") if ours else ""
            return _Judged(200, text, _refusal(given["error"], said))
        if not given.get("code") or not given["code"].isascii() or not given["code"].isprintable():
            return _Judged(400, "The answer holds no code.", Denied("the browser came back without a code"))
        return _Judged(200, "acdrun has the answer. This page can be closed.", known(Secret(given["code"])))


@contextlib.asynccontextmanager
async def listening(state: Secret, port: int = PORT) -> AsyncIterator[Listener]:
    """A listener that is there inside the block only."""
    listener = Listener(state)
    try:
        await listener.open(port)
        yield listener
    finally:
        await listener.close()


def _refusal(code: str, description: str) -> AcdrunError:
    """The error that a consent page sends back. Source: RFC 6749 section 4.1.2.1."""
    shown = code if code.isidentifier() and code.isascii() and len(code) < 64 else "no reason given"
    said = f" ({show(redact(description))[:200]})" if description else ""
    if shown == "access_denied":
        return Denied(f"access was refused in the browser{said}", hint="log in again, and allow it there")
    if shown in ("server_error", "temporarily_unavailable"):
        return Unavailable(f"the consent page is not available: {shown}{said}", hint="try again later")
    return Denied(
        f"the service refuses this log-in: {shown}{said}",
        hint=f"check the client id, its scopes, and that http://{HOST}:{PORT}/ is among its return addresses",
    )
