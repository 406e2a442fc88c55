"""From paths to ids: folders resolved from the root down, and remembered. Source: acd-api §5, §7.2, §12."""

import asyncio
import re

from runner.backends.acd.listing import children
from runner.backends.acd.nodes import AcdNode, check_id, parse
from runner.backends.acd.wire import AcdWire
from runner.model import path as paths
from runner.model.errors import BadAnswer, Blocked, NotFound
from runner.remote.close import closing

MAX_NAME = 280

_SPECIAL = re.compile(r"""[+\-&|!(){}\[\]^'"~*?:\\ ]""")
_MOST_FOLDERS = 200_000
_MOST_FILES = 10_000


class Tree:
    """Ids of folders and of files just written, by path from the service's own root.

    The look-up by name comes from an index that lags behind, and compares case although no two names of a
    folder differ only in it; what it does not find is looked for in the folder's listing. GET of an id is
    current.
    """

    def __init__(self, wire: AcdWire) -> None:
        self._wire = wire
        self._folders: dict[str, str] = {}
        self._files: dict[str, str] = {}
        self._lock = asyncio.Lock()

    async def folder(self, path: str) -> str:
        """The id of a folder. Raises NotFound."""
        known = self._folders.get(path)
        if known is not None:
            return known
        async with self._lock:
            try:
                return await self._resolve(path)
            except NotFound:
                top = path.partition("/")[0]
                if top not in self._folders:
                    raise
            self.forget(top)  # what was remembered may be out of date: only the service's word is definite
            return await self._resolve(path)

    async def find(self, path: str) -> AcdNode:
        """The node at a path, as it is now. Raises NotFound; Blocked when two nodes are at it."""
        if not path:
            return await self._wire.node(await self.folder(""))
        parent, name = paths.parent(path), paths.name(path)
        cached = parent in self._folders
        folder = await self.folder(parent)
        known = self._folders.get(path) or self._files.get(path)
        if known is not None:
            node = await self._current(known)
            if node is not None and node.stands(folder, name):
                return node
            self.forget(path)
        node = await self.look_up(folder, name) or await self._otherwise_spelled(folder, name)
        if node is None and cached and parent and not await self._still(parent, folder):
            return await self.find(path)
        if node is None:
            raise NotFound("no such file or folder")
        return node

    async def look_up(self, folder: str, name: str) -> AcdNode | None:
        """The child of exactly this name, as it is now. Raises Blocked when there are several."""
        found = [await self._current(node.id) for node in await self._named(folder, name)]
        return _only([node for node in found if node is not None and node.stands(folder, name)])

    async def refresh(self, path: str) -> bool:
        """After a folder was said to be gone: is there another of its path now?"""
        old = self._folders.get(path)
        self.forget(path)
        return old is not None and await self.folder(path) != old

    def learn(self, path: str, node: AcdNode) -> None:
        """Remember a folder from a listing, or a node from an answer to our own write."""
        if node.kind == "FOLDER":
            self.stands(path, node.id)

    def stands(self, path: str, folder: str) -> None:
        """Remember which folder stands at a path."""
        _trim(self._folders, _MOST_FOLDERS)
        self._folders[path] = folder

    def wrote(self, path: str, node: AcdNode) -> None:
        """Remember what we made ourselves: the index will not show it for a while."""
        self.learn(path, node)
        if node.kind == "FILE":
            _trim(self._files, _MOST_FILES)
            self._files[path] = node.id

    def named(self, path: str, node_id: str) -> None:
        """The service refused a name and said who has it: the index may not show that node for a while."""
        _trim(self._files, _MOST_FILES)
        self._files[path] = check_id(node_id)

    def forget(self, path: str) -> None:
        """What is at the path and below is not known any more. The root stays."""
        self._files.pop(path, None)
        if path and self._folders.pop(path, None) is not None:
            for known in (self._folders, self._files):
                for below in [other for other in known if other.startswith(path + "/")]:
                    del known[below]

    async def _still(self, path: str, folder: str) -> bool:
        """Does the remembered folder still stand at its path? Forgets it if not."""
        above = self._folders.get(paths.parent(path))
        node = await self._current(folder)
        if node is not None and above is not None and node.stands(above, paths.name(path)):
            return True
        self.forget(path)
        return False

    async def _resolve(self, path: str) -> str:
        known = self._folders.get(path)
        if known is not None:
            return known
        if not path:
            self._folders[""] = await self._root()
            return self._folders[""]
        above = await self._resolve(paths.parent(path))
        name = paths.name(path)
        node = _only(await self._named(above, name)) or await self._otherwise_spelled(above, name)
        if node is None or node.kind != "FOLDER":
            raise NotFound(f"no folder {path!r} there")
        self.learn(path, node)
        return node.id

    async def _otherwise_spelled(self, folder: str, name: str) -> AcdNode | None:
        """The child whose name differs in case only: the one that keeps others from having it."""
        if unholdable(name):
            return None
        found: list[AcdNode] = []
        async with closing(children(self._wire, folder)) as pages:
            async for page in pages:
                found += [node for node in page if node.stands(folder, name)]
        now = [await self._current(node.id) for node in found]
        return _only([node for node in now if node is not None and node.stands(folder, name)])

    async def _root(self) -> str:
        data = await self._wire.ask("GET", "nodes", query={"filters": "kind:FOLDER AND isRoot:true"})
        nodes = data.get("data")
        if not isinstance(nodes, list) or len(nodes) != 1 or not isinstance(nodes[0], dict):
            raise BadAnswer("the service does not say which folder is the root")
        return check_id(nodes[0].get("id"))

    async def _named(self, folder: str, name: str) -> list[AcdNode]:
        """The children that the index knows by this name."""
        if unholdable(name):
            return []
        data = await self._wire.ask(
            "GET", "nodes", query={"filters": f'parents:"{folder}" AND name:"{escape(name)}"'}
        )
        nodes = data.get("data")
        if not isinstance(nodes, list):
            raise BadAnswer("a look-up without data: nothing is concluded from it")
        return [node for node in map(parse, nodes) if node.stands(folder, name) and node.name == name]

    async def _current(self, node_id: str) -> AcdNode | None:
        try:
            return await self._wire.node(node_id)
        except NotFound:
            return None


def _only(nodes: list[AcdNode]) -> AcdNode | None:
    if len(nodes) > 1:
        raise Blocked("two nodes of one folder have this name", hint="rename one of them")
    return nodes[0] if nodes else None


def escape(name: str) -> str:
    """A name inside the quotes of a filter."""
    return _SPECIAL.sub(r"\\\g<0>", name)


def unholdable(name: str) -> str:
    """Why the service cannot hold this name, or "" when it can. Source: acd-api §5."""
    try:
        units = len(name.encode("utf-16-le")) // 2
    except UnicodeEncodeError:
        return "the name is no valid Unicode"
    if units > MAX_NAME:
        return f"the name has {units} UTF-16 units, and Amazon Cloud Drive holds {MAX_NAME}"
    return paths.fault(name)


def _trim(known: dict[str, str], most: int) -> None:
    if len(known) >= most:
        root = known.get("")
        known.clear()
        if root is not None:
            known[""] = root
