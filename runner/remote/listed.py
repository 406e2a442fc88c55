"""A file of a remote as content to be sent elsewhere: of the generation that was listed, and of no other."""

from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING

from runner.model.checksum import Checksum
from runner.model.content import CHUNK, Content, Fetched
from runner.model.errors import NotFound, Unreadable
from runner.model.node import Node
from runner.remote.close import closing
from runner.remote.spans import spans_of

if TYPE_CHECKING:
    from runner.remote.remote import Remote


def content(
    remote: "Remote",
    path: str,
    node: Node,
    algorithm: str,
    *,
    progress: Callable[[int], None] | None,
    expect: Checksum | None,
    proven: bool,
    alone: bool,
) -> Content:
    """See `Remote.content`."""
    generation = node.generation or None
    can = remote.backend.can

    async def at_once() -> Fetched:
        try:
            return await remote.whole(path, node.size, expect=generation)
        except NotFound as error:
            raise _vanished(error) from error

    async def asked() -> int | None:
        there = await remote.stat(path) if can.lists_times else (await remote.timed([(path, node)]))[0]
        return there.mtime_ns

    return Content(
        node.size,
        lambda: chunks(remote, path, generation),
        mtime_ns=node.mtime_ns,
        algorithm=algorithm,
        progress=progress,
        expect=expect,
        near=can.near,
        asked=None if can.mtime_ns is None else asked,
        proven=proven,
        alone=alone,
        at_once=at_once if remote.hands_over and node.size <= CHUNK else None,
        spans=spans_of(remote, path, node),
    )


async def chunks(remote: "Remote", path: str, generation: str | None) -> AsyncGenerator[bytes, None]:
    """Yield the bytes of that generation. Raises Changed, Unreadable, and what else `Remote.read` raises."""
    try:
        async with closing(remote.read(path, expect=generation)) as pieces:
            async for piece in pieces:
                yield piece
    except NotFound as error:
        raise _vanished(error) from error


def _vanished(error: NotFound) -> Unreadable:
    return Unreadable("vanished after it was listed", remote=error.remote, path=error.path)
