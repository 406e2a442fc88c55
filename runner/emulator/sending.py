"""Answers onto the wire, whole or as a fault wants them."""

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import NamedTuple

from aiohttp import web

from runner.emulator.answers import Answer, FileSlice
from runner.emulator.faults import Rule

PIECE = 256 << 10
# So few bytes are read at once, without the detour over a thread.
SMALL = 64 << 10
_LINES = {status: f"HTTP/1.1 {status} \r\n" for status in range(200, 600)} | {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus
}


class Reply(NamedTuple):
    """What to answer, and the fault in force."""

    answer: Answer
    rule: Rule | None


def headed(answer: Answer) -> bytes | None:
    """Return all that goes before the body of an answer; None for an answer that the library must send."""
    if not isinstance(answer.body, bytes) or answer.status in (204, 304):
        return None
    lines = [_LINES[answer.status]]
    for name, value in stamped(answer.headers).items():
        if "\r" in value or "\n" in value:
            return None  # the library refuses it
        lines.append(f"{name}: {value}\r\n")
    return f"{''.join(lines)}Content-Length: {len(answer.body)}\r\nDate: {_date(int(time.time()))}\r\n\r\n".encode()


async def send(request: web.BaseRequest, answer: Answer, rule: Rule | None) -> web.StreamResponse:
    """Send an answer.

    A `cut` rule closes the connection on the way, a `slow` one delays its bytes, a `clock` one lies about the time.
    """
    headers = stamped(answer.headers)
    if rule is not None and rule.do == "clock":
        headers["Date"] = formatdate(time.time() + rule.ahead, usegmt=True)
    cut = rule.fraction if rule is not None and rule.do == "cut" else None
    pace = rule.bytes_per_s if rule is not None and rule.do == "slow" else None
    body = answer.body
    if isinstance(body, FileSlice) and body.length <= SMALL:
        body = _read(body)
    if isinstance(body, bytes) and cut is None and pace is None:
        return web.Response(status=answer.status, body=body, headers=headers)
    response = web.StreamResponse(status=answer.status, headers=headers)
    if isinstance(body, FileSlice):
        with body.file:
            return await _stream(request, response, _pieces(body), body.length, cut=cut, pace=pace)
    if isinstance(body, bytes):
        return await _stream(request, response, _whole(body), len(body), cut=cut, pace=pace)
    return await _stream(request, response, body, None, cut=cut, pace=pace)


async def _stream(
    request: web.BaseRequest,
    response: web.StreamResponse,
    pieces: AsyncIterator[bytes],
    length: int | None,
    *,
    cut: float | None,
    pace: float | None,
) -> web.StreamResponse:
    if length is not None:
        response.content_length = length
    await response.prepare(request)
    left = None if cut is None else int((PIECE if length is None else length) * cut)
    if request.method != "HEAD":
        async for piece in pieces:
            part = piece if left is None else piece[:left]
            left = None if left is None else left - len(part)
            step = len(part) or 1 if pace is None else max(1, int(pace / 20))
            for start in range(0, len(part), step):
                await response.write(part[start : start + step])
                if pace is not None:
                    await asyncio.sleep(min(step, len(part) - start) / pace)
            if left == 0:
                break
    if left is not None:
        close(request)
    else:
        await response.write_eof()
    return response


def close(request: web.BaseRequest) -> None:
    """End the connection after what was written so far; for a client it breaks off."""
    if request.transport is not None:
        request.transport.close()


def stamped(headers: dict[str, str]) -> dict[str, str]:
    """Add the headers that every answer carries."""
    number = random.getrandbits(128)
    digits = f"{number & ~(0xF000C << 60) | 0x40008 << 60:032x}"
    identity = f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
    return {**headers, "x-amzn-RequestId": identity, "Server": "Server"}


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)


async def _pieces(part: FileSlice) -> AsyncIterator[bytes]:
    at, end = part.start, part.start + part.length
    while at < end:
        piece = await asyncio.to_thread(os.pread, part.file.fileno(), min(PIECE, end - at), at)
        if not piece:
            raise _too_short(part)
        at += len(piece)
        yield piece


def _read(part: FileSlice) -> bytes:
    with part.file:
        found = os.pread(part.file.fileno(), part.length, part.start)
    if len(found) < part.length:
        raise _too_short(part)
    return found


def _too_short(part: FileSlice) -> OSError:
    return OSError(f"content is shorter than its row says: {part.file.name!r}")


async def _whole(body: bytes) -> AsyncIterator[bytes]:
    yield body
