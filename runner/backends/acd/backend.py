"""The driver for Amazon Cloud Drive, and for servers that speak its protocol."""

from collections import OrderedDict
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Self

from runner.backends.acd import content as contents
from runner.backends.acd import feed, moves
from runner.backends.acd.answers import Conflict
from runner.backends.acd.config import AcdConfig
from runner.backends.acd.connect import Connection, connect
from runner.backends.acd.listing import children
from runner.backends.acd.nodes import AcdNode, id_of, instant_ns, is_staged
from runner.backends.acd.remove import finish, remove
from runner.backends.acd.store import Store
from runner.backends.acd.trash import Trash
from runner.backends.acd.tree import MAX_NAME, Tree, unholdable
from runner.model import path as paths
from runner.model.backend import (
    Capabilities,
    ChangePage,
    Identity,
    Quota,
    Setting,
    Trashed,
)
from runner.model.content import CHUNK, Content, Fetched
from runner.model.errors import (
    AcdrunError,
    BadAnswer,
    Blocked,
    Changed,
    Denied,
    Exists,
    NoSpace,
    NotFound,
    Stale,
)
from runner.model.node import Node
from runner.remote.close import closing

_LEFTOVER_AFTER = timedelta(days=1)
_MOST_LEFTOVERS = 1000


class Acd:
    """Amazon Cloud Drive.

    Creates are guarded by the service itself, which refuses a second node of a name. Replacing, moving and
    trashing look the generation up just before, hence `strong` is not claimed. Names compare without case.
    Content of a replace waits under a hidden name until it is proven. What a crash leaves under such a name
    is trashed once it is older than a day, when a later write meets its folder: a listing finds it, but
    only a write removes it, for listing never changes anything.
    """

    can = Capabilities(
        checksums=("md5",),
        mtime_ns=None,
        folds=True,
        strong=False,
        concurrency=16,
        throttles=True,
        changes=True,
        max_size=50 * 10**9,
        max_name=MAX_NAME,
    )

    def __init__(self, connection: Connection, root: str = "") -> None:
        self._connection = connection
        self._wire = connection.wire
        self._root = root
        self._tree = Tree(self._wire)
        self._store = Store(self._wire, self._tree, sleep=connection.sleep, settle_s=connection.settle_s)
        self._trash = Trash(self._wire, self._tree)
        self._leftovers: OrderedDict[str, list[AcdNode]] = OrderedDict()

    @property
    def clock_offset_s(self) -> float | None:
        """See `Backend.clock_offset_s`."""
        return self._wire.wire.service_clock.offset_s

    @property
    def at_once(self) -> int:
        """See `Adaptive`."""
        return self._wire.wire.throttle.useful

    @classmethod
    async def open(cls, config: AcdConfig, setting: Setting) -> Self:
        """See `Backend.open`. Starts the embedded server where that is asked for."""
        return cls(await connect(config, setting, cls.can.concurrency), config.root.strip("/"))

    async def close(self) -> None:
        """See `Backend.close`."""
        await self._connection.close()

    async def list(self, folder: str) -> AsyncGenerator[Sequence[Node], None]:
        """See `Backend.list`. An empty answer is believed only of a folder that is still there."""
        full = self._full(folder)
        folder_id = await self._tree.folder(full)
        empty = True
        async with closing(children(self._wire, folder_id)) as pages:
            async for page in pages:
                empty = False
                for node in page:
                    if "/" not in node.name and not is_staged(node.name):
                        self._tree.learn(paths.join(full, node.name), node)
                self._meet(folder_id, page)
                yield [node.node() for node in page if not is_staged(node.name)]
        if empty and full and (await self._tree.find(full)).id != folder_id:
            raise NotFound("the folder was replaced while it was listed")

    async def stat(self, path: str) -> Node:
        """See `Backend.stat`."""
        return (await self._tree.find(self._full(path))).node()

    async def read(self, path: str, *, expect: str | None = None) -> AsyncGenerator[bytes, None]:
        """See `Backend.read`."""
        node = await self._to_read(path, expect)
        async with closing(contents.download(self._wire, node)) as chunks:
            async for chunk in chunks:
                yield chunk
        await self._was_read(node, expect)

    async def whole(self, path: str, size: int, *, expect: str | None = None) -> Fetched:
        """See `Whole.whole`."""
        node = await self._to_read(path, expect)
        if node.size > CHUNK:
            raise Changed("grew since it was listed")
        data = await contents.download_whole(self._wire, node)
        await self._was_read(node, expect)
        return Fetched(data)

    async def _to_read(self, path: str, expect: str | None) -> AcdNode:
        node = await self._tree.find(self._full(path))
        if node.kind != "FILE":
            raise Changed("no file any more") if expect is not None else NotFound("no file")
        if expect is not None and node.generation != expect:
            raise Changed("not the generation that was listed")
        return node

    async def _was_read(self, node: AcdNode, expect: str | None) -> None:
        if expect is not None and (await self._wire.node(node.id)).generation != expect:
            raise Changed("replaced while it was read")

    async def put(self, path: str, content: Content, *, expect: str | None) -> Node:
        """See `Backend.put`; a new small file costs one request."""
        full = self._full(path)
        name = self._holdable(full)
        if content.size > (self.can.max_size or content.size):
            raise Blocked(f"{content.size} bytes are more than one file may have here")
        folder = await self._tree.folder(paths.parent(full))
        await self._sweep(folder)
        try:
            node = await self._put(folder, name, content, expect)
        except NotFound:
            if not await self._tree.refresh(paths.parent(full)):
                raise
            node = await self._put(await self._tree.folder(paths.parent(full)), name, content, expect)
        except Denied as error:
            free = None
            with suppress(AcdrunError):  # then it stays what it was: denied
                free = (await self.quota()).free
            if free is not None and free < content.size:
                raise NoSpace(f"the account has {free} bytes left, and {content.size} are needed") from error
            raise
        except Exists as error:
            if isinstance(error.__cause__, Conflict) and error.__cause__.node_id:
                self._tree.named(full, error.__cause__.node_id)
            raise
        self._tree.wrote(full, node)
        return node.node()._replace(replaced=id_of(expect) if expect else "")

    async def mkdir(self, path: str) -> Node:
        """See `Backend.mkdir`. The remote's root is made with all that is above it."""
        full = self._full(path)
        if not path:
            above = ""
            for name in full.split("/") if full else ():
                above = paths.join(above, name)
                await self._mkdir(above)
            return (await self._tree.find(full)).node()
        return (await self._mkdir(full)).node()

    async def move(self, path: str, to: str, *, expect: str | None = None) -> Node:
        """See `Backend.move`."""
        full, goal = self._full(path), self._full(to)
        name = self._holdable(goal)
        if goal != full and paths.within(goal, full):
            raise Blocked("a folder cannot be moved into itself")
        node = await self._tree.find(full)
        if expect is not None and node.generation != expect:
            raise Stale("not the generation that was listed")
        old = await self._tree.folder(paths.parent(full))
        folder = await self._tree.folder(paths.parent(goal))
        moved = node
        if goal != full:
            moved = await finish(moves.move(self._wire, node, old, folder, name))
        self._tree.forget(full)
        self._tree.wrote(goal, moved)
        return moved.node()

    async def trash(self, path: str, *, expect: str | None = None) -> str:
        """See `Backend.trash`; returns the node's id."""
        full = self._full(path)
        if not full:
            raise Blocked("the root cannot be trashed")
        node = await self._tree.find(full)
        if expect is not None:
            if node.generation != expect:
                raise Stale("not the generation that was listed")
            if node.kind == "FOLDER" and not await self._empty(node.id):
                raise Stale("a folder that is not empty any more")
        await remove(self._wire, node, await self._tree.folder(paths.parent(full)))
        self._tree.forget(full)
        return node.id

    async def trashed(self, folder: str = "") -> AsyncGenerator[Sequence[Trashed], None]:
        """See `Backend.trashed`; costs a request for each folder above what is found."""
        top = len(self._root) + 1 if self._root else 0
        async with closing(self._trash.found(self._full(folder))) as pages:
            async for page in pages:
                yield [entry._replace(path=entry.path and entry.path[top:]) for entry in page]

    async def kept(self, ref: str) -> Trashed:
        """See `Backend.kept`; ref: the node's id."""
        node, full = await self._trash.find(ref)
        if not paths.within(full, self._root):
            raise NotFound(f"{ref!r} was not trashed below this remote")
        path = full[len(self._root) + 1 :] if self._root else full
        return Trashed(ref, path, node.node(), instant_ns(node.modified))

    async def restore(self, ref: str, to: str | None = None) -> str:
        """See `Backend.restore`; ref: the node's id."""
        if to is not None:
            self._holdable(self._full(to))
        node, full = await self._trash.find(ref)
        if not paths.within(full, self._root):
            raise NotFound(f"{ref!r} was not trashed below this remote")
        goal = full if to is None else self._full(to)
        back = await finish(self._trash.restore(node, goal))
        self._tree.wrote(goal, back)
        return goal[len(self._root) + 1 :] if self._root else goal

    async def quota(self) -> Quota:
        """See `Backend.quota`."""
        data = await self._wire.ask("GET", "account/quota")
        total, free = data.get("quota"), data.get("available")
        for number in (total, free):
            if number is not None and (not isinstance(number, int) or isinstance(number, bool) or number < 0):
                raise BadAnswer("a quota that is no number of bytes")
        used = total - free if isinstance(total, int) and isinstance(free, int) else None
        return Quota(total, used, free)

    async def identity(self, folder: str) -> Identity:
        """See `Backend.identity`: the ids of the account's own root and of the folder; often known already."""
        folder_id = await self._tree.folder(self._full(folder))
        return Identity(f"{await self._tree.folder('')}/{folder_id}")

    async def changes(self, cursor: str | None) -> AsyncGenerator[ChangePage, None]:
        """See `Feed.changes`. The account's root is asked for first: a checkpoint is one account's."""
        async with closing(feed.changes(self._wire, await self._tree.folder(""), cursor)) as pages:
            async for page in pages:
                yield page

    def learn(self, path: str, node: Node) -> None:
        """See `Feed.learn`."""
        if "/" not in node.name:
            self._tree.stands(self._full(path), node.id)

    async def _put(self, folder: str, name: str, content: Content, expect: str | None) -> AcdNode:
        if expect is None:
            return await self._store.create(folder, name, content)
        return await self._store.replace(folder, name, content, expect)

    async def _mkdir(self, full: str) -> AcdNode:
        name = self._holdable(full)
        folder = await self._tree.folder(paths.parent(full))
        body = {"name": name, "kind": "FOLDER", "parents": [folder]}
        try:
            node = await self._wire.change("POST", "nodes", body)
        except Conflict as error:
            there = await self._wire.node(error.node_id) if error.node_id else await self._tree.find(full)
            if there.kind != "FOLDER" or not there.stands(folder, name):
                raise Exists(f"the name is taken, by {there.name!r}") from error
            node = there
        self._tree.wrote(full, node)
        return node

    async def _empty(self, folder: str) -> bool:
        async with closing(children(self._wire, folder)) as pages:
            async for _ in pages:
                return False
        return True

    def _meet(self, folder: str, page: Sequence[AcdNode]) -> None:
        """Remember what an earlier run left under hidden names, if it is old enough to be nobody's.

        Its age is counted by the clock that dated it, which is the service's.
        """
        there = datetime.now(UTC) + timedelta(seconds=self.clock_offset_s or 0.0)
        before = (there - _LEFTOVER_AFTER).isoformat()[:19]
        old = [node for node in page if is_staged(node.name) and "2" <= node.created[:19] < before]
        if old and len(self._leftovers) < _MOST_LEFTOVERS:
            self._leftovers.setdefault(folder, []).extend(old)

    async def _sweep(self, folder: str) -> None:
        for node in self._leftovers.pop(folder, ()):
            with suppress(AcdrunError):  # of no matter to the write that passes by
                if (await self._wire.node(node.id)).stands(folder, node.name):
                    await remove(self._wire, node, folder)

    def _full(self, path: str) -> str:
        return paths.join(self._root, path)

    @staticmethod
    def _holdable(full: str) -> str:
        name = paths.name(full)
        if fault := unholdable(name):
            raise Blocked(fault)
        return name
