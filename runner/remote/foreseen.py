"""A place as it will be once the jobs that come before have run: the place itself, with their plans laid over it."""

import asyncio
from bisect import bisect_right
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from operator import itemgetter
from typing import Protocol

from runner.model.backend import Identity
from runner.model.checksum import Checksum
from runner.model.errors import AcdrunError, NotFound
from runner.model.foresight import UNMADE, Coming, Foresight
from runner.model.node import Folder, Node
from runner.model.path import join, name
from runner.remote.close import closing
from runner.remote.remote import Remote
from runner.remote.walk import Admits, everything

Known = Callable[[str, Sequence[str], str], Mapping[str, Checksum]]
"""The hash cache: place, generations, algorithm to what is known."""

Page = Sequence[tuple[str, Node]]


class Ends(Protocol):
    """The two sides of a pair."""

    @property
    def source(self) -> Remote: ...
    @property
    def destination(self) -> Remote: ...


class Foreseen(Remote):
    """A remote whose walk shows what it will hold when what is planned there has been done.

    Until a walk has begun it is the remote as it is, and so it stays where nothing is left to be done: a plan and a
    run list in the same way. A file that is still to be made has the generation `UNMADE`, the time that the place
    will keep, and the digest that its listing will carry, as far as both are known; it is read where its content is
    now. Nothing is written through it before it is there.
    ends: of a pair, by name; known: digests of what was read before.
    """

    def __init__(self, remote: Remote, coming: Foresight, ends: Callable[[str], Ends], known: Known) -> None:
        super().__init__(
            remote.name, remote.backend, remote.prefix, throttle=remote.throttle, most=remote.most,
            watches=remote.watches, index=remote.index,
        )  # fmt: skip
        self.coming, self._ends, self._known = coming, ends, known

    async def _walk(
        self, admits: Admits, ahead: int | None, *, folded: bool, timed: bool
    ) -> AsyncIterator[Folder]:
        if await asyncio.to_thread(self.coming.begin):
            self.index = None  # it tells of what is there
        walk = super().walk(admits, ahead=ahead, folded=folded, timed=timed)
        async with closing(walk) as folders:
            async for folder in folders:
                yield folder

    def walk(
        self,
        admits: Admits = everything,
        *,
        ahead: int | None = None,
        folded: bool = False,
        timed: bool = False,
    ) -> AsyncIterator[Folder]:
        """See `Remote.walk`. Raises Blocked when what comes before will not be done whole."""
        return self._walk(admits, ahead, folded=folded, timed=timed)

    async def list(self, folder: str = "") -> AsyncGenerator[Sequence[Node], None]:
        """The children as they will be. Raises what `Remote.list` raises."""
        await self._stays(folder)
        over = (await self._over([folder]))[0]
        try:
            async with closing(super().list(folder)) as pages:
                async for page in pages:
                    yield over.staying(page)
        except NotFound:
            if not await self._comes(folder):
                raise
        if over.made:
            yield await self._nodes(over.made)

    async def list_some(self, folders: Sequence[str]) -> Sequence[Sequence[Node] | AcdrunError]:
        """Likewise, of several folders."""
        await self._stays(folders[0])
        found = list(await super().list_some(folders))
        for number, (folder, over) in enumerate(
            zip(folders, await self._over(folders[: len(found)]), strict=True)
        ):
            answer = found[number]
            if isinstance(answer, NotFound) and await self._comes(folder):
                answer = ()
            if not isinstance(answer, AcdrunError):
                answer = over.staying(answer)
                found[number] = [*answer, *await self._nodes(over.made)] if over.made else answer
        return found

    async def list_all(self, folder: str = "") -> AsyncGenerator[Sequence[tuple[str, Node]], None]:
        """Every file as it will be. What comes is told of the whole place alone."""
        if not self.coming.number:
            async with closing(super().list_all(folder)) as pages:
                async for page in pages:
                    yield page
            return
        assert not folder, "a walk lists from the root down"
        async with closing(self._staying(super().list_all())) as stays, closing(self._files()) as comes:
            async for page in _merged(stays, comes):
                yield page

    async def _staying(self, pages: AsyncGenerator[Page, None]) -> AsyncGenerator[Page, None]:
        came = False
        try:
            async with closing(pages):
                async for page in pages:
                    came = came or bool(page)
                    changed = await asyncio.to_thread(self.coming.among, [path for path, _ in page])
                    yield [one for one in page if one[0] not in changed] if changed else page
        except NotFound:
            if came:  # else nothing is there yet
                raise

    async def _files(self) -> AsyncGenerator[Page, None]:
        last = ""
        while some := await asyncio.to_thread(self.coming.files, last):
            last = some[-1].path
            yield [(coming.path, node) for coming, node in zip(some, await self._nodes(some), strict=True)]

    async def timed(self, nodes: Sequence[tuple[str, Node]]) -> Sequence[Node]:
        """Nobody can be asked for the time of what is not there yet."""
        there = [(path, node) for path, node in nodes if node.generation != UNMADE]
        if len(there) == len(nodes):
            return await super().timed(nodes)
        told = iter(await super().timed(there))
        return [node if node.generation == UNMADE else next(told) for _, node in nodes]

    async def stat(self, path: str) -> Node:
        """The node as it will be. Raises NotFound."""
        coming = await self._at(path)
        if coming is None or (coming.kind == "folder" and not coming.pair):
            return await super().stat(path)
        if coming.kind == "gone":
            raise self._gone(path)
        return (await self._nodes([coming]))[0]

    async def identity(self, folder: str = "") -> Identity:
        """Nobody can know the identity of a folder that is still to be made: it is ""."""
        await self._stays(folder)
        try:
            return await super().identity(folder)
        except NotFound:
            if not await self._comes(folder):
                raise
            return Identity("")

    async def checksum(self, path: str, algorithm: str, *, expect: str | None = None) -> Checksum:
        """Read what is still to be made where its content is now. Raises what `read` raises."""
        coming = await self._at(path) if expect == UNMADE else None
        if coming is None or coming.kind != "file":
            return await super().checksum(path, algorithm, expect=expect)
        remote = self._origin(coming)
        known = self._known(remote.place, [coming.generation], algorithm).get(coming.generation)
        return known or await remote.checksum(coming.origin, algorithm, expect=coming.generation)

    async def _at(self, path: str) -> Coming | None:
        return await asyncio.to_thread(self.coming.at, path) if self.coming.number else None

    async def _stays(self, folder: str) -> None:
        """Raises NotFound for the root where it will be gone; a walk comes to no other folder that will be."""
        coming = None if folder else await self._at("")
        if coming is not None and coming.kind == "gone":
            raise self._gone(folder)

    def _gone(self, path: str) -> NotFound:
        return NotFound("an earlier job is to take it away", remote=self.name, path=join(self.prefix, path))

    async def _comes(self, folder: str) -> bool:
        coming = await self._at(folder)
        return coming is not None and coming.kind == "folder"

    async def _over(self, folders: Sequence[str]) -> Sequence["_Over"]:
        coming = self.coming
        found = await asyncio.to_thread(coming.below, folders) if coming.number else {}
        return [_Over(found.get(folder, ()), coming.key) for folder in folders]

    def _origin(self, coming: Coming) -> Remote:
        ends = self._ends(coming.pair)
        return ends.destination if coming.moved else ends.source

    async def _nodes(self, some: Sequence[Coming]) -> Sequence[Node]:
        """What the listing will show for these."""
        digests, times = self._digests(some), await self._times(some)
        return [
            Node(name(one.path), "folder")
            if one.kind == "folder"
            else Node(
                name(one.path), "file", one.size, times.get(one, self._kept(one.mtime_ns)), digests.get(one),
                generation=UNMADE,
            )
            for one in some
        ]  # fmt: skip

    async def _times(self, some: Sequence[Coming]) -> Mapping[Coming, int | None]:
        """What is moved there keeps the time that it has."""
        moved = [one for one in some if one.moved] if self.can.mtime_ns is not None else []
        times: dict[Coming, int | None] = {}
        for start in range(0, len(moved), self.can.concurrency):
            batch = moved[start : start + self.can.concurrency]
            nodes = await asyncio.gather(*(self._origin(one).stat(one.origin) for one in batch))
            times |= {one: node.mtime_ns for one, node in zip(batch, nodes, strict=True)}
        return times

    def _kept(self, mtime_ns: int | None) -> int | None:
        step = self.can.mtime_ns
        return None if step is None or mtime_ns is None else mtime_ns // step * step

    def _digests(self, some: Sequence[Coming]) -> Mapping[Coming, Checksum]:
        """Those that the listing will carry, of the files of which they are known."""
        algorithm = next(iter(self.can.checksums), "")
        found: dict[Coming, Checksum] = {}
        asked: dict[str, list[Coming]] = {}
        for coming in some if algorithm else ():
            if coming.digest.startswith(f"{algorithm}:"):
                found[coming] = Checksum.parse(coming.digest)
            elif coming.kind == "file":
                asked.setdefault(self._origin(coming).place, []).append(coming)
        for place, files in asked.items():
            known = self._known(place, [coming.generation for coming in files], algorithm)
            found |= {coming: known[coming.generation] for coming in files if coming.generation in known}
        return found


async def _merged(one: AsyncIterator[Page], other: AsyncIterator[Page]) -> AsyncIterator[Page]:
    """The pages of two listings in byte order as one such listing."""
    path = itemgetter(0)
    here, there = await anext(one, None), await anext(other, None)
    while here is not None and there is not None:
        last = min(page[-1][0] if page else "" for page in (here, there))
        ours, theirs = (bisect_right(page, last, key=path) for page in (here, there))
        yield sorted([*here[:ours], *there[:theirs]], key=path)
        here = here[ours:] or await anext(one, None)
        there = there[theirs:] or await anext(other, None)
    for page, more in ((here, one), (there, other)):
        if page is not None:
            yield page
            async for rest in more:
                yield rest


class _Over:
    """What is laid over one folder. A folder that is made along with one below it may be there already, and stays."""

    def __init__(self, some: Sequence[Coming], key: Callable[[str], str]) -> None:
        self._key = key
        self._some = {key(name(coming.path)): coming for coming in some}

    def staying(self, page: Sequence[Node]) -> Sequence[Node]:
        """Those of a page that nothing changes."""
        return [node for node in page if self._stays(node)] if self._some else page

    def _stays(self, node: Node) -> bool:
        key = self._key(node.name)
        coming = self._some.get(key)
        if coming is not None and not coming.pair and node.kind == "folder":
            coming = None
            del self._some[key]
        return coming is None

    @property
    def made(self) -> Sequence[Coming]:
        """What comes, once all pages have been looked at."""
        return [coming for coming in self._some.values() if coming.kind != "gone"]
