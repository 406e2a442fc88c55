"""What some backends do besides: each protocol is claimed by a capability, or seen by its presence."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Protocol, runtime_checkable

from runner.model.backend import Backend, ChangePage, Copied, Copy, Copying
from runner.model.content import Digests, Fetched, Loaded
from runner.model.errors import AcdrunError
from runner.model.node import Node


@runtime_checkable
class Adaptive(Protocol):
    """A backend that finds out by trying how many requests at once its service serves best."""

    @property
    def at_once(self) -> int:
        """How many operations may usefully be under way now; it changes while they are."""


@runtime_checkable
class Several(Protocol):
    """A backend that lists several folders at the price of one call, as a disk does: walks ask it for batches."""

    async def list_some(self, folders: Sequence[str]) -> Sequence[Sequence[Node] | AcdrunError]:
        """The children of the first of these folders, in their order, or what `list` would raise: of one at least,
        and of as many as make a good batch.
        """


@runtime_checkable
class Whole(Protocol):
    """A backend that hands over a small file in one piece, at less than `read` costs."""

    async def whole(self, path: str, size: int, *, expect: str | None = None) -> Fetched:
        """All the bytes of a file that is listed with `size` of them. Raises what `read` raises; it tries again by
        itself after an answer that was cut off."""


Some = Sequence[tuple[int, Loaded]]
"""Files of a batch that were read, each with its number there."""


@runtime_checkable
class ReadsSome(Protocol):
    """A backend that reads several small files at less than `read` costs each."""

    def read_some(self, files: Sequence[Copy], how: Copying) -> AsyncGenerator[Some, None]:
        """Yield these files some at a time, in any order, as they were listed and whole, with checksums as wanted.

        What is not to be had so is left out, whatever the reason: who reads it alone will be told.
        """


@runtime_checkable
class PutsSome(Protocol):
    """A backend that stores several small new files at less than `put` costs each."""

    async def put_some(
        self, files: Sequence[Copy], loaded: AsyncIterator[Some], how: Copying
    ) -> Sequence[Copied | None]:
        """Store what comes of these files where nothing is; return what became of each, in their order.

        loaded: to be asked for only when what it yields will be stored. Copied, None: see `Peer.copy_from`. Raises
        Unsynced.
        """


@runtime_checkable
class Spanned(Protocol):
    """A backend that reads a file from anywhere on as cheaply as from its start: what sends parts need not hold them.

    Both read only the generation `expect`, and raise what `Backend.read` raises.
    """

    async def digests(self, path: str, algorithm: str, size: int, *, expect: str | None) -> Digests:
        """Read the file once and digest it, whole and in parts of `size` bytes."""

    def span(self, path: str, start: int, size: int, *, expect: str | None) -> AsyncGenerator[bytes, None]:
        """Yield so many bytes from there on; there must be as many."""


class Peer(Protocol):
    """What a backend that claims `copies` does besides."""

    async def copy_from(
        self, source: Backend, batch: Sequence[Copy], how: Copying
    ) -> Sequence[Copied | None]:
        """Copy files of a backend with the same `can.copies`; return what became of each, in their order.

        All that holds for `Backend.put` holds for each file. Copied: it stands there, whole, and outlasts a power cut.
        None: nothing was done with it, whatever the reason; who reads and puts it will do it, or say why not.
        Raises Unsynced.
        """


class Feed(Protocol):
    """What a backend that claims `changes` does besides."""

    def changes(self, cursor: str | None) -> AsyncIterator[ChangePage]:
        """Yield what changed since the cursor, at least one page, and everything there is when it is None.

        The feed is that of the whole place, above the remote's root too. Nodes come in any order, so a child may
        come before its folder, and a folder's children are told of when they change, not when it does. A cursor
        that is unknown, expired or another account's begins anew, with `reset`. An iterator that ends without an
        error has told everything up to the moment it began.
        """

    def learn(self, path: str, node: Node) -> None:
        """Hear which folder stands at a path, from who has followed the feed: it saves looking for it, no more."""


class Flat(Protocol):
    """What a backend that claims `flat` does besides."""

    def list_all(self, folder: str) -> AsyncIterator[Sequence[tuple[str, Node]]]:
        """Yield every file below the folder in pages, with its path from there, each once, by the bytes of the paths.

        Paths are as the service has them, be they such as no path of ours may be. Leaves out what `list` leaves
        out. An iterator that ends without an error has yielded everything. Raises NotFound, Denied.
        """


class Timed(Protocol):
    """What a backend that claims times and does not list them does besides."""

    async def timed(self, nodes: Sequence[tuple[str, Node]]) -> Sequence[Node]:
        """The nodes of these files with their times, in the same order; as they were where a file is gone or changed.

        Nothing is asked twice of one generation, as long as the state directory is kept.
        """
