"""Bytes up and down. Source: acd-api §8."""

import secrets
from collections.abc import AsyncGenerator, AsyncIterator

from runner.backends.acd.answers import load
from runner.backends.acd.nodes import AcdNode, parse
from runner.backends.acd.wire import AcdWire
from runner.model.checksum import hasher
from runner.model.content import Content
from runner.model.errors import BadAnswer, Truncated, Unclear
from runner.remote.close import closing
from runner.remote.http import Request, Stream

LINK_FROM = 9 << 30
"""Bytes from which a download goes by a signed address; larger ones were redirected. Source: acd-api §8.4."""

_WHOLE = 1 << 18
"""Content up to this many bytes is sent as one piece: each piece costs a system call and a packet."""

_LONG = 64 << 20
"""Content from this many bytes may be on its way for longer than a token lives."""

_UPLOAD_IDLE_S = 300.0


class Form:
    """The multipart body of an upload, of known length, that can be sent again from its start.

    Nothing can be stored of one that was cut off, for its last line closes it. md5: of the content of the
    last complete pass.
    """

    def __init__(self, metadata: bytes, content: Content) -> None:
        boundary = secrets.token_hex(16).encode("ascii")
        self.type = f"multipart/form-data; boundary={boundary.decode('ascii')}"
        self._content = content
        self._digest = hasher("md5")
        self._head = (
            b'--%b\r\nContent-Disposition: form-data; name="metadata"\r\n'
            b"Content-Type: application/json\r\n\r\n%b\r\n"
            b'--%b\r\nContent-Disposition: form-data; name="content"; filename="content"\r\n'
            b"Content-Type: application/octet-stream\r\n\r\n" % (boundary, metadata, boundary)
        )
        self._tail = b"\r\n--%b--\r\n" % boundary

    @property
    def size(self) -> int:
        """Bytes of the content."""
        return self._content.size

    @property
    def md5(self) -> str:
        """Lower-case hex."""
        checksum = self._content.checksum
        return checksum.digest if checksum.algorithm == "md5" else self._digest.hexdigest()

    def body(self) -> Stream:
        """The whole form."""
        return Stream(len(self._head) + self._content.size + len(self._tail), self._pieces)

    async def _pieces(self) -> AsyncGenerator[bytes, None]:
        async with closing(self._chunks()) as chunks:
            if self._content.size <= _WHOLE:
                yield b"".join([self._head, *[chunk async for chunk in chunks], self._tail])
                return
            yield self._head
            async for chunk in chunks:
                yield chunk
        yield self._tail

    async def _chunks(self) -> AsyncIterator[bytes]:
        if self._content.algorithm == "md5":
            digest = None
        else:
            digest = self._digest = hasher("md5")
        async with closing(self._content.chunks()) as chunks:
            async for chunk in chunks:
                if digest is not None:
                    digest.update(chunk)
                yield chunk


async def upload(wire: AcdWire, form: Form) -> AcdNode:
    """Send a form that makes a new node. Raises Conflict, NotFound (the folder), Unclear."""
    request = Request(
        "POST",
        (await wire.endpoints()).content + "nodes?suppress=deduplication",
        headers=(("Content-Type", form.type),),
        body=form.body(),
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
