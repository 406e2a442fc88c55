"""Match two listings: a merge join of folders, and of the names in each."""

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import NamedTuple

from runner.model.errors import Disordered
from runner.model.node import Folder, Node
from runner.model.path import fold, order


class Pairing(NamedTuple):
    """One name on both sides; either may be missing, never both."""

    source: Node | None
    destination: Node | None

    @property
    def name(self) -> str:
        """The name they share; the source's where they differ in case."""
        node = self.source or self.destination
        assert node is not None
        return node.name


async def match(
    source: AsyncIterator[Folder], destination: AsyncIterator[Folder]
) -> AsyncIterator[tuple[Folder | None, Folder | None]]:
    """Walk two listings in step and pair the folders that share a path.

    source, destination: folders in path order, each path once. Paths compare by their parts, so "a/b"
        comes before "a-b" although "-" sorts before "/".
    Yields (source, destination) in that order, never both None; holds two folders in memory however long
        the listings are.
    Raises Disordered when a listing goes backwards.
    Source: merging sorted files, Knuth, The Art of Computer Programming 3, section 5.4.
    """
    left, right = _Ordered(source), _Ordered(destination)
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
    """A listing that is watched for going backwards."""

    def __init__(self, listing: AsyncIterator[Folder]) -> None:
        self._listing = listing
        self.key: tuple[str, ...] = ()
        self._started = False

    async def next(self) -> Folder | None:
        folder = await anext(self._listing, None)
        if folder is None:
            return None
        key = order(folder.path)
        if self._started and key <= self.key:
            raise Disordered(f"the listing went from {'/'.join(self.key)!r} back to {folder.path!r}")
        self.key, self._started = key, True
        return folder


def pair_names(source: Sequence[Node], destination: Sequence[Node], *, folds: bool) -> Iterator[Pairing]:
    """Pair the nodes of one folder by name, sorted by name.

    folds: the destination cannot hold two names that `path.fold` makes equal; then what has no partner of
        exactly its name is paired with one whose name folds the same.
    """
    theirs = {node.name: node for node in destination}
    loose: dict[str, Node] = {}
    if folds:
        exact = {node.name for node in source}
        loose = {fold(node.name): node for node in destination if node.name not in exact}
    pairings = []
    for node in source:
        partner = theirs.pop(node.name, None)
        if partner is None and folds:
            partner = loose.pop(fold(node.name), None)
            if partner is not None:
                del theirs[partner.name]
        pairings.append(Pairing(node, partner))
    pairings += (Pairing(None, node) for node in theirs.values())
    return iter(sorted(pairings, key=lambda pairing: pairing.name))


def twins(nodes: Sequence[Node]) -> dict[str, str]:
    """Names of one folder that fold alike: each such name with one of its twins."""
    first: dict[str, str] = {}
    found: dict[str, str] = {}
    for node in nodes:
        folded = fold(node.name)
        other = first.setdefault(folded, node.name)
        if other != node.name:
            found[node.name] = other
            found.setdefault(other, node.name)
    return found
