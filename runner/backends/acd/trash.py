"""The trash of the service: what is in it, and the way back. Source: acd-api §7.7, §9."""

from collections.abc import AsyncGenerator

from runner.backends.acd.answers import Conflict
from runner.backends.acd.listing import trash
from runner.backends.acd.nodes import AcdNode, check_id, instant_ns, is_staged
from runner.backends.acd.tree import Tree
from runner.backends.acd.wire import AcdWire
from runner.model import path as paths
from runner.model.backend import Trashed
from runner.model.errors import AcdrunError, BadAnswer, Exists, NotFound
from runner.remote.close import closing

_DEEPEST = 1000


class Trash:
    """Names and parents stay with a node in the trash, so its old path can be told as long as its folders are known.

    `_folders` remembers them by id for one listing or restore.
    """

    def __init__(self, wire: AcdWire, tree: Tree) -> None:
        self._wire = wire
        self._tree = tree
        self._folders: dict[str, AcdNode] = {}

    async def found(self, folder: str) -> AsyncGenerator[list[Trashed], None]:
        """Yield what was trashed in the folder or below it; paths count from the service's own root.

        What has no path any more is shown to whoever asks for all of the service.
        """
        self._folders.clear()
        async with closing(trash(self._wire)) as answers:
            async for nodes in answers:
                page = []
                for node in nodes:
                    if node.status != "TRASH" or not node.name or is_staged(node.name):
                        continue
                    path = await self._path(node)
                    if paths.within(path, folder) if path is not None else not folder:
                        page.append(Trashed(node.id, path, node.node(), instant_ns(node.modified)))
                yield page

    async def find(self, ref: str) -> tuple[AcdNode, str]:
        """A node of the trash and its path, counted from the service's own root. Raises NotFound."""
        self._folders.clear()
        try:
            node = await self._wire.node(check_id(ref))
        except (BadAnswer, NotFound) as error:
            raise NotFound(f"there is no node {paths.show(ref)!r}") from error
        if node.status != "TRASH":
            raise NotFound(f"{node.name!r} is not in the trash")
        path = await self._path(node)
        if path is None:
            raise NotFound(f"nobody knows any more where {node.name!r} was")
        return node, path

    async def restore(self, node: AcdNode, goal: str) -> AcdNode:
        """Bring the node back to the path `goal`. Raises Exists, NotFound.

        A new name and folder are given to it while it is in the trash, where they meet no conflict, and taken
        back when the service refuses to restore it there.
        """
        folder, name = await self._standing(goal), paths.name(goal)
        if (there := await self._tree.look_up(folder, name)) is not None:
            raise Exists(f"{there.name!r} is there already")
        back = await self._carried(node, folder, name)
        try:
            return await self._wire.change("POST", f"trash/{node.id}/restore")
        except AcdrunError as error:
            now = await self._wire.node(node.id)
            if now.stands(folder, name):
                return now
            for method, path, body in back:
                await self._wire.change(method, path, body)
            if isinstance(error, Conflict):
                raise Exists("something is there already") from error
            raise

    async def _carried(
        self, node: AcdNode, folder: str, name: str
    ) -> list[tuple[str, str, dict[str, str] | None]]:
        """Give a node of the trash its new name and folder; return the calls that undo it."""
        back: list[tuple[str, str, dict[str, str] | None]] = []
        if name != node.name:
            await self._wire.change("PATCH", f"nodes/{node.id}", {"name": name})
            back.append(("PATCH", f"nodes/{node.id}", {"name": node.name}))
        if folder not in node.parents:
            await self._wire.change("PUT", f"nodes/{folder}/children/{node.id}")
            for old in node.parents:
                await self._wire.change("DELETE", f"nodes/{old}/children/{node.id}")
                back.append(("PUT", f"nodes/{old}/children/{node.id}", None))
            back.append(("DELETE", f"nodes/{folder}/children/{node.id}", None))
        return back

    async def _standing(self, goal: str) -> str:
        """The id of the folder a path lies in; it must be there, and not in the trash itself."""
        above = paths.parent(goal)
        hint = f"restore {paths.show(above)!r} first, or name another place"
        try:
            folder = await self._tree.folder(above)
        except NotFound as error:
            raise NotFound(f"its folder {paths.show(above)!r} is not there", hint=hint) from error
        now = await self._wire.node(folder)
        if above and now.status != "AVAILABLE":
            self._tree.forget(above)
            raise NotFound(f"its folder {paths.show(above)!r} is in the trash too", hint=hint)
        return folder

    async def _path(self, node: AcdNode) -> str | None:
        """Where it was, by the names of the folders above, be they in the trash themselves."""
        names = [node.name]
        root = await self._tree.folder("")
        above = node.parents[:1]
        for _ in range(_DEEPEST):
            if not above:
                return None
            if above[0] == root:
                return "/".join(reversed(names))
            if above[0] not in self._folders:
                try:
                    self._folders[above[0]] = await self._wire.node(above[0])
                except NotFound:
                    return None
            folder = self._folders[above[0]]
            names.append(folder.name)
            above = folder.parents[:1]
        return None
