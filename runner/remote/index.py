"""Walking a remote by an index of it that its change feed keeps right."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, Protocol

from runner.model import path as paths
from runner.model.backend import ChangePage
from runner.model.errors import AcdrunError, LoginNeeded, NotFound, Spoilt, Unavailable
from runner.model.events import Listener, Note
from runner.model.node import Folder, Node
from runner.remote.close import closing
from runner.remote.differences import Differences
from runner.remote.walk import Admits, look

_TURN = 5000
"""Nodes after which others have their turn; they take about 10 ms."""

_TRIES = 5


class Snapshot(Protocol):
    """The index at one moment; see `state.nodes.Snapshot`."""

    @property
    def top(self) -> str | None:
        """Id of the folder that all paths begin at; None in an index that is empty."""

    def compared(self, path: str) -> int | None:
        """When a listing below this path last agreed, in s since 1970."""

    def children(self, folder: str) -> Sequence[Node]:
        """What stands in the folder of this id, in any order."""


class Store(Protocol):
    """Where the index is kept; see `state.nodes.Nodes`."""

    @property
    def cursor(self) -> str | None:
        """Where the feed is to be read on."""

    def keep(self, page: ChangePage, after: str | None) -> bool:
        """Write a page down that follows the cursor `after`; False when the index stands elsewhere by now."""

    def forget(self) -> None:
        """Begin anew the next time."""

    def renew(self) -> None:
        """Set what is damaged aside, and begin anew."""

    def distrust(self) -> None:
        """No listing has agreed yet."""

    def agreed(self, path: str, at_s: int) -> None:
        """A listing below this path did agree."""

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """The index as it is now."""


class View(NamedTuple):
    """What is to be walked, and what it takes.

    prefix: the folder below the backend's root; changes: its feed; learn: hears which folder stands where;
    listing: walks it by requests; admits, folded: see `walk.walk`; folds: of the backend's capabilities.
    """

    prefix: str
    changes: Callable[[str | None], AsyncIterator[ChangePage]]
    learn: Callable[[str, Node], None]
    listing: Callable[[], AsyncIterator[Folder]]
    admits: Admits
    folded: bool
    folds: bool


@dataclass(slots=True)
class Index:
    """The index of one remote, and how far it is believed.

    Before each walk the feed is read to its end. An index that was begun anew, or was last compared more than
    `max_age_s` ago, is compared with a listing, which is what the run goes by then; one that differs is forgotten.
    So nothing is believed that was not once seen to be true. Whatever goes wrong with feed or index costs the
    listing that there would have been without them.

    remote: its name; root: the backend's root, from the top of the place. fresh: list and compare in any case.
    clock: seconds since 1970.
    """

    remote: str
    store: Store
    root: str
    max_age_s: float
    tell: Listener
    fresh: bool = False
    clock: Callable[[], float] = time.time
    _doubted: bool = False
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def walk(self, view: View) -> AsyncGenerator[Folder, None]:
        """Yield what `view.listing` would, in its order. Raises what that raises."""
        path, last = paths.join(self.root, view.prefix), None
        rest: AsyncIterator[Folder]
        try:
            await self._follow(view)
            async with closing(self._known(view, path)) as folders:
                async for folder in folders:
                    yield folder
                    last = folder.path
            if last is not None:
                return
            rest = self._compared(view, path)
        except LoginNeeded:
            raise
        except AcdrunError as error:
            self._without(error)
            rest = view.listing()
        key: Callable[[str], Any] = paths.folded_order if view.folded else paths.order
        async with closing(rest) as folders:
            async for folder in folders:
                if last is None or key(folder.path) > key(last):
                    yield folder

    def doubt(self) -> None:
        """A write or a look met something else than what the index had: compare it the next time."""
        if not self._doubted:
            self._doubted = True
            with suppress(AcdrunError):
                self.store.distrust()

    async def _follow(self, view: View, told: set[str] | None = None) -> bool:
        """Read the feed to its end. told: collects the ids it speaks of; False when it cannot have heard of all."""
        async with self._reading:
            for attempt in range(_TRIES):
                cursor = self.store.cursor
                async with closing(view.changes(cursor)) as pages:
                    async for page in pages:
                        if not await asyncio.to_thread(self.store.keep, page, cursor):
                            break
                        cursor = page.cursor
                        if told is not None:
                            told.update(change.id for change in page.changes)
                    else:
                        return attempt == 0
        raise Unavailable("others read its change feed on all the time")

    def _believed(self, snapshot: Snapshot, path: str) -> bool:
        at_s = snapshot.compared(path)
        return at_s is not None and not self.fresh and 0 <= self.clock() - at_s < self.max_age_s

    async def _known(self, view: View, path: str) -> AsyncGenerator[Folder, None]:
        """Yield the folders as the index knows them; none where it does not know the first, or is not believed."""
        with self.store.snapshot() as snapshot:
            top = _find(snapshot, path, folds=view.folds)
            if top is None or not self._believed(snapshot, path):
                return
            view.learn(view.prefix, top)
            stack, turn = [("", top)], 0
            while stack:
                place, node = stack.pop()
                folder = await _folder(snapshot, view.admits, place, node.id)
                below = [
                    (paths.join(place, name), folder.nodes.node(name))
                    for name in folder.nodes.names("folder")
                ]
                for inside, node in below:
                    view.learn(paths.join(view.prefix, inside), node)
                if view.folded:
                    below.sort(key=lambda one: paths.folded_order(one[0]))
                stack += reversed(below)
                yield folder
                turn += 1 + len(folder.nodes)
                if turn >= _TURN:
                    turn = 0
                    await asyncio.sleep(0)

    async def _compared(self, view: View, path: str) -> AsyncGenerator[Folder, None]:
        """Yield the folders as they are listed, and judge the index by them; the run goes by the listing alone."""
        absent: NotFound | None = None
        with self.store.snapshot() as snapshot:
            top = _find(snapshot, path, folds=view.folds)
            differences = Differences(top, partial(_folder, snapshot, view.admits))
            try:
                async with closing(view.listing()) as folders:
                    async for folder in folders:
                        await differences.look(folder)
                        yield folder
            except NotFound as error:
                if differences.seen:
                    raise
                absent = error
        try:
            await self._judge(view, path, differences)
        except AcdrunError as error:  # the listing stands all the same
            self._without(error)
        if absent is not None:
            raise absent

    async def _judge(self, view: View, path: str, differences: Differences) -> None:
        """What was changed while the listing was under way is no fault of the index."""
        if differences.fault is not None:
            raise differences.fault
        told = set[str]()
        if not await self._follow(view, told):
            return
        with self.store.snapshot() as snapshot:
            found = differences.besides(told, _find(snapshot, path, folds=view.folds))
        if found is None:
            return
        number, first = found
        if not number:
            self.store.agreed(path, int(self.clock()))
            self._doubted = False
            return
        self.store.forget()
        entries = f"{number:,} entries" if number > 1 else "1 entry"
        self.tell(
            Note(
                f"warning: the index of {self.remote} is begun anew: {entries} not as listed, such as {first}"
            )
        )

    def _without(self, error: AcdrunError) -> None:
        self.tell(Note(f"warning: the index of {self.remote} cannot be used: {error.message}"))
        if isinstance(error, Spoilt):
            with suppress(AcdrunError):
                self.store.renew()


def _find(snapshot: Snapshot, path: str, *, folds: bool) -> Node | None:
    """The folder at a path from the top; None unless there is just one."""
    if snapshot.top is None:
        return None
    node = Node("", "folder", id=snapshot.top)
    for name in paths.order(path):
        children = [child for child in snapshot.children(node.id) if child.name == name]
        if not children and folds:
            key = paths.fold(name)
            children = [child for child in snapshot.children(node.id) if paths.fold(child.name) == key]
        if len(children) != 1 or children[0].kind != "folder":
            return None
        (node,) = children
    return node


async def _folder(snapshot: Snapshot, admits: Admits, path: str, id_: str) -> Folder:
    """The folder as a walk yields it."""
    children = snapshot.children(id_)

    async def pages(_: str) -> AsyncGenerator[Sequence[Node], None]:
        yield children

    return await look(pages, admits, path)
