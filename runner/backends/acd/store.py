"""Storing content so that nothing is lost on the way: create, and replace by way of the trash."""

import json
from collections.abc import Awaitable, Callable

from runner.backends.acd import content as contents
from runner.backends.acd.answers import Conflict
from runner.backends.acd.nodes import AcdNode, id_of, staging_name
from runner.backends.acd.remove import bring_back, finish, remove
from runner.backends.acd.tree import Tree
from runner.backends.acd.wire import AcdWire
from runner.model.content import Content
from runner.model.errors import AcdrunError, Damaged, Exists, NotFound, Stale, Unavailable, Unclear

SETTLE_S = 15.0
SETTLE_S_PER_GIB = 180.0
_CHEAP = 8 << 20
"""Content up to this many bytes is uploaded without asking first whether its upload is still wanted."""


class Store:
    """The two ways to write a file.

    settle_s: how long to look for an upload whose answer was lost, plus 3 minutes per GiB.
    sleep: waits that many seconds.
    """

    def __init__(
        self,
        wire: AcdWire,
        tree: Tree,
        *,
        sleep: Callable[[float], Awaitable[None]],
        settle_s: float = SETTLE_S,
    ) -> None:
        self._wire = wire
        self._tree = tree
        self._sleep = sleep
        self._settle_s = settle_s
        self._unsettled: set[tuple[str, str]] = set()

    async def create(self, folder: str, name: str, content: Content) -> AcdNode:
        """Store content under a name that nobody has: one request when all goes well.

        The service itself refuses a second node of the name. A refusal that follows a lost answer may be
        our own node's: it is adopted if size and MD5 agree. Raises Exists, NotFound (no such folder),
        Damaged, Unavailable when the answer was lost and nothing appeared.
        """
        metadata = {"name": name, "kind": "FILE", "parents": [folder]}
        form = contents.Form(json.dumps(metadata).encode("ascii"), content)
        try:
            node = await contents.upload(self._wire, form)
        except Unclear as error:
            node = await self._settled(folder, name, content.size, form.md5, error)
        except Conflict as error:
            node = await self._adopted(folder, name, content, form, error)
        self._unsettled.discard((folder, name))
        return await self._proven(node, content.size, form.md5)

    async def replace(self, folder: str, name: str, content: Content, expect: str) -> AcdNode:
        """Store content in place of the generation `expect`, which goes to the trash.

        The new content is complete under a hidden name, and proven, before the old node is touched. The
        name is absent between two requests: PUT trash/OLD and PATCH of the new one's name. A crash there
        leaves the old content in the trash and the new one hidden; the next run uploads it again as a new
        file. A failure there puts the old node back. A cancellation waits until both are done.
        The generation is looked at just before, not in the same step. Raises Stale, Exists, Damaged.
        """
        old_id = id_of(expect)
        if content.size > _CHEAP:
            await self._expected(old_id, folder, name, expect)
        staged = await self.create(folder, staging_name(), content)
        try:
            old = await self._expected(old_id, folder, name, expect)
        except BaseException:
            await finish(self._discard(staged))
            raise
        return await finish(self._publish(old, staged, folder, name))

    async def _publish(self, old: AcdNode, staged: AcdNode, folder: str, name: str) -> AcdNode:
        try:
            await remove(self._wire, old, folder)
            return await self._wire.change("PATCH", f"nodes/{staged.id}", {"name": name})
        except AcdrunError as error:
            return await self._retreat(error, old, staged, folder, name)

    async def _retreat(
        self, error: AcdrunError, old: AcdNode, staged: AcdNode, folder: str, name: str
    ) -> AcdNode:
        """A failure between the two names: was it published after all? If not, the old one comes back."""
        hint = f"the old content has the id {old.id}, the new one {staged.id}; look into the trash"
        try:
            now = await self._wire.node(staged.id)
            if now.stands(folder, name):
                return now
            if not (await self._wire.node(old.id)).stands(folder, name):
                await bring_back(self._wire, old, folder)
            hint = error.hint
        except AcdrunError as another:
            error.add_note(f"and the way back failed too: {another}")
        else:
            await self._discard(staged)
        if isinstance(error, Conflict):
            raise Exists("another node took the name while it was replaced", hint=hint) from error
        error.hint = hint
        raise error

    async def _expected(self, node_id: str, folder: str, name: str, expect: str) -> AcdNode:
        try:
            node = await self._wire.node(node_id)
        except NotFound as error:
            raise Stale("the node that is to be replaced is gone") from error
        if not node.stands(folder, name) or node.generation != expect or node.kind != "FILE":
            raise Stale("the node that is to be replaced is not the one that was listed")
        return node

    async def _proven(self, node: AcdNode, size: int, md5: str) -> AcdNode:
        """The node, if it holds what was sent; else exactly this node, which we have made, is trashed."""
        if node.md5 is None:
            node = await self._wire.node(node.id)
        stored = node.md5 if node.md5 is not None else await contents.digest(self._wire, node)
        if node.size == size and stored == md5:
            return node._replace(md5=stored)
        hint = "" if await finish(self._discard(node)) else f"the damaged node {node.id} could not be trashed"
        raise Damaged(
            f"stored as {node.size} bytes of MD5 {stored}, but sent were {size} of {md5}", hint=hint
        )

    async def _settled(self, folder: str, name: str, size: int, md5: str, error: Unclear) -> AcdNode:
        """Look whether an upload arrived whose answer was lost. Source: acd-api §11, retry rules."""
        self._unsettled.add((folder, name))
        left = self._settle_s + SETTLE_S_PER_GIB * size / (1 << 30)
        wait = 2.0
        while True:
            node = await self._tree.look_up(folder, name)
            if node is not None:
                if node.size == size and node.md5 in (md5, None):
                    return node
                raise Exists("another node took the name while it was uploaded") from error
            if left <= 0:
                raise Unavailable(
                    f"the upload's answer was lost, and nothing appeared: {error.message}"
                ) from error
            await self._sleep(min(wait, left))
            left, wait = left - wait, min(5.0, wait + 1.0)

    async def _adopted(
        self, folder: str, name: str, content: Content, form: contents.Form, error: Conflict
    ) -> AcdNode:
        if (folder, name) in self._unsettled and error.node_id:
            node = await self._wire.node(error.node_id)
            if node.stands(folder, name) and (node.size, node.md5) == (content.size, form.md5):
                return node
        raise Exists("the name is taken", hint="names that differ only in case are one name here") from error

    async def _discard(self, node: AcdNode) -> bool:
        """Trash a node of our own making on the way to another error, which stays the one that is raised."""
        try:
            await self._wire.change("PUT", f"trash/{node.id}")
        except AcdrunError:
            return False
        return True
