"""Multipart bodies, streamed to the shelf with their MD5 taken on the way. Source: acd-api §8.1."""

import asyncio
import contextlib
import hashlib
import json
import logging
import math
import os
from collections.abc import AsyncIterator, Callable
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from runner.emulator.answers import Json, Refused, front, refused
from runner.emulator.forms import boundary_of, read_plain
from runner.emulator.shelf import Shelf, Stored, write_all

METADATA_BYTES = 1 << 20
HEADER_BYTES = 16 << 10
# Content up to this size stays in memory until its commit; beyond, it goes to a file piece by piece.
SMALL = 64 << 10
PIECE = 1 << 20
# So often, in bytes, a big upload makes durable what it has, lest its last sync holds up everybody's commit.
SYNC_EVERY = 64 << 20

# The parser warns of every broken body; here those are answered, not logged.
logging.getLogger("python_multipart").setLevel(logging.CRITICAL)


class Upload:
    """One multipart body on its way in: call `receive`, then read `metadata` and `stored`."""

    def __init__(self, shelf: Shelf, content_type: str, metadata_first: bool, quota: int) -> None:
        """Get ready for a body.

        content_type: the request's header, which holds the boundary.
        metadata_first: whether a `metadata` part must come before `content`, as for a new file.
        quota: most bytes of content that are stored.
        Raises Refused 400 when the header is not that of a multipart form.
        """
        self._boundary = boundary_of(content_type)
        self.shelf = shelf
        self.metadata: Json | None = None
        self.content_type: str | None = None
        self.stored: Stored | None = None
        self._metadata_first = metadata_first
        self._quota = quota
        self._size = 0
        self._buffer = bytearray()
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._file: int | None = None
        self._temp: str | None = None
        self._unsynced = 0
        self._text = bytearray()
        self._header_name = bytearray()
        self._header_value = bytearray()
        self._headers: dict[bytes, bytes] = {}
        self._part = b""
        self._has_content = False
        self._ended = False
        self._parser: MultipartParser | None = None

    async def receive(
        self, body: AsyncIterator[bytes], check: Callable[[Json], None] | None = None
    ) -> Stored:
        """Read the whole body; return its content.

        check: told the metadata as soon as it is whole; may raise Refused and so spare the storing.
        Raises Refused 400 for a body that is broken, cut off or lacks a part, 403 beyond the quota; then
        nothing stays behind.
        """
        told = False
        try:
            async for data in body:
                if self._ended:
                    continue  # an epilogue; some clients append one (acd-api §8.1)
                self._read(data)
                if check is not None and self.metadata is not None and not told:
                    told = True
                    check(self.metadata)
                if len(self._buffer) >= PIECE:
                    await self._flush()
            if not self._ended or not self._has_content:
                raise front(400, "Cannot complete upload" if self._ended else "Cannot read from request.")
            if self._file is None and self._size <= SMALL:
                data = bytes(self._buffer)
                self._md5.update(data)
                self.stored = Stored(len(data), self._md5.hexdigest(), data=data)
            else:
                await self._flush(last=True)
                self.stored = Stored(self._size, self._md5.hexdigest(), temp=self._temp)
            return self.stored
        finally:
            if self.stored is None:
                self._abandon()

    def discard(self) -> None:
        """Forget the content, unless a commit has put it in place."""
        if self.stored is not None:
            self.stored.discard()

    def _read(self, data: bytes) -> None:
        if self._parser is None:
            if (parts := read_plain(data, self._boundary)) is not None:
                for part in parts:
                    self._opens(part.name, part.content_type)
                    self._takes(part.data)
                    self._part_ends()
                self._ended = True
                return
            self._parser = self._strict()
        try:
            self._parser.write(data)
        except (FormParserError, UnicodeDecodeError) as error:
            raise front(400, "Cannot read from request.") from error

    def _strict(self) -> MultipartParser:
        return MultipartParser(
            self._boundary,
            {
                "on_part_begin": self._part_begins,
                "on_header_field": self._header_field,
                "on_header_value": self._header_text,
                "on_header_end": self._header_ends,
                "on_headers_finished": self._headers_end,
                "on_part_data": self._part_data,
                "on_part_end": self._part_ends,
                "on_end": self._end,
            },
            max_header_count=16,
            max_header_size=HEADER_BYTES,
        )

    async def _flush(self, last: bool = False) -> None:
        piece, self._buffer = self._buffer, bytearray()

        def flush() -> None:
            if self._temp is None or self._file is None:
                self._temp = self.shelf.temporary()
                self._file = os.open(self._temp, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            self._md5.update(piece)
            write_all(self._file, piece)
            self._unsynced += len(piece)
            if self._unsynced >= SYNC_EVERY or (last and self._size >= SYNC_EVERY):
                os.fsync(self._file)
                self._unsynced = 0
            if last:
                os.close(self._file)
                self._file = None

        # Shielded: the thread must be done with the file before anybody removes it.
        work = asyncio.get_running_loop().run_in_executor(None, flush)
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            await asyncio.wait([work])
            raise

    def _abandon(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
        if self._temp is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._temp)

    def _part_begins(self) -> None:
        self._headers = {}

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _header_text(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _header_ends(self) -> None:
        self._headers[bytes(self._header_name).lower()] = bytes(self._header_value)
        self._header_name.clear()
        self._header_value.clear()

    def _headers_end(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        self._opens(options.get(b"name", b""), self._headers.get(b"content-type"))

    def _opens(self, name: bytes, content_type: bytes | None) -> None:
        self._part = name
        if self._part == b"metadata":
            if self.metadata is not None:
                raise refused(400, "Two metadata parts")
        elif self._part == b"content":
            if self._has_content:
                raise refused(400, "Two content parts")
            if self._metadata_first and self.metadata is None:
                raise refused(400, "The metadata part must come before the content part")
            self._has_content = True
            self.content_type = content_type.decode("latin-1").strip() if content_type is not None else None

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        self._takes(memoryview(data)[start:end])

    def _takes(self, data: bytes | memoryview) -> None:
        if self._part == b"content":
            self._size += len(data)
            if self._size > self._quota:
                raise over_quota()
            self._buffer += data
        elif self._part == b"metadata":
            self._text += data
            if len(self._text) > METADATA_BYTES:
                raise refused(400, "The metadata part is too long")

    def _part_ends(self) -> None:
        if self._part == b"metadata":
            self.metadata = read_json(bytes(self._text))
            self._text.clear()
        self._part = b""

    def _end(self) -> None:
        self._ended = True


def read_json(text: bytes) -> Json:
    """Read a JSON object; raises Refused 400 for anything else, and for text that is not Unicode."""
    try:
        body = _DECODER.decode(text.decode("utf-8-sig"))
        # A lone surrogate has no UTF-8 form and could not be stored; any other text has.
        if b"\\u" in text:
            json.dumps(body, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise refused(400, "The body is not valid JSON") from error
    if not isinstance(body, dict):
        raise refused(400, "The body must be a JSON object")
    return body


def over_quota() -> Refused:
    """Build the 403 of a full account."""
    return refused(403, "Quota exceeded: the account has no room for this content", "QUOTA_EXCEEDED")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text} is beyond every number that can be written again")
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite)
