"""Bytes up and down. Source: acd-api §8."""

import random
import secrets
from collections.abc import AsyncGenerator

from runner.backends.acd.answers import load
from runner.backends.acd.nodes import AcdNode, parse
from runner.backends.acd.wire import AcdWire
from runner.model.checksum import hasher
from runner.model.content import CHUNK, Content
from runner.model.errors import BadAnswer, Truncated, Unclear
from runner.remote.close import closing
from runner.remote.http import Request, Stream

LINK_FROM = 9 << 30
"""Bytes from which a download goes by a signed address; larger ones were redirected. Source: acd-api §8.4."""

_WHOLE = 1 << 16
"""Content up to this many bytes is read before it is sent, and sent as one piece: a piece costs a system call and a
packet, and reading it on the way as much again. Every upload under way may hold so much."""

_LONG = 64 << 20
"""Content from this many bytes may be on its way for longer than a token lives."""

_UPLOAD_IDLE_S = 300.0


_HEAD = (
    b'--%b\r\nContent-Disposition: form-data; name="metadata"\r\nContent-Type: application/json\r\n\r\n%b\r\n'
    b'--%b\r\nContent-Disposition: form-data; name="content"; filename="content"\r\n'
    b"Content-Type: application/octet-stream\r\n\r\n"
)

_chance = random.Random(secrets.token_bytes(32))  # noqa: S311  nobody is to guess the next one, but nobody sees any


class Form:
    """The multipart body of an upload, of known length, that can be sent again from its start.

    Nothing can be stored of one that was cut off, for its last line closes it. md5: of the content of the
    last complete pass.
    """

    def __init__(self, metadata: bytes, content: Content) -> None:
        boundary = b"%032x" % _chance.getrandbits(128)
        self.type = f"multipart/form-data; boundary={boundary.decode('ascii')}"
        self._content = content
        self._digest: str | None = None
        self._head = _HEAD % (boundary, metadata, boundary)
        self._tail = b"\r\n--%b--\r\n" % boundary

    @property
    def size(self) -> int:
        """Bytes of the content."""
        return self._content.size

    @property
    def md5(self) -> str:
        """Lower-case hex."""
        return self._digest or self._content.checksum.digest

    async def body(self) -> bytes | Stream:
        """The whole form. Raises what `Content.whole` raises."""
        if self._content.size <= _WHOLE:
            data = await self._content.whole()
            if self._content.algorithm != "md5":
                self._digest = hasher("md5", data).hexdigest()
            return b"".join((self._head, data, self._tail))
        return Stream(len(self._head) + self._content.size + len(self._tail), self._pieces)

    async def _pieces(self) -> AsyncGenerator[bytes, None]:
        yield self._head
        digest = None if self._content.algorithm == "md5" else hasher("md5")
        async with closing(self._content.chunks()) as chunks:
            async for chunk in chunks:
                if digest is not None:
                    digest.update(chunk)
                yield chunk
        self._digest = digest.hexdigest() if digest is not None else None
        yield self._tail


async def upload(wire: AcdWire, form: Form) -> AcdNode:
    """Send a form that makes a new node. Raises Conflict, NotFound (the folder), Unclear."""
    request = Request(
        "POST",
        (await wire.endpoints()).content + "nodes?suppress=deduplication",
        headers=(("Content-Type", form.type),),
        body=await form.body(),
        repeatable=False,
        idle_s=_UPLOAD_IDLE_S,
    )
    if form.size < _LONG:
        reply = await wire.wire.call(request)
    else:
        async with wire.wire.kept_authorised():
            reply = await wire.wire.call(request)
    try:
        return parse(load(reply))
    except BadAnswer as error:
        raise Unclear(f"sent, but the answer makes no sense: {error.message}") from error


async def download(wire: AcdWire, node: AcdNode) -> AsyncGenerator[bytes, None]:
    """Yield a file's bytes; their number is checked. Raises NotFound, Truncated, BadAnswer."""
    request = Request("GET", (await wire.endpoints()).content + f"nodes/{node.id}/content")
    if node.size >= LINK_FROM:
        link = wire.server.check_link((await wire.node(node.id, temp_link=True)).temp_link)
        request = Request("GET", link, authorised=False)
    total = 0
    async with wire.wire.stream(request) as answer:
        if answer.status != 200:
            raise BadAnswer(f"a download that answers with status {answer.status}")
        async with closing(answer.chunks()) as chunks:
            async for chunk in chunks:
                total += len(chunk)
                yield chunk
    _counted(total, node)


async def download_whole(wire: AcdWire, node: AcdNode) -> bytes:
    """All of a file's bytes, for one that is small. Raises what `download` raises."""
    request = Request("GET", (await wire.endpoints()).content + f"nodes/{node.id}/content")
    reply = await wire.wire.call(request, most=node.size + CHUNK)
    if reply.status != 200:
        raise BadAnswer(f"a download that answers with status {reply.status}")
    _counted(len(reply.body), node)
    return reply.body


def _counted(total: int, node: AcdNode) -> None:
    if total < node.size:
        raise Truncated(f"a download of {total} bytes where {node.size} were listed")
    if total > node.size:
        raise BadAnswer(f"a download of {total} bytes where {node.size} were listed")


async def digest(wire: AcdWire, node: AcdNode) -> str:
    """The MD5 of the stored bytes, read back."""
    running = hasher("md5")
    async with closing(download(wire, node)) as chunks:
        async for chunk in chunks:
            running.update(chunk)
    return running.hexdigest()
