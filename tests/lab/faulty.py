"""A backend that does as it should, but for the calls it was told to spoil."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Literal, NamedTuple, TypeVar, cast

from runner.model.backend import (
    Backend,
    ChangePage,
    Copied,
    Copy,
    Copying,
    Identity,
    Quota,
    Trashed,
)
from runner.model.checksum import Checksum
from runner.model.content import Content
from runner.model.errors import AcdrunError, Unavailable, Unclear
from runner.model.node import Node
from runner.model.powers import Feed, Flat, Peer, Timed

T = TypeVar("T")
Verb = Literal[
    "list", "stat", "read", "put", "mkdir", "move", "trash", "trashed", "kept", "restore", "quota", "identity",
    "changes",
]  # fmt: skip
How = Literal["before", "after", "wrong digest", "half", "meddle"]
Meddle = Callable[[Backend, str], Awaitable[None]]


class Fault(NamedTuple):
    """What goes wrong in which call.

    verb, call: the call of this verb with this number, from 1; call 0 is every one of them.
    how: "before" fails and has no effect; "after" has its effect and fails then, as when the answer is lost;
        "wrong digest" returns a node whose checksum is not that of its content; "half" fails in the middle,
        after the first piece or page; "meddle" lets `meddle` change things there and goes on.
    path: only for calls on this path; None for any. It is asked before calls are counted.
    error: what is raised; by default Unavailable before, Unclear after.
    """

    verb: Verb
    call: int = 1
    how: How = "before"
    path: str | None = None
    error: AcdrunError | None = None
    meddle: Meddle | None = None


class Faulty:
    """Wraps a backend.

    calls: every call that was made, as (verb, path), whether it was spoilt or not.
    inner: the backend itself, for looking behind the faults.
    """

    def __init__(self, inner: Backend, *faults: Fault) -> None:
        self.inner = inner
        self.can = inner.can
        self.calls: list[tuple[Verb, str]] = []
        self._faults = list(faults)

    def spoil(self, *faults: Fault) -> None:
        """Forget the faults there were, count from the start, and spoil these from now on."""
        self._faults = list(faults)
        self.calls.clear()

    def count(self, verb: Verb) -> int:
        """How many calls of this verb there were."""
        return sum(called == verb for called, _ in self.calls)

    @property
    def clock_offset_s(self) -> float | None:
        """That of what is wrapped."""
        return self.inner.clock_offset_s

    @classmethod
    async def open(cls, config: object, setting: object) -> "Faulty":
        """A Faulty wraps what is open already."""
        raise TypeError("open the inner backend and wrap it")

    async def close(self) -> None:
        """Close the inner one."""
        await self.inner.close()

    async def list(self, folder: str) -> AsyncIterator[Sequence[Node]]:
        """In the middle means after the first page."""
        async for page in self._stream("list", folder, self.inner.list(folder)):
            yield page

    async def list_all(self, folder: str) -> AsyncIterator[Sequence[tuple[str, Node]]]:
        """Where the inner one has it; counted as a list."""
        async for page in self._stream("list", folder, cast(Flat, self.inner).list_all(folder)):
            yield page

    async def timed(self, nodes: Sequence[tuple[str, Node]]) -> Sequence[Node]:
        """Where the inner one has it; never spoilt."""
        return await cast(Timed, self.inner).timed(nodes)

    async def stat(self, path: str) -> Node:
        """A spoilt digest is in the node."""
        return self._digest(*await self._call("stat", path, lambda: self.inner.stat(path)))

    async def read(self, path: str, *, expect: str | None = None) -> AsyncIterator[bytes]:
        """In the middle means after the first piece."""
        async for chunk in self._stream("read", path, self.inner.read(path, expect=expect)):
            yield chunk

    async def put(self, path: str, content: Content, *, expect: str | None) -> Node:
        """A spoilt digest is in the node that is returned; in the middle means while content comes in."""
        fault = self._next("put", path)
        if fault is not None and fault.how in ("half", "meddle"):
            content = self._spoilt(content, path, fault)
        call = self._do(fault, path, lambda: self.inner.put(path, content, expect=expect))
        return self._digest(fault, await call)

    async def copy_from(
        self, source: Backend, batch: Sequence[Copy], how: Copying
    ) -> Sequence[Copied | None]:
        """Where anything is to be spoilt nothing is copied: all of it is read and put. Calls count as these do."""
        theirs = source if isinstance(source, Faulty) else None
        if self._faults or (theirs is not None and theirs._faults):
            return [None] * len(batch)
        done = await cast(Peer, self.inner).copy_from(
            theirs.inner if theirs is not None else source, batch, how
        )
        for copy, copied in zip(batch, done, strict=True):
            if copied is not None:
                self.calls.append(("put", copy.path))
                if theirs is not None:
                    theirs.calls.append(("read", copy.origin))
        return done

    async def mkdir(self, path: str) -> Node:
        """Before or after."""
        return (await self._call("mkdir", path, lambda: self.inner.mkdir(path)))[1]

    async def move(self, path: str, to: str, *, expect: str | None = None) -> Node:
        """Before or after; counted under the old path."""
        return (await self._call("move", path, lambda: self.inner.move(path, to, expect=expect)))[1]

    async def trash(self, path: str, *, expect: str | None = None) -> str:
        """Before or after."""
        return (await self._call("trash", path, lambda: self.inner.trash(path, expect=expect)))[1]

    async def trashed(self, folder: str = "") -> AsyncIterator[Sequence[Trashed]]:
        """In the middle means after the first page."""
        async for page in self._stream("trashed", folder, self.inner.trashed(folder)):
            yield page

    async def kept(self, ref: str) -> Trashed:
        """Before or after; counted under what brings it back."""
        return (await self._call("kept", ref, lambda: self.inner.kept(ref)))[1]

    async def restore(self, ref: str, to: str | None = None) -> str:
        """Before or after; counted under what brings it back."""
        return (await self._call("restore", ref, lambda: self.inner.restore(ref, to)))[1]

    async def quota(self) -> Quota:
        """Before or after."""
        return (await self._call("quota", "", self.inner.quota))[1]

    async def identity(self, folder: str) -> Identity:
        """Before or after."""
        return (await self._call("identity", folder, lambda: self.inner.identity(folder)))[1]

    async def changes(self, cursor: str | None) -> AsyncIterator[ChangePage]:
        """In the middle means after the first page; counted under the cursor."""
        async for page in self._stream("changes", cursor or "", cast(Feed, self.inner).changes(cursor)):
            yield page

    def learn(self, path: str, node: Node) -> None:
        """Pass it on."""
        cast(Feed, self.inner).learn(path, node)

    def _next(self, verb: Verb, path: str) -> Fault | None:
        self.calls.append((verb, path))
        for fault in self._faults:
            if fault.verb == verb and fault.path in (None, path):
                number = sum(one == verb and fault.path in (None, where) for one, where in self.calls)
                if fault.call in (0, number):
                    return fault
        return None

    async def _call(self, verb: Verb, path: str, act: Callable[[], Awaitable[T]]) -> tuple[Fault | None, T]:
        fault = self._next(verb, path)
        return fault, await self._do(fault, path, act)

    async def _do(self, fault: Fault | None, path: str, act: Callable[[], Awaitable[T]]) -> T:
        if fault is not None and fault.how == "before":
            raise fault.error or Unavailable("spoilt before it was done", path=path)
        result = await act()
        if fault is not None and fault.how == "after":
            raise fault.error or Unclear("done, and the answer was lost", path=path)
        return result

    async def _stream(self, verb: Verb, path: str, stream: AsyncIterator[T]) -> AsyncIterator[T]:
        fault = self._next(verb, path)
        if fault is not None and fault.how == "before":
            raise fault.error or Unavailable("spoilt before it began", path=path)
        first = True
        async for piece in stream:
            yield piece
            if first and fault is not None:
                await self._midway(fault, path)
            first = False
        if fault is not None and fault.how == "after":
            raise fault.error or Unclear("spoilt at its end", path=path)

    async def _midway(self, fault: Fault, path: str) -> None:
        if fault.how == "half":
            raise fault.error or Unavailable("spoilt midway", path=path)
        if fault.how == "meddle" and fault.meddle is not None:
            await fault.meddle(self.inner, path)

    def _spoilt(self, content: Content, path: str, fault: Fault) -> Content:
        async def chunks() -> AsyncIterator[bytes]:
            first = True
            async for chunk in content.chunks():
                yield chunk
                if first:
                    await self._midway(fault, path)
                first = False

        return Content(content.size, chunks, mtime_ns=content.mtime_ns, algorithm=content.algorithm)

    @staticmethod
    def _digest(fault: Fault | None, node: Node) -> Node:
        if fault is None or fault.how != "wrong digest" or node.checksum is None:
            return node
        return node._replace(checksum=Checksum.of(node.checksum.algorithm, b"spoilt:" + node.name.encode()))
