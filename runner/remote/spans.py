"""A file of a remote that is read from anywhere on."""

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from runner.model.content import CHUNK, Digests
from runner.model.errors import NotFound, Unreadable
from runner.model.node import Node
from runner.model.powers import Spanned
from runner.remote.close import closing
from runner.remote.full import full
from runner.remote.placing import Placing

if TYPE_CHECKING:
    from runner.remote.remote import Remote


def spans_of(remote: "Remote", path: str, node: Node) -> "FileSpans | None":
    """The way to the parts of a listed file, where its backend has one. What is paced is not to be read so, and what
    has no generation could be another file each time.
    """
    backend = remote.backend
    if (
        node.size <= CHUNK
        or not node.generation
        or remote.throttle is not None
        or not isinstance(backend, Spanned)
    ):
        return None
    return FileSpans(backend, remote.name, full(remote.name, remote.prefix, path), node.generation)


class FileSpans:
    """See `Spans`. name, path: of the remote, and the file from its root on; generation: the one that was listed."""

    def __init__(self, backend: Spanned, name: str, path: str, generation: str) -> None:
        self._backend = backend
        self._name, self._path, self._generation = name, path, generation

    async def digests(self, algorithm: str, size: int) -> Digests:
        """See `Spans.digests`."""
        with Placing(self._name, self._path):
            try:
                return await self._backend.digests(self._path, algorithm, size, expect=self._generation)
            except NotFound as error:
                raise _vanished() from error

    async def span(self, start: int, size: int) -> AsyncGenerator[bytes, None]:
        """See `Spans.span`."""
        with Placing(self._name, self._path):
            try:
                span = self._backend.span(self._path, start, size, expect=self._generation)
                async with closing(span) as chunks:
                    async for chunk in chunks:
                        yield chunk
            except NotFound as error:
                raise _vanished() from error


def _vanished() -> Unreadable:
    return Unreadable("vanished after it was listed")
