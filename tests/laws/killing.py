"""Death at a chosen commit: from then on the process writes nothing, neither to its state nor to a remote."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from sqlite3 import Connection
from typing import Any, cast
from unittest import mock

from runner.model.backend import Backend, ChangePage, Copied, Copy, Copying, Trashed
from runner.model.content import Content
from runner.model.node import Node
from runner.model.powers import Feed, Peer
from runner.state.database import Database


class Killed(BaseException):
    """No `except Exception` and no AcdrunError: nothing may answer it."""


class Guillotine:
    """Kills at the n-th commit of any state database, before it or after it.

    Every later commit fails as well, so that no `finally` writes what a killed process would not have.
    commits: how many there were.
    """

    def __init__(self, number: int, *, after: bool) -> None:
        self._number = number
        self._after = after
        self.commits = 0
        self.dead = False

    def check(self) -> None:
        """Nothing happens any more once the process is dead."""
        if self.dead:
            raise Killed

    @contextmanager
    def up(self) -> Iterator[None]:
        """While it is up, it falls."""
        whole, guillotine = Database.transaction, self

        @contextmanager
        def transaction(database: Database) -> Iterator[Connection]:
            with whole(database) as connection:
                yield connection
                guillotine.commits += 1
                guillotine.dead |= not guillotine._after and guillotine.commits == guillotine._number
                guillotine.check()
            guillotine.dead |= guillotine.commits >= guillotine._number
            guillotine.check()

        with mock.patch.object(Database, "transaction", transaction):
            yield


class Mortal:
    """A backend that a dead process reaches no more. It looks on when something is trashed."""

    def __init__(self, inner: Backend, guillotine: Guillotine, on_trash: "Any" = None) -> None:
        self.inner = inner
        self.can = inner.can
        self._guillotine = guillotine
        self._on_trash = on_trash

    @property
    def clock_offset_s(self) -> float | None:
        """That of what is wrapped."""
        return self.inner.clock_offset_s

    @classmethod
    async def open(cls, config: Any, setting: object) -> "Mortal":
        """It wraps what is open already."""
        raise TypeError("open the inner backend and wrap it")

    async def close(self) -> None:
        """Closing has no effect on what is stored."""
        await self.inner.close()

    async def list(self, folder: str) -> AsyncIterator[Sequence[Node]]:
        """Each page."""
        async for page in self.inner.list(folder):
            self._guillotine.check()
            yield page

    async def stat(self, path: str) -> Node:
        """Look."""
        self._guillotine.check()
        return await self.inner.stat(path)

    async def read(self, path: str, *, expect: str | None = None) -> AsyncIterator[bytes]:
        """Each piece."""
        async for chunk in self.inner.read(path, expect=expect):
            self._guillotine.check()
            yield chunk

    async def put(self, path: str, content: Content, *, expect: str | None) -> Node:
        """Its content is checked piece by piece."""
        self._guillotine.check()
        return await self.inner.put(path, content, expect=expect)

    async def copy_from(
        self, source: Backend, batch: Sequence[Copy], how: Copying
    ) -> Sequence[Copied | None]:
        """One effect, as what a process does without looking at its state in between."""
        self._guillotine.check()
        return await cast(Peer, self.inner).copy_from(getattr(source, "inner", source), batch, how)

    async def mkdir(self, path: str) -> Node:
        """Make."""
        self._guillotine.check()
        return await self.inner.mkdir(path)

    async def move(self, path: str, to: str, *, expect: str | None = None) -> Node:
        """Rename."""
        self._guillotine.check()
        return await self.inner.move(path, to, expect=expect)

    async def trash(self, path: str, *, expect: str | None = None) -> str:
        """Remove."""
        self._guillotine.check()
        if self._on_trash is not None:
            self._on_trash(path)
        return await self.inner.trash(path, expect=expect)

    async def trashed(self, folder: str = "") -> AsyncIterator[Sequence[Trashed]]:
        """Each page."""
        async for page in self.inner.trashed(folder):
            self._guillotine.check()
            yield page

    async def kept(self, ref: str) -> Trashed:
        """Look into the trash."""
        self._guillotine.check()
        return await self.inner.kept(ref)

    async def restore(self, ref: str, to: str | None = None) -> str:
        """Bring back."""
        self._guillotine.check()
        return await self.inner.restore(ref, to)

    async def quota(self) -> Any:
        """Ask."""
        return await self.inner.quota()

    async def identity(self, folder: str) -> Any:
        """Look."""
        self._guillotine.check()
        return await self.inner.identity(folder)

    async def changes(self, cursor: str | None) -> AsyncIterator[ChangePage]:
        """Each page."""
        async for page in cast(Feed, self.inner).changes(cursor):
            self._guillotine.check()
            yield page

    def learn(self, path: str, node: Node) -> None:
        """Pass it on."""
        cast(Feed, self.inner).learn(path, node)
