"""Walking a remote: one folder after another in path order, the next ones listed ahead of time."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from runner.model import path as paths
from runner.model.errors import AcdrunError, Blocked, LoginNeeded, NotFound, Throttled, Unreadable
from runner.model.node import Folder, Gap, Node
from runner.remote import retry
from runner.remote.close import closing

Admits = Callable[[str, Node], bool]
List = Callable[[str], AsyncIterator[Sequence[Node]]]

_SIGHT = 8
"""How far ahead folders are looked for, as a multiple of those under way: a slow one idles no others."""

_HELD = 10_000
"""Nodes held listed but not yet asked for, beyond which nothing more is listed ahead: about 5 MiB."""


def everything(path: str, node: Node) -> bool:
    """The filter that leaves nothing out."""
    return True


async def walk(list_: List, admits: Admits, ahead: int, *, folded: bool = False) -> AsyncIterator[Folder]:
    """Yield every folder in path order, its nodes sorted by name, whatever order their answers come in.

    admits: what it refuses is counted in its folder, and neither yielded nor entered.
    ahead: how many folders are listed at the same time.
    folded: folders come in folded path order, so that one meets its like of another spelling; nodes do not.
    A folder that cannot be listed is yielded empty with a gap, and the walk goes on. A gap too is a name that
    no path can hold, and one that stands twice in a folder: nobody could say which of the two a path means.
    Raises NotFound for the root, LoginNeeded, a Throttled once the retry budget is used up, and what is no
    AcdrunError.
    """
    window = _Window(list_, admits, ahead, paths.folded_order if folded else None)
    try:
        window.push([""])
        while (folder := await window.next()) is not None:
            yield folder
    finally:
        await window.close()


class _Pending:
    """A folder on the way: its path, and the task that lists it once that has begun."""

    __slots__ = ("path", "task")

    def __init__(self, path: str) -> None:
        self.path = path
        self.task: asyncio.Task[Folder] | None = None


class _Window:
    """The folders still to be yielded, the next one last, and the listings that run ahead of it."""

    def __init__(
        self, list_: List, admits: Admits, ahead: int, order: Callable[[str], Any] | None = None
    ) -> None:
        self._order = order
        self._list = list_
        self._admits = admits
        self._ahead = max(1, ahead)
        self._stack: list[_Pending] = []
        self._running = 0
        self._held = 0
        self._closed = False

    def push(self, folders: Sequence[str]) -> None:
        """Put folders before all others; `folders` is in path order."""
        self._stack.extend(_Pending(folder) for folder in reversed(folders))
        self._fill()

    async def next(self) -> Folder | None:
        """The next folder in path order; what it holds comes right after it."""
        if not self._stack:
            return None
        pending = self._stack.pop()
        if pending.task is None:  # the window was full of folders that come later
            self._start(pending)
        assert pending.task is not None
        try:
            folder = await pending.task
        except BaseException:
            self._stack.append(pending)  # so that `close` still finds its task
            raise
        self._held -= 1 + len(folder.nodes)
        below = [paths.join(folder.path, node.name) for node in folder.nodes if node.kind == "folder"]
        self.push(sorted(below, key=self._order) if self._order else below)
        return folder

    async def close(self) -> None:
        """Stop the listings that run ahead, and wait until they have stopped."""
        self._closed = True
        tasks = [pending.task for pending in self._stack if pending.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _fill(self) -> None:
        for pending in self._stack[: -_SIGHT * self._ahead - 1 : -1]:
            if self._running >= self._ahead or self._held >= _HELD:
                return
            if pending.task is None:
                self._start(pending)

    def _start(self, pending: _Pending) -> None:
        self._running += 1
        pending.task = asyncio.ensure_future(look(self._list, self._admits, pending.path))
        pending.task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Folder]) -> None:
        self._running -= 1
        if task.cancelled() or self._closed:
            return
        if task.exception() is None:
            self._held += 1 + len(task.result().nodes)
        self._fill()


async def look(list_: List, admits: Admits, folder: str) -> Folder:
    """One folder as a walk yields it: sorted, filtered, its gaps named. Raises what `walk` raises."""
    nodes: list[Node] = []
    try:
        async with closing(list_(folder)) as pages:
            async for page in pages:
                nodes.extend(page)
    except LoginNeeded:
        raise
    except NotFound as error:
        if not folder:
            raise
        gone = Unreadable("vanished while the walk was under way", remote=error.remote, path=error.path)
        gone.__cause__ = error
        return Folder(folder, (), (Gap(folder, gone),))
    except AcdrunError as error:
        if isinstance(error, Throttled) and not retry.patient():
            raise
        return Folder(folder, (), (Gap(folder, error),))
    return _sorted(folder, nodes, admits)


def _sorted(folder: str, nodes: list[Node], admits: Admits) -> Folder:
    nodes.sort(key=lambda node: node.name)
    kept: list[Node] = []
    gaps: list[Gap] = []
    left_out: list[str] = []
    twice = ""
    for node in nodes:
        name = node.name
        if fault := paths.fault(name):
            path = paths.join(folder, _spelled(name))
            gaps.append(Gap(path, Blocked(f"{fault} is no part of a path", path=path)))
        elif not admits(paths.join(folder, name), node):
            left_out.append(name)
        elif kept and kept[-1].name == name:
            twice = name
            gaps.append(_twins(paths.join(folder, name)))
            kept.pop()
        elif name == twice:
            continue
        else:
            kept.append(node)
    return Folder(folder, kept, gaps, len(left_out), left_out)


def _twins(path: str) -> Gap:
    return Gap(path, Blocked("two nodes of one folder have this name", path=path, hint="rename one of them"))


def _spelled(name: str) -> str:
    """A name that no path can hold, in characters that one can: what a gap is filed under."""
    if name.strip(".") == "":
        return name.replace(".", "\\x2e") or "(no name)"
    return paths.show(name).replace("/", "\\x2f")
