"""A remote: a named place, and what every place is given on top of its backend's few verbs."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import cast

from runner.model import path as paths
from runner.model.backend import (
    Backend,
    Capabilities,
    ChangePage,
    Copied,
    Copy,
    Copying,
    Identity,
    Quota,
    Trashed,
)
from runner.model.checksum import Checksum, hasher
from runner.model.content import Content, Fetched
from runner.model.errors import AcdrunError, Blocked, NotFound, Unsupported
from runner.model.node import Folder, Node
from runner.model.powers import Adaptive, Feed, Flat, Peer, Several, Timed, Whole
from runner.remote import flat, listed
from runner.remote.close import closing
from runner.remote.full import full, full_of
from runner.remote.index import Index, View
from runner.remote.paced import Paced
from runner.remote.placing import Placing
from runner.remote.throttle import Throttle
from runner.remote.unseen import ours, seen, without_leases
from runner.remote.walk import Admits, everything, walk

_IN_THREAD = 1 << 18
"""A piece of this many bytes takes longer to digest than a thread takes to answer."""


class Remote:
    """A backend under a name, seen from the folder `prefix` down.

    Paths are relative to that folder; a part that no path may have is refused here, before any backend
    sees it. An error that leaves a verb names the remote and the path, counted from the backend's root.
    throttle: paces requests and bytes for a backend that does not do so itself; shared by all views.
    most: how much may go on at once, where the remote's `limits` say so; None leaves it to the backend's advice.
    watches: asked before each write, by all views; one that objects raises.
    index: what walks are read from, where one is kept and may be used.
    hands_over: its backend is `Whole`.
    """

    def __init__(
        self,
        name: str,
        backend: Backend,
        prefix: str = "",
        *,
        throttle: Throttle | None = None,
        most: int | None = None,
        watches: list[Callable[[], None]] | None = None,
        index: Index | None = None,
    ) -> None:
        self.name = name
        self.backend = backend
        self.prefix = prefix
        self.throttle = throttle
        self.most = most
        self._adaptive = backend if most is None and isinstance(backend, Adaptive) else None
        self.hands_over = isinstance(backend, Whole)
        self.watches = [] if watches is None else watches
        self.index = index

    @property
    def can(self) -> Capabilities:
        """What the backend claims, seen from here; its advice on concurrency gives way to the remote's limit."""
        can = self.backend.can
        if self.most is not None:
            can = replace(can, concurrency=self.most)
        if can.max_path is not None and self.prefix:
            can = replace(can, max_path=max(0, can.max_path - len(self.prefix.encode()) - 1))
        return can

    @property
    def clock_offset_s(self) -> float | None:
        """See `Backend.clock_offset_s`."""
        return self.backend.clock_offset_s

    @property
    def most_at_once(self) -> int:
        """How many operations may usefully be under way now; to be asked again, for it may follow the service."""
        return self.can.concurrency if self._adaptive is None else self._adaptive.at_once

    @property
    def place(self) -> str:
        """Which generations may be compared with each other: the key of the hash cache."""
        return self.name

    def at(self, path: str) -> "Remote":
        """The same remote from the folder at `path` down; nothing is contacted."""
        return Remote(self.name, self.backend, self._full(path), throttle=self.throttle, most=self.most,
                      watches=self.watches, index=self.index)  # fmt: skip

    def unwatched(self) -> "Remote":
        """The same remote from its root down, whose writes nobody is asked about."""
        return Remote(self.name, self.backend, throttle=self.throttle, most=self.most)

    async def close(self) -> None:
        """Let go of the backend's connections and processes. Safe to call twice."""
        await self.backend.close()

    async def list(self, folder: str = "") -> AsyncGenerator[Sequence[Node], None]:
        """Yield the children in pages, as the backend has them. Raises NotFound, Denied."""
        full = self._full(folder)
        await self._request()
        with Placing(self.name, full):
            async with closing(self.backend.list(full)) as pages:
                async for page in pages:
                    yield without_leases(page)

    async def list_some(self, folders: Sequence[str]) -> Sequence[Sequence[Node] | AcdrunError]:
        """Of the first of these folders, one at least, the children or why they cannot be listed.

        Only of a backend that is `Several`, and only while nobody paces its requests.
        """
        assert isinstance(self.backend, Several)
        full = [self._full(folder) for folder in folders]
        answers: list[Sequence[Node] | AcdrunError] = []
        for place, answer in zip(full, await self.backend.list_some(full), strict=False):
            if isinstance(answer, AcdrunError):
                Placing(self.name, place).place(answer)
                answers.append(answer)
            else:
                answers.append(without_leases(answer))
        return answers

    async def list_all(self, folder: str = "") -> AsyncGenerator[Sequence[tuple[str, Node]], None]:
        """Yield every file below, in pages, as the backend has them: see `Flat`. Raises NotFound, Unsupported."""
        full = self._full(folder)
        if not self.can.flat:
            raise Unsupported("it lists folder by folder", remote=self.name, path=full)
        await self._request()
        with Placing(self.name, full):
            async with closing(cast(Flat, self.backend).list_all(full)) as pages:
                async for page in pages:
                    yield page

    async def timed(self, nodes: Sequence[tuple[str, Node]]) -> Sequence[Node]:
        """The nodes of these files with their times, where listings do not carry them: see `Timed`."""
        if self.can.lists_times or not nodes:
            return [node for _, node in nodes]
        await self._request()
        with Placing(self.name, self.prefix):
            return await cast(Timed, self.backend).timed([(self._full(path), node) for path, node in nodes])

    async def stat(self, path: str) -> Node:
        """The node as it is now. Raises NotFound."""
        full = self._full(path)
        await self._request()
        with Placing(self.name, full):
            return await self.backend.stat(full)

    async def read(self, path: str, *, expect: str | None = None) -> AsyncGenerator[bytes, None]:
        """Yield the content. Raises NotFound, Truncated, Changed."""
        full = self._full(path)
        await self._request()
        with Placing(self.name, full, index=self.index):
            async with closing(self.backend.read(full, expect=expect)) as chunks:
                async for chunk in chunks:
                    if self.throttle is None:
                        yield chunk
                        continue
                    for piece in self.throttle.portions(chunk):
                        await self.throttle.moved(len(piece))
                        yield piece

    async def whole(self, path: str, size: int, *, expect: str | None = None) -> Fetched:
        """A file of at most CHUNK bytes, of a backend that is `Whole`. Raises what `read` raises."""
        full = self._full(path)
        await self._request()
        with Placing(self.name, full, index=self.index):
            fetched = await cast(Whole, self.backend).whole(full, size, expect=expect)
        if self.throttle is not None:
            for piece in self.throttle.portions(fetched.data):
                await self.throttle.moved(len(piece))
        return fetched

    async def put(self, path: str, content: Content, *, expect: str | None = None) -> Node:
        """Store the content, where nothing is (expect None) or in place of the generation `expect`.

        A Changed is the source's and is passed on as it is.
        """
        full = self._full(path)
        await self._request(writes=True)
        if self.throttle is not None:
            content = Paced(content, self.throttle)
        with Placing(self.name, full, storing=True, index=self.index):
            return await self.backend.put(full, content, expect=expect)

    def takes_from(self, source: "Remote") -> bool:
        """Can it copy files from there by itself? Where bytes or requests are limited they pass through here."""
        same = bool(self.can.copies) and self.can.copies == source.can.copies
        return same and self.throttle is None and source.throttle is None

    def below(self, source: "Remote", batch: Sequence[Copy]) -> Sequence[Copy]:
        """The same copies, as the two backends know their paths. Raises Blocked."""
        origins = full_of(source.name, source.prefix, [one.origin for one in batch])
        ours = full_of(self.name, self.prefix, [one.path for one in batch])
        return [
            Copy(origin, generation, size, mtime_ns, path, known)
            for (_, generation, size, mtime_ns, _, known), origin, path in zip(
                batch, origins, ours, strict=True
            )
        ]

    async def copy_from(
        self, source: "Remote", batch: Sequence[Copy], how: Copying
    ) -> Sequence[Copied | None]:
        """Copy files from a place that this one `takes_from`; see `Peer`."""
        copies = self.below(source, batch)
        await self._request(writes=True)
        with Placing(self.name, self.prefix):
            if not self.takes_from(source):
                raise Unsupported("what is copied from there passes through this machine")
            return await cast(Peer, self.backend).copy_from(source.backend, copies, how)

    async def withdraw(self, path: str, stored: Node) -> None:
        """Take back what a `put` has just stored, that generation and no other; what it replaced has its place again.

        Both are in the trash meanwhile. Source: reliability.md §2, rule 7.
        """
        await self.trash(path, expect=stored.generation)
        if stored.replaced:
            await self.restore(stored.replaced, path)

    async def mkdir(self, path: str) -> Node:
        """Make the folder, whose parent must exist, unless it is there already."""
        full = self._full(path)
        await self._request(writes=True)
        with Placing(self.name, full, index=self.index):
            return await self.backend.mkdir(full)

    async def mkdirs(self, path: str = "") -> Node:
        """Make the folder and every folder above it that is missing, the root of the remote too."""
        full = self._full(path)
        with Placing(self.name, full):
            return await self._mkdirs(full)

    async def _mkdirs(self, full: str) -> Node:
        await self._request(writes=True)
        try:
            return await self.backend.mkdir(full)
        except NotFound:
            if not full:
                raise
        await self._mkdirs(paths.parent(full))
        return await self.backend.mkdir(full)

    async def move(self, path: str, to: str, *, expect: str | None = None) -> Node:
        """Rename on the service; nothing may be at `to`, but for the node itself in another case."""
        full, goal = self._full(path), self._full(to)
        if not full or not goal:
            raise Blocked("the root of a remote cannot be moved", remote=self.name, path=full)
        await self._request(writes=True)
        with Placing(self.name, full, goal, index=self.index):
            return await self.backend.move(full, goal, expect=expect)

    async def trash(self, path: str, *, expect: str | None = None) -> str:
        """Remove recoverably; return what it takes to bring it back."""
        full = self._full(path)
        if not path:
            raise Blocked("the root of a remote cannot be trashed", remote=self.name, path=full)
        await self._request(writes=True)
        with Placing(self.name, full, index=self.index):
            return await self.backend.trash(full, expect=expect)

    async def trashed(self) -> AsyncGenerator[Sequence[Trashed], None]:
        """Yield in pages what was trashed or replaced below this view, with paths that count from here."""
        await self._request()
        with Placing(self.name, self.prefix):
            async with closing(self.backend.trashed(self.prefix)) as pages:
                async for page in pages:
                    yield [entry._replace(path=self._below(entry.path)) for entry in page if not ours(entry)]

    async def kept(self, ref: str) -> Trashed:
        """What `restore` would bring back. Raises NotFound when it is not in the trash."""
        await self._request()
        with Placing(self.name, ref):
            entry = await self.backend.kept(ref)
        return entry._replace(path=self._below(entry.path))

    async def restore(self, ref: str, to: str | None = None) -> str:
        """Bring back what `trash` removed, to where it was or to the path `to`; return its path now.

        Raises Exists when something is there, NotFound when it is not in the trash or its folder is gone.
        """
        goal = None if to is None else self._full(to)
        if to == "":
            raise Blocked("nothing can take the place of the root", remote=self.name, path=self.prefix)
        await self._request(writes=True)
        with Placing(self.name, ref, goal):
            path = await self.backend.restore(ref, goal)
        return self._below(path) or path

    async def quota(self) -> Quota:
        """How much room there is. Raises Unsupported."""
        await self._request()
        with Placing(self.name, self.prefix):
            return await self.backend.quota()

    async def identity(self, folder: str = "") -> Identity:
        """Which folder this is, by default the one that the view begins at. Raises NotFound."""
        full = self._full(folder)
        await self._request()
        with Placing(self.name, full):
            return await self.backend.identity(full)

    async def checksum(self, path: str, algorithm: str, *, expect: str | None = None) -> Checksum:
        """Read the file to its end and digest it. Raises what `read` raises."""
        digest = hasher(algorithm)
        async with closing(self.read(path, expect=expect)) as chunks:
            async for chunk in chunks:
                if len(chunk) >= _IN_THREAD:
                    await asyncio.to_thread(digest.update, chunk)
                else:
                    digest.update(chunk)
        return Checksum(algorithm, digest.hexdigest())

    def content(
        self,
        path: str,
        node: Node,
        algorithm: str = "md5",
        progress: Callable[[int], None] | None = None,
        expect: Checksum | None = None,
        *,
        proven: bool = False,
        alone: bool = False,
    ) -> Content:
        """The file's bytes, to be sent elsewhere: each pass reads them anew, only of the generation seen.

        expect: what they are known to be; other bytes are not published. proven, alone: see `Content`.
        """
        return listed.content(
            self, path, node, algorithm, progress=progress, expect=expect, proven=proven, alone=alone
        )

    def walk(
        self,
        admits: Admits = everything,
        *,
        ahead: int | None = None,
        folded: bool = False,
        timed: bool = False,
    ) -> AsyncIterator[Folder]:
        """List every folder in path order, or in folded path order, the root first; see `walk.walk`.

        ahead: folders listed at the same time; by default as many requests as suit the service.
        timed: files come with the times the remote keeps, be it at the price of a request for each.
        """

        def listing() -> AsyncIterator[Folder]:
            if self.can.flat:
                found = flat.walk(self.list_all, admits, folded=folded)
                return flat.timed(found, self.timed) if timed and not self.can.lists_times else found
            some = self.list_some if isinstance(self.backend, Several) and self.throttle is None else None
            return walk(self.list, admits, ahead or self.can.concurrency, folded=folded, some=some)

        if self.index is None:
            return listing()
        view = View(
            self.prefix, self.changes, cast(Feed, self.backend).learn, listing, admits, folded, self.can.folds
        )
        return self.index.walk(view)

    async def changes(self, cursor: str | None) -> AsyncGenerator[ChangePage, None]:
        """Yield what changed anywhere in the place, in pages. Raises Unsupported."""
        if not self.can.changes:
            raise Unsupported("it does not tell its changes", remote=self.name, path=self.prefix)
        await self._request()
        with Placing(self.name, self.prefix):
            async with closing(cast(Feed, self.backend).changes(cursor)) as pages:
                async for page in pages:
                    yield page._replace(changes=[seen(change) for change in page.changes])

    async def _request(self, *, writes: bool = False) -> None:
        if self.throttle is not None:
            await self.throttle.enter()
            self.throttle.leave()
        if writes:
            for watch in self.watches:
                watch()

    def _below(self, full: str | None) -> str | None:
        if full is None or not self.prefix or not paths.within(full, self.prefix):
            return full
        return full[len(self.prefix) + 1 :]

    def _full(self, path: str) -> str:
        return full(self.name, self.prefix, path)
