"""Match two listings: a merge join of folders, and of the names in each."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from operator import itemgetter
from types import MappingProxyType
from typing import Any, NamedTuple

from runner.model.errors import Disordered
from runner.model.node import Folder, Node
from runner.model.path import fold, folded_order, order


class Pairing(NamedTuple):
    """One name on both sides; either may be missing, never both.

    alias: what the source node is called at the destination, where it cannot have its own name; else "".
    """

    source: Node | None
    destination: Node | None
    alias: str = ""

    @property
    def name(self) -> str:
        """The name they share; the source's where they differ in case."""
        node = self.source or self.destination
        assert node is not None
        return node.name


async def match(
    source: AsyncIterator[Folder], destination: AsyncIterator[Folder], *, folded: bool = False
) -> AsyncIterator[tuple[Folder | None, Folder | None]]:
    """Walk two listings in step and pair the folders that share a path.

    source, destination: folders in path order, each path once. Paths compare by their parts, so "a/b"
        comes before "a-b" although "-" sorts before "/".
    folded: both come in folded path order, and paths that `path.fold` makes equal are shared. Which of several
        such folders of one side gets the partner is not said: no such folder can be kept in step.
    Yields (source, destination) in that order, never both None; holds two folders in memory however long
        the listings are.
    Raises Disordered when a listing goes backwards.
    Source: merging sorted files, Knuth, The Art of Computer Programming 3, section 5.4.
    """
    left, right = _Ordered(source, folded), _Ordered(destination, folded)
    ours, theirs = await left.next(), await right.next()
    while ours is not None or theirs is not None:
        if theirs is None or (ours is not None and left.key < right.key):
            yield ours, None
            ours = await left.next()
        elif ours is None or right.key < left.key:
            yield None, theirs
            theirs = await right.next()
        else:
            yield ours, theirs
            ours, theirs = await left.next(), await right.next()


class _Ordered:
    """A listing that is watched for going backwards; key: by which its folder is matched."""

    def __init__(self, listing: AsyncIterator[Folder], folded: bool) -> None:
        self._listing = listing
        self._folded = folded
        self.key: tuple[str, ...] = ()
        self._last: tuple[Any, ...] | None = None
        self._path = ""

    async def next(self) -> Folder | None:
        folder = await anext(self._listing, None)
        if folder is None:
            return None
        place: tuple[Any, ...]
        if self._folded:
            place = parts = folded_order(folder.path)
            self.key = tuple(folded for folded, _ in parts)
        else:
            place = self.key = order(folder.path)
        if self._last is not None and place <= self._last:
            raise Disordered(f"the listing went from {self._path!r} back to {folder.path!r}")
        self._last, self._path = place, folder.path
        return folder


def pair_names(
    source: Sequence[Node],
    destination: Sequence[Node],
    *,
    folds: bool,
    aliases: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Pairing]:
    """Pair the nodes of one folder by name, sorted by name.

    folds: the destination cannot hold two names that `path.fold` makes equal; then what has no partner of
        exactly its name is paired with one whose name folds the same.
    aliases: names of source nodes that are called otherwise at the destination, with what they are called.
    """
    if not destination:
        return (Pairing(node, None, aliases.get(node.name, "")) for node in sorted(source, key=itemgetter(0)))
    theirs = {node.name: node for node in destination}
    loose: dict[str, Node] = {}
    if folds:
        exact = {aliases.get(node.name, node.name) for node in source}
        loose = {fold(node.name): node for node in destination if node.name not in exact}
    pairings = []
    for node in source:
        alias = aliases.get(node.name, "")
        partner = theirs.pop(alias or node.name, None)
        if partner is None and folds and not alias:
            partner = loose.pop(fold(node.name), None)
            if partner is not None:
                del theirs[partner.name]
        pairings.append(Pairing(node, partner, alias))
    pairings += (Pairing(None, node) for node in theirs.values())
    return iter(sorted(pairings, key=lambda pairing: pairing.name))
