"""Walking a remote: one folder after another in path order, the next ones listed ahead of time."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from itertools import islice
from operator import itemgetter
from typing import Any

from runner.model import path as paths
from runner.model.errors import AcdrunError, Blocked, LoginNeeded, NotFound, Throttled, Unreadable
from runner.model.node import Folder, Gap, Node
from runner.model.nodes import NONE, Nodes
from runner.remote import retry
from runner.remote.close import closing

Admits = Callable[[str, Node], bool]
List = Callable[[str], AsyncIterator[Sequence[Node]]]
Some = Callable[[Sequence[str]], Awaitable[Sequence[Sequence[Node] | AcdrunError]]]

_SIGHT = 8
"""How far ahead folders are looked for, as a multiple of those under way: a slow one idles no others."""

_HELD = 10_000
"""Weight held listed but not yet asked for, beyond which nothing more is listed ahead: about 5 MiB."""

_BATCH = 100
"""Most folders that are asked for at once where a place can list several: then a call costs less than they do."""


def everything(path: str, node: Node) -> bool:
    """The filter that leaves nothing out."""
    return True


async def walk(
    list_: List, admits: Admits, ahead: int, *, folded: bool = False, some: Some | None = None
) -> AsyncIterator[Folder]:
    """Yield every folder in path order, its nodes sorted by name, whatever order their answers come in.

    admits: what it refuses is counted in its folder, and neither yielded nor entered.
    ahead: how many folders are listed at the same time; with `some`, how many batches of them.
    folded: folders come in folded path order, so that one meets its like of another spelling; nodes do not.
    some: lists several folders in one call, where a place can; it need not answer for all of them.
    A folder that cannot be listed is yielded empty with a gap, and the walk goes on. A gap too is a name that
    no path can hold, and one that stands twice in a folder: nobody could say which of the two a path means.
    Raises NotFound for the root, LoginNeeded, a Throttled once the retry budget is used up, and what is no
    AcdrunError.
    """
    window = _Window(list_, admits, ahead, paths.folded_order if folded else None, some)
    try:
        window.push([""])
        while (folder := await window.next()) is not None:
            yield folder
    finally:
        await window.close()


class _Pending:
    """A folder on the way: its path, and once that has begun the task that lists it, its place there and its weight."""

    __slots__ = ("path", "place", "task", "weight")

    def __init__(self, path: str) -> None:
        self.path = path
        self.task: asyncio.Task[list[Folder]] | None = None
        self.place = 0
        self.weight = 0


class _Window:
    """The folders still to be yielded, the next one last, and the listings that run ahead of it."""

    def __init__(
        self,
        list_: List,
        admits: Admits,
        ahead: int,
        order: Callable[[str], Any] | None = None,
        some: Some | None = None,
    ) -> None:
        self._order = order
        self._list = list_
        self._some = some
        self._admits = admits
        self._ahead = max(1, ahead)
        self._sight = _HELD if some else _SIGHT * self._ahead
        self._batch_size = _BATCH if some else 1
        self._stack: list[_Pending] = []
        self._waiting = 0  # of the stack, those that nobody lists yet
        self._running = 0
        self._held = 0
        self._closed = False

    def push(self, folders: Sequence[str]) -> None:
        """Put folders before all others; `folders` is in path order."""
        self._stack.extend(map(_Pending, reversed(folders)))
        self._waiting += len(folders)
        self._fill()

    async def next(self) -> Folder | None:
        """The next folder in path order; what it holds comes right after it."""
        if not self._stack:
            return None
        pending = self._stack[-1]
        while True:
            if (
                pending.task is None
            ):  # the window was full of folders that come later, or its batch was cut short
                self._start(self._batch())
            assert pending.task is not None
            task, place = pending.task, pending.place
            found = await task
            if place < len(found):
                break
            await asyncio.sleep(
                0
            )  # it has ended just now, and `_done` takes us off its batch in the loop's next turn
        self._stack.pop()
        folder = found[place]
        self._held -= pending.weight
        below = [paths.join(folder.path, name) for name in folder.nodes.names("folder")]
        self.push(sorted(below, key=self._order) if self._order else below)
        return folder

    async def close(self) -> None:
        """Stop the listings that run ahead, and wait until they have stopped."""
        self._closed = True
        tasks = {pending.task for pending in self._stack if pending.task is not None}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _fill(self) -> None:
        while self._waiting and self._running < self._ahead and self._held < _HELD:
            if not (batch := self._batch()):
                return
            self._start(batch)

    def _batch(self) -> list[_Pending]:
        near = islice(reversed(self._stack), self._sight)
        return list(islice((pending for pending in near if pending.task is None), self._batch_size))

    def _start(self, batch: list[_Pending]) -> None:
        self._running += 1
        self._waiting -= len(batch)
        task = asyncio.ensure_future(self._look([pending.path for pending in batch]))
        for place, pending in enumerate(batch):
            pending.task, pending.place = task, place
        task.add_done_callback(partial(self._done, batch))

    async def _look(self, folders: list[str]) -> list[Folder]:
        if self._some is None:
            return [await look(self._list, self._admits, folders[0])]
        found: list[Folder] = []
        for folder, answer in zip(folders, await self._some(folders), strict=False):
            try:
                found.append(_told(folder, answer, self._admits))
            except AcdrunError:
                if not found:
                    raise
                break  # it is asked again, and raised when its turn has come
        return found

    def _done(self, batch: list[_Pending], task: asyncio.Task[list[Folder]]) -> None:
        self._running -= 1
        if task.cancelled() or self._closed:
            return
        if task.exception() is None:
            found = task.result()
            for pending, folder in zip(batch, found, strict=False):
                pending.weight = 1 + folder.nodes.weight()
                self._held += pending.weight
            if self._some is not None:  # of those a call answers for, twice as many are enough the next time
                self._batch_size = min(_BATCH, 2 * len(found)) if len(found) < len(batch) else _BATCH
            for pending in batch[len(found) :]:
                pending.task = None
                self._waiting += 1
        self._fill()


async def look(list_: List, admits: Admits, folder: str) -> Folder:
    """One folder as a walk yields it: sorted, filtered, its gaps named. Raises what `walk` raises."""
    pages: list[Sequence[Node]] = []
    try:
        async with closing(list_(folder)) as listing:
            async for page in listing:
                pages.append(page)
    except AcdrunError as error:
        return _unlisted(folder, error)
    return _settled(folder, pages, admits)


def _told(folder: str, answer: Sequence[Node] | AcdrunError, admits: Admits) -> Folder:
    """As `look`, of an answer that is here already."""
    if isinstance(answer, AcdrunError):
        return _unlisted(folder, answer)
    return _settled(folder, [answer], admits)


def _unlisted(folder: str, error: AcdrunError) -> Folder:
    if isinstance(error, LoginNeeded) or (isinstance(error, Throttled) and not retry.patient()):
        raise error
    if isinstance(error, NotFound):
        if not folder:
            raise error
        gone = Unreadable("vanished while the walk was under way", remote=error.remote, path=error.path)
        gone.__cause__ = error
        error = gone
    return Folder(folder, NONE, (Gap(folder, error),))


def _settled(folder: str, pages: list[Sequence[Node]], admits: Admits) -> Folder:
    nodes, gaps, left_out = _single(folder, pages, admits)
    faulty = nodes.faulty()
    for name in faulty:
        path = paths.join(folder, spelled(name))
        gaps.append((name, Gap(path, Blocked(f"{paths.fault(name)} is no part of a path", path=path))))
    nodes = nodes.without(faulty)
    if admits is not everything:
        out = [name for name, stamp in nodes.stamps.items()
               if not admits(paths.join(folder, name), Node(name, *stamp))]  # fmt: skip
        nodes, left_out = nodes.without(out), sorted([*left_out, *out])
    return Folder(folder, nodes, [gap for _, gap in sorted(gaps, key=itemgetter(0))], len(left_out), left_out)


def _single(
    folder: str, pages: list[Sequence[Node]], admits: Admits
) -> tuple[Nodes, list[tuple[str, Gap]], list[str]]:
    """The nodes whose names stand once among those that take part, and what is to be said of the others."""
    if len(pages) == 1 and isinstance(pages[0], Nodes):
        return pages[0], [], []
    found = [node for page in pages for node in page]
    nodes = Nodes.of(found)
    if len(nodes) == len(found):
        return nodes, [], []
    gaps: list[tuple[str, Gap]] = []
    left_out: list[str] = []
    kept: list[Node] = []
    times = Counter(node.name for node in found)
    for name, number in times.items():
        if number == 1 or paths.fault(name):
            kept.append(nodes.node(name))
            continue
        path = paths.join(folder, name)
        twins = [node for node in found if node.name == name and admits(path, node)]
        left_out += [name] * (number - len(twins))
        if len(twins) > 1:
            gaps.append((name, _twins(path)))
        else:
            kept += twins
    return Nodes.of(kept), gaps, left_out


def settled(folder: str, nodes: Sequence[Node]) -> Folder:
    """The folder with these nodes, all of which take part; names that stand twice are gaps."""
    found, gaps, _ = _single(folder, [nodes], everything)
    return Folder(folder, found, [gap for _, gap in gaps])


def _twins(path: str) -> Gap:
    return Gap(path, Blocked("two nodes of one folder have this name", path=path, hint="rename one of them"))


def spelled(name: str) -> str:
    """A name that no path can hold, in characters that one can: what a gap is filed under."""
    if name.strip(".") == "":
        return name.replace(".", "\\x2e") or "(no name)"
    return paths.show(name).replace("/", "\\x2f")
