"""Where a listing and the index of a remote do not agree."""

from collections.abc import Awaitable, Callable, Collection
from typing import NamedTuple

from runner.model.errors import AcdrunError
from runner.model.node import Folder, Node
from runner.model.path import join, show

MOST = 10_000
"""Differences that are kept, to be weighed at the end; what is beyond them is only counted."""


class Difference(NamedTuple):
    """path: from the folder that is listed; ids: of the nodes it is about; what: in words."""

    path: str
    ids: frozenset[str]
    what: str


class Differences:
    """Looks at each folder of a listing.

    top: the first folder as the index has it, None where it has none; known: the folder of that path and id as
    the index would have listed it. seen: the listing had a first folder. fault: what kept the index from being read.
    """

    def __init__(self, top: Node | None, known: Callable[[str, str], Awaitable[Folder]]) -> None:
        self._top = top
        self._known = known
        self._ids = {"": top.id} if top is not None else {}
        self._found: list[Difference] = []
        self._more = 0
        self.seen = False
        self.fault: AcdrunError | None = None

    async def look(self, folder: Folder) -> None:
        """Compare one folder; they come in path order, each after the one it lies in."""
        self.seen = True
        id_ = self._ids.pop(folder.path, None)
        if id_ is None or self.fault is not None or any(gap.path == folder.path for gap in folder.gaps):
            return
        try:
            known = await self._known(folder.path, id_)
        except AcdrunError as error:
            self.fault = error
            return
        ours = {node.name: node for node in known.nodes}
        theirs = {node.name: node for node in folder.nodes}
        self._ids.update(
            (join(folder.path, node.name), node.id) for node in theirs.values() if node.kind == "folder"
        )
        if ours != theirs:
            for name in sorted(ours.keys() | theirs.keys()):
                self._compare(join(folder.path, name), ours.get(name), theirs.get(name))

    def besides(self, told: Collection[str], top: Node | None) -> tuple[int, str] | None:
        """How many there are that no change of these ids accounts for, and the first of them in words.

        Where more were found than are kept, the rest is taken to be like those. top: the first folder as the index
        has it now. None where that changed meanwhile, so that nothing can be said.
        """
        if self._top is None or not self.seen:
            if (self._top is None) is not self.seen:
                return 0, ""
            if top != self._top or (top is not None and top.id in told):
                return None
            return 1, f"its folder {'is in the index alone' if top is not None else 'is not in the index'}"
        left = [one for one in self._found if one.ids.isdisjoint(told)]
        return (len(left) + self._more, f"{show(left[0].path)!r} {left[0].what}") if left else (0, "")

    def _compare(self, path: str, known: Node | None, listed: Node | None) -> None:
        if known == listed:
            return
        if len(self._found) >= MOST:
            self._more += 1
            return
        what = (
            "is not in the index"
            if known is None
            else "is in the index alone"
            if listed is None
            else "differs"
        )
        ids = frozenset(node.id for node in (known, listed) if node is not None)
        self._found.append(Difference(path, ids, what))
