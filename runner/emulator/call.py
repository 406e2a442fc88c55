"""One call: the request, read through the limits and the faults that are in force for it."""

import asyncio
import ipaddress
import json
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import aiohttp
from aiohttp import web
from aiohttp.http import HttpProcessingError, HttpVersion11

from runner.emulator.answers import Json, front, refused
from runner.emulator.faults import Rule
from runner.emulator.multipart import read_json
from runner.emulator.oauth import Grant
from runner.emulator.whole import Whole

if TYPE_CHECKING:
    from runner.emulator.server import Emulator

BODY_BYTES = 1 << 20
PARAMETERS = 100
# A client that sends nothing for so long in the middle of a body has gone.
IDLE_S = 300
_HOST = re.compile(r"[A-Za-z0-9.\-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?", re.ASCII)
_AMAZON = re.compile(r"(.+\.)?amazon(aws)?\.com(:\d+)?", re.IGNORECASE)


class Cut(Exception):
    """The fault that ends the connection here."""


@dataclass(slots=True)
class Call:
    """What a handler sees of a request."""

    emulator: "Emulator"
    request: web.BaseRequest | Whole
    names: dict[str, str]
    query: str
    rule: Rule | None = None
    grant: Grant | None = None
    _params: Mapping[str, str] | None = field(default=None)

    @property
    def params(self) -> Mapping[str, str]:
        """The decoded query; the last of repeated names counts. Raises Refused 400 if it is not UTF-8."""
        if self._params is None:
            self._params = _read_query(self.query)
        return self._params

    @property
    def lag_ms(self) -> int:
        """For how long listings shall not know what this call does."""
        return int(self.rule.seconds * 1000) if self.rule is not None and self.rule.do == "late" else 0

    @property
    def author(self) -> str:
        """The name that nodes bear as `createdBy`, and the owner of this app's properties."""
        client = self.grant.client if self.grant is not None else ""
        return _author(client, self.emulator.database.settings["account"])

    @property
    def base(self) -> str:
        """The URL under which the client reached this server, with a slash at its end.

        A client that came through a proxy for Amazon's names is given the server's own address.
        """
        host = self.request.headers.get("Host", "")
        if not _HOST.fullmatch(host) or _AMAZON.fullmatch(host):
            return self.emulator.url
        return f"http://{host}/"

    @property
    def is_local(self) -> bool:
        """Whether the caller is on this machine and says so: a web page elsewhere cannot fake its Host."""
        peer = self.request.transport.get_extra_info("peername") if self.request.transport else None
        host = self.request.headers.get("Host", "")
        host = host.rpartition(":")[0] if re.search(r":\d+$", host) else host
        return (
            peer is not None
            and _is_loopback(peer[0])
            and (host == "localhost" or _is_loopback(host.strip("[]")))
        )

    async def body(self) -> AsyncIterator[bytes]:
        """Yield the request's body as it arrives; raises Refused 400 when it breaks off or makes no sense."""
        rule, request = self.rule, self.request
        if isinstance(request, Whole):
            yield request.body
            return
        pace = rule.bytes_per_s if rule is not None and rule.do == "slow" else None
        await _invite(request)
        content = request.content
        try:
            while True:
                async with asyncio.timeout(IDLE_S):
                    data = await content.readany()
                if not data:
                    break
                if pace is not None:
                    await asyncio.sleep(len(data) / pace)
                yield data
        except (
            aiohttp.ClientError,
            HttpProcessingError,
            web.RequestPayloadError,
            OSError,
            ValueError,
        ) as error:
            raise front(400, "Cannot read from request.") from error

    async def cut_short(self, fraction: float) -> None:
        """Read that much of the body and raise Cut; a chunked body counts as 2 MiB long."""
        left = int((self.request.content_length or 2 * BODY_BYTES) * fraction)
        if left > 0:
            async for data in self.body():
                left -= len(data)
                if left <= 0:
                    break
        raise Cut

    async def text(self) -> bytes:
        """Read the whole of a small body; raises Refused 400 beyond 1 MiB."""
        found = bytearray()
        async for data in self.body():
            found += data
            if len(found) > BODY_BYTES:
                raise refused(400, "The body is too long")
        return bytes(found)

    async def json(self) -> Json:
        """Read a JSON object; an empty body is an empty object."""
        text = await self.text()
        return read_json(text) if text.strip() else {}

    def read_any(self, text: bytes) -> Any:
        """Read any JSON; raises Refused 400."""
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise refused(400, "The body is not valid JSON") from error

    async def form(self) -> dict[str, str]:
        """Read a form-encoded body."""
        return read_form((await self.text()).decode("latin-1"))


async def _invite(request: web.BaseRequest) -> None:
    # Some clients (curl, for one) hold a big body back until they are told to send it.
    expect = request.headers.get("Expect", "")
    if expect.lower() == "100-continue" and request.version == HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0


def read_form(text: str) -> dict[str, str]:
    """Decode form-encoded names and values; raises Refused 400 for what is not UTF-8."""
    try:
        found = dict(parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=PARAMETERS))
        "".join(found).encode(), "".join(found.values()).encode()
    except ValueError as error:
        raise refused(400, "The parameters cannot be decoded") from error
    return found


@lru_cache(maxsize=64)
def _read_query(text: str) -> Mapping[str, str]:
    # One client appends its next page with a second question mark (acd-api §13.3).
    return read_form(text.replace("?startToken=", "&startToken="))


@lru_cache(maxsize=64)
def _author(client: str, account: str) -> str:
    return f"{re.sub('[^A-Za-z0-9._-]', '_', client) or 'emulator'}-{account}"


def _is_loopback(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return (mapped or found).is_loopback
