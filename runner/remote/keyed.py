"""What all stores of keys have in common: paths, folders that are nothing but prefixes, and what a trash needs."""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from typing import ClassVar, Generic, NamedTuple, Protocol, TypeVar

from runner.model import path as paths
from runner.model.backend import Identity, Trashed
from runner.model.content import CHUNK, Fetched
from runner.model.errors import Blocked, Exists, NotFound, Stale, Unsupported, UsageError
from runner.model.node import Node
from runner.remote.close import closing
from runner.remote.dated import MOST_BYTES, TRASH, At, below
from runner.remote.wire import Wire

list_ = list  # the class has a verb of that name


class Object(Protocol):
    """What a store tells of one key."""

    @property
    def key(self) -> str: ...
    @property
    def size(self) -> int: ...
    def node(self) -> Node:
        """As a listing shows it."""


Obj = TypeVar("Obj", bound=Object)


class Page(NamedTuple, Generic[Obj]):
    """objects: in byte order of their keys; prefixes: what of a delimited listing is below, its "/" included."""

    objects: list[Obj]
    prefixes: list[str]


class Shelf(Protocol):
    """Where removed and replaced content is: a trash of copies, or the service's own memory."""

    async def kept(self, bucket: str, above: str, ref: str) -> Trashed:
        """See `Backend.kept`."""

    async def restore(self, bucket: str, above: str, ref: str, to: str) -> None:
        """See `Backend.restore`."""


class Keyed(ABC, Generic[Obj]):
    """The verbs that a store of keys does as all of them do, in terms of what its own service does.

    A folder is what keys have in common; nothing is made for one. Where the remote has no bucket of its own the first
    part of a path names one, and refs begin with it.
    bucket: what the service calls the first part of a path. _root: bucket and folder that the remote begins at.
    """

    bucket: ClassVar[str] = "bucket"
    _root: str

    @property
    def clock_offset_s(self) -> float | None:
        """See `Backend.clock_offset_s`."""
        return self._requests.service_clock.offset_s

    @property
    def at_once(self) -> int:
        """See `Adaptive`."""
        return self._requests.throttle.useful

    async def list(self, folder: str) -> AsyncGenerator[Sequence[Node], None]:
        """See `Backend.list`; a page of the service at a time."""
        at = self._at(folder)
        if not at.bucket:
            yield [Node(name, "folder") for name in await self._buckets()]
            return
        prefix, some = below(at.key), not folder
        async with closing(self._pages(at.bucket, prefix)) as pages:
            async for page in pages:
                some = some or bool(page.objects or page.prefixes)
                files = [one for one in page.objects if len(one.key) > len(prefix) or one.size]
                nodes = [
                    one.node()._replace(name=one.key[len(prefix) :])
                    for one in await self._settled(at.bucket, files)
                ]
                names = [name[len(prefix) : -1] for name in page.prefixes if not self._hides(prefix, name)]
                nodes += [Node(name, "folder") for name in names if name != TRASH]
                yield nodes
        if not some:
            raise NotFound("nothing is there")

    async def list_all(self, folder: str) -> AsyncGenerator[Sequence[tuple[str, Node]], None]:
        """See `Flat.list_all`; a page of the service at a time. The trash is jumped over."""
        at = self._at(folder)
        if not at.bucket:
            for bucket in await self._buckets():
                async with closing(self._all(bucket, "")) as pages:
                    async for page in pages:
                        yield [(f"{bucket}/{key}", node) for key, node in page]
            return
        some = not folder
        async with closing(self._all(at.bucket, below(at.key))) as pages:
            async for page in pages:
                some = some or bool(page)
                yield page
        if not some:
            raise NotFound("nothing is there")

    async def stat(self, path: str) -> Node:
        """See `Backend.stat`; the file where a file and a folder have one name."""
        at = self._at(path)
        if at.key and path:
            found = await self._find(at)
            if found is not None and self._is_file(found):
                return self._shown(found.node())
        if not await self._anything(at) and path:
            raise NotFound("nothing is there")
        return Node(paths.name(path), "folder")

    async def read(self, path: str, *, expect: str | None = None) -> AsyncGenerator[bytes, None]:
        """See `Backend.read`."""
        at = self._at(path)
        if not at.key or not path:
            raise NotFound("no file")
        async with closing(self._content(at, expect)) as chunks:
            async for chunk in chunks:
                for start in range(0, len(chunk), CHUNK):
                    yield chunk[start : start + CHUNK] if len(chunk) > CHUNK else chunk

    async def whole(self, path: str, size: int, *, expect: str | None = None) -> Fetched:
        """See `Whole.whole`."""
        at = self._at(path)
        if not at.key or not path:
            raise NotFound("no file")
        return await self._all_of(at, size, expect)

    async def mkdir(self, path: str) -> Node:
        """See `Backend.mkdir`; makes the bucket where the path is no more than that, and nothing else."""
        at = self._at(path)
        if at.key and path:
            self._holdable(path)
            found = await self._find(at)
            if found is not None and self._is_file(found):
                raise Exists("a file is there already")
        if at.bucket and (not at.key or not path):
            await self._make_bucket(at.bucket)
        return Node(paths.name(path), "folder")

    async def move(self, path: str, to: str, *, expect: str | None = None) -> Node:
        """See `Backend.move`: a copy by the service, then a removal; a folder goes key by key."""
        at, goal = self._holdable(path), self._holdable(to)
        if goal != at and paths.within(to, path):
            raise Blocked("a folder cannot be moved into itself")
        await self._ready(at.bucket)
        found = await self._find(at)
        if expect and (found is None or not self._still(found, expect)):
            raise Stale("not the generation that was listed")
        taken = [found] if found is not None else await self._found_below(at)
        if not taken:
            raise NotFound("nothing is there")
        await self._absent(to)
        for one in taken:
            await self._rename(
                At(at.bucket, one.key), At(goal.bucket, goal.key + one.key[len(at.key) :]), one
            )
        return await self.stat(to)

    async def trash(self, path: str, *, expect: str | None = None) -> str:
        """See `Backend.trash`; returns where in the trash it is."""
        at = self._holdable(path)
        if not path:
            raise Blocked("the root of a remote cannot be trashed")
        await self._ready(at.bucket)
        above = self._above(at.bucket)
        found = await self._find(at)
        if found is not None:
            if expect is not None and not self._still(found, expect):
                raise Stale("not the generation that was listed")
            return self._named(at.bucket, await self._trash_one(at, above, found))
        taken = await self._found_below(at)
        if not taken:
            raise NotFound("nothing is there")
        if expect is not None:
            raise Stale("a folder that is not empty")
        return self._named(at.bucket, await self._trash_all(at, above, taken))

    async def trashed(self, folder: str = "") -> AsyncGenerator[Sequence[Trashed], None]:
        """See `Backend.trashed`."""
        at = self._at(folder)
        for bucket in [at.bucket] if at.bucket else await self._buckets():
            for source in await self._removed(bucket, self._above(bucket)):
                async with closing(source) as pages:
                    async for page in pages:
                        shown = [self._entry(bucket, entry) for entry in page]
                        yield [entry for entry in shown if paths.within(entry.path or "", folder)]

    async def kept(self, ref: str) -> Trashed:
        """See `Backend.kept`."""
        bucket, rest = self._referred(ref)
        return self._entry(bucket, await self._shelf_of(rest).kept(bucket, self._above(bucket), rest))

    async def restore(self, ref: str, to: str | None = None) -> str:
        """See `Backend.restore`: a copy by the service, then the one in the trash is removed."""
        bucket, rest = self._referred(ref)
        path = (await self.kept(ref)).path if to is None else to
        if path is None:
            raise NotFound("nobody knows any more where it was", hint="name another place")
        goal = self._holdable(path)
        await self._ready(bucket)
        if goal.bucket != bucket:
            raise Unsupported(f"it can come back in its own {self.bucket} only")
        await self._absent(path)
        above = self._above(bucket)
        await self._shelf_of(rest).restore(bucket, above, rest, goal.key[len(above) :])
        return path

    async def identity(self, folder: str) -> Identity:
        """See `Backend.identity`: the service, the bucket and the path. A folder is nothing but its name."""
        at = self._at(folder)
        if folder and not await self._anything(at):
            raise NotFound("nothing is there")
        return Identity(f"{await self._service()}/{at.bucket}/{at.key}".rstrip("/"))

    @property
    @abstractmethod
    def _requests(self) -> Wire:
        """What every request goes through."""

    @abstractmethod
    async def _service(self) -> str:
        """Which service and account it is."""

    @abstractmethod
    async def _buckets(self) -> Sequence[str]:
        """All that the credentials see."""

    @abstractmethod
    def _pages(self, bucket: str, prefix: str) -> AsyncGenerator[Page[Obj], None]:
        """A listing up to the next slash."""

    @abstractmethod
    def _all(self, bucket: str, prefix: str) -> AsyncGenerator[Sequence[tuple[str, Node]], None]:
        """A listing of everything below, without the trash, with keys that count from the prefix."""

    @abstractmethod
    async def _find(self, at: At) -> Obj | None:
        """The object at a key."""

    @abstractmethod
    def _content(self, at: At, expect: str | None) -> AsyncGenerator[bytes, None]:
        """What it holds, in pieces of any size. Raises Changed."""

    @abstractmethod
    async def _all_of(self, at: At, size: int, expect: str | None) -> Fetched:
        """All that it holds, of which there should be `size` bytes. Raises Changed."""

    @abstractmethod
    async def _anything(self, at: At) -> bool:
        """Does any key begin so? Raises when there is no such bucket."""

    @abstractmethod
    async def _found_below(self, at: At) -> list_[Obj]:
        """Every object of a folder."""

    @abstractmethod
    async def _make_bucket(self, bucket: str) -> None:
        """Make it, unless it is there."""

    @abstractmethod
    async def _rename(self, at: At, to: At, found: Obj) -> None:
        """Copy that state to where nothing is, and remove it."""

    @abstractmethod
    async def _trash_one(self, at: At, above: str, found: Obj) -> str:
        """Remove that state recoverably."""

    @abstractmethod
    async def _trash_all(self, at: At, above: str, taken: list_[Obj]) -> str:
        """Remove a folder with these objects recoverably."""

    @abstractmethod
    async def _removed(self, bucket: str, above: str) -> Sequence[AsyncGenerator[Sequence[Trashed], None]]:
        """What was removed or replaced, from wherever the service keeps such."""

    @abstractmethod
    def _shelf_of(self, ref: str) -> Shelf:
        """Where that one is."""

    @abstractmethod
    def _still(self, found: Obj, expect: str) -> bool:
        """Is it the generation that somebody has seen?"""

    async def _ready(self, bucket: str) -> None:
        """Before a write: find out what has to be known of the bucket."""

    async def _settled(self, bucket: str, files: list_[Obj]) -> list_[Obj]:
        """Those of the objects that are files, with all that is known of them."""
        return files

    def _is_file(self, found: Obj) -> bool:
        return True

    def _shown(self, node: Node) -> Node:
        return node

    def _hides(self, prefix: str, name: str) -> bool:
        """Is the folder of that whole prefix no folder of the user's?"""
        return False

    def _at(self, path: str) -> At:
        bucket, _, key = paths.join(self._root, path).partition("/")
        return At(bucket, key)

    def _above(self, bucket: str) -> str:
        """What of a key in this bucket stands above the remote's root, or above the bucket's where that has none."""
        return below(self._at("").key) if self._root else ""

    def _holdable(self, path: str) -> At:
        at = self._at(path)
        if (size := len(at.key.encode())) > MOST_BYTES:
            raise Blocked(f"its key has {size:,} bytes, and {MOST_BYTES:,} are the most")
        if not at.key:
            raise UsageError(
                f"files are stored in a {self.bucket}, not beside one",
                hint=f"name the {self.bucket} first: REMOTE:{self.bucket.upper()}/PATH",
            )
        return at

    async def _absent(self, path: str) -> None:
        with suppress(NotFound):
            await self.stat(path)
            raise Exists("something is there already")

    def _named(self, bucket: str, ref: str) -> str:
        """A ref of a bucket, as it is given away."""
        return ref if self._root else f"{bucket}/{ref}"

    def _referred(self, ref: str) -> tuple[str, str]:
        if self._root:
            return self._at("").bucket, ref
        bucket, _, rest = ref.partition("/")
        if not bucket or not rest:
            raise NotFound(f"{paths.show(ref)!r} is not in the trash")
        return bucket, rest

    def _entry(self, bucket: str, entry: Trashed) -> Trashed:
        if self._root:
            return entry
        return entry._replace(ref=f"{bucket}/{entry.ref}", path=entry.path and f"{bucket}/{entry.path}")
