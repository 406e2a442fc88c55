"""A place behind a network that the seed controls: late, forgetful, sometimes wrong, and shared with others."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from runner.backends.memory import Memory
from runner.model.backend import Identity, Quota, Trashed
from runner.model.checksum import Checksum
from runner.model.content import Content
from runner.model.errors import (
    Changed,
    Exists,
    NotFound,
    Stale,
    Throttled,
    Truncated,
    Unavailable,
    Unclear,
)
from runner.model.node import Node
from runner.model.path import parent

if TYPE_CHECKING:
    from tests.simulation.life import Act

T = TypeVar("T")

PIECES = 3
"""A file is read in so many pieces, with time in between."""


class Service:
    """A memory backend as one act sees it; every call asks the act what goes wrong.

    weak: preconditions are looked up and not enforced, as on a service without conditional requests.
    """

    def __init__(self, inner: Memory, act: "Act", side: str, *, weak: bool) -> None:
        self.inner, self.can = inner, replace(inner.can, copies="")
        self._act, self._side, self._weak = act, side, weak
        self._before: dict[str, list[Node]] = {}

    @property
    def clock_offset_s(self) -> float | None:
        """That of what is wrapped."""
        return self.inner.clock_offset_s

    @classmethod
    async def open(cls, config: Any, setting: object) -> "Service":
        """It wraps what is open already."""
        raise TypeError("open the inner backend and wrap it")

    async def close(self) -> None:
        """Nothing is held."""

    async def list(self, folder: str) -> AsyncIterator[Sequence[Node]]:
        """In pages and in any order; what one says may be late, cut off, or said twice."""
        act = self._act
        first = act.walks(self._side, folder)
        fault = await self._begin("list", folder, first=first)
        nodes = [node async for page in self.inner.list(folder) for node in page]
        before = self._before.get(folder)
        self._before[folder] = list(nodes)
        if fault == "stale" and before is not None:
            nodes = list(before)
        act.chance.shuffle(nodes)
        if fault == "twice" and nodes:
            nodes.append(nodes[0])
            act.gap(self._side, folder, first=first)
        if fault == "half":
            nodes = nodes[: len(nodes) // 2]
        at = act.chance.randint(0, len(nodes))
        for page in (nodes[:at], nodes[at:]):
            await act.pause()
            act.seen(self._side, page)
            yield page
        if fault == "half":
            raise Unavailable("the next page did not come", path=folder)

    async def stat(self, path: str) -> Node:
        """Look."""

        async def look() -> Node:
            node = await self.inner.stat(path)
            self._act.looked(self._side, path, node)
            return node

        return await self._call("stat", path, look)

    async def read(self, path: str, *, expect: str | None = None) -> AsyncIterator[bytes]:
        """Piece by piece of what is there at that moment, as a disk gives it."""
        fault = await self._begin("read", path)
        node = await self.inner.stat(path)
        if node.kind != "file" or expect not in (None, node.generation):
            raise Changed("not the file that was listed")
        step = node.size // PIECES + 1
        for start in range(0, node.size, step):
            try:
                now = await self.inner.stat(path)
                data = self.inner.tree.contents[now.generation] if now.kind == "file" else b""
            except NotFound:
                data = b""
            yield data[start : start + step]
            await self._act.pause()
            if fault == "half":
                raise Truncated("the content ended early", path=path)
        if expect is not None:
            await self._still(path, expect)
        if fault == "after":
            raise Unavailable("the connection broke at the end", path=path)

    async def _still(self, path: str, expect: str) -> None:
        try:
            now = await self.inner.stat(path)
        except NotFound as error:
            raise Changed("gone while it was read") from error
        if now.generation != expect:
            raise Changed("replaced while it was read")

    async def put(self, path: str, content: Content, *, expect: str | None) -> Node:
        """The body arrives piece by piece, the effect comes at once, and the reply some time later."""
        act = self._act
        with act.sending(path):
            fault = await self._begin("put", path)
            self._precondition(path, expect)
            pieces = []
            async for piece in content.chunks():
                pieces.append(piece)
                await act.pause()
                if fault == "half":
                    raise Unavailable("the connection broke", path=path)
            data, whole = b"".join(pieces), content
            if fault == "rot":
                data = act.rotten(data)
                whole = Content.of(data, mtime_ns=content.mtime_ns)
            else:
                whole = Content.of(data, mtime_ns=content.mtime_ns)
            await self._under_way(lambda: self._publish(path, whole, expect))
            if fault == "late":
                raise Unavailable("refused after all of it was sent", path=path)
            node = await self._effect("put", path, lambda: self._publish(path, whole, expect))
            await act.pause()
            if fault == "after":
                raise Unclear("stored, and the answer was lost", path=path)
            if fault == "wrong digest" and node.checksum is not None:
                return node._replace(checksum=Checksum.of(node.checksum.algorithm, b"another content"))
            return node

    def _precondition(self, path: str, expect: str | None) -> None:
        children = self.inner._children(parent(path))
        there = children.get(self.inner._key(path))
        if expect is None and there is not None:
            raise Exists("something is there already")
        if expect is not None and (there is None or there.generation != expect):
            raise Stale("not the generation that was to be replaced")

    async def _publish(self, path: str, content: Content, expect: str | None) -> Node:
        if self._weak:  # it looked when the request came; now it does as it was told
            there = self.inner._children(parent(path)).get(self.inner._key(path))
            if there is not None and there.kind != "file":
                raise Exists("a folder is there")
            expect = there.generation if there is not None else None
        return await self.inner.put(path, content, expect=expect)

    async def mkdir(self, path: str) -> Node:
        """Make."""
        return await self._call("mkdir", path, lambda: self.inner.mkdir(path), writes=True)

    async def move(self, path: str, to: str, *, expect: str | None = None) -> Node:
        """Rename."""
        return await self._call("move", path, lambda: self.inner.move(path, to, expect=expect), writes=True)

    async def trash(self, path: str, *, expect: str | None = None) -> str:
        """Remove."""
        return await self._call("trash", path, lambda: self.inner.trash(path, expect=expect), writes=True)

    async def trashed(self, folder: str = "") -> AsyncIterator[Sequence[Trashed]]:
        """What is in the trash."""
        await self._begin("trashed", folder)
        async for page in self.inner.trashed(folder):
            yield page

    async def kept(self, ref: str) -> Trashed:
        """Look into the trash."""
        return await self._call("kept", ref, lambda: self.inner.kept(ref))

    async def restore(self, ref: str, to: str | None = None) -> str:
        """Bring back."""
        entry = self.inner.tree.trashed.get(ref)
        path = to or (entry.path if entry is not None else ref)
        return await self._call("restore", path, lambda: self.inner.restore(ref, to), writes=True)

    async def quota(self) -> Quota:
        """Ask."""
        return await self.inner.quota()

    async def identity(self, folder: str) -> Identity:
        """Which folder it is."""
        return await self._call("identity", folder, lambda: self.inner.identity(folder))

    async def _begin(self, verb: str, path: str, *, first: bool = False) -> str:
        """The request is on its way; return what will go wrong with it, "" for nothing."""
        await self._act.pause()
        fault = self._act.fault(self._side, verb, path, first=first)
        if fault == "before":
            raise Unavailable("no connection", path=path)
        if fault == "throttled":
            raise Throttled(
                "too many requests", path=path, after_s=self._act.chance.choice((None, 1.0, 20.0))
            )
        return fault

    async def _call(
        self, verb: str, path: str, act: Callable[[], Awaitable[T]], *, writes: bool = False
    ) -> T:
        fault = await self._begin(verb, path)
        if writes:
            await self._under_way(act)
            result = await self._effect(verb, path, act)
        else:
            result = await act()
        await self._act.pause()
        if fault == "after":
            raise Unclear("done, and the answer was lost", path=path) if writes else Unavailable("no answer")
        return result

    async def _under_way(self, act: Callable[[], Awaitable[T]]) -> None:
        """All was sent. When the sender dies now, the service may still do it: nobody can call it back."""
        try:
            await self._act.pause()
        except BaseException:
            if self._act.ghost():
                try:
                    await act()
                except (Exists, Stale, NotFound):
                    return
                self._act.after("ghost", "")
            raise

    async def _effect(self, verb: str, path: str, act: Callable[[], Awaitable[T]]) -> T:
        """The moment itself: nothing else runs between the look before it and the look after it."""
        note = self._act.about_to(self._side, verb, path)
        result = await act()
        self._act.has_done(self._side, verb, path, note, result)
        return result
