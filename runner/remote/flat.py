"""From a flat listing, which has keys and no folders, to folders in path order.

In byte order the children of a folder stand apart, with all that is below some of them in between; so no folder
is whole before everything below it has come, and all of them go through a spool.
"""

from bisect import bisect_left
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Sequence
from itertools import compress, groupby, islice, repeat
from operator import itemgetter, ne
from typing import Any

from runner.model import path as paths
from runner.model.checksum import Checksum
from runner.model.errors import Blocked
from runner.model.hidden import LEASES
from runner.model.node import Folder, Gap, Node
from runner.model.nodes import Nodes
from runner.remote.close import closing
from runner.remote.files import Files, Pack, Packed
from runner.remote.spool import Spool
from runner.remote.walk import Admits, everything, settled, spelled

ListAll = Callable[[str], AsyncIterator[Sequence[tuple[str, Node]]]]

_HELD = 10_000
"""Nodes of folders that are not at their end yet, beyond which they go to the spool in parts."""


_ASKED = 1_000
"""Files whose times are asked for in one go."""


async def walk(list_all: ListAll, admits: Admits, *, folded: bool = False) -> AsyncIterator[Folder]:
    """Yield what `walk.walk` yields, from one flat listing; memory is bounded by the largest folder.

    The first folder comes when the listing has ended, and nothing comes of one that fails.
    """
    gathering = Gathering(admits, folded=folded)
    try:
        async with closing(list_all("")) as pages:
            async for page in pages:
                gathering.take(page)
        for folder in gathering.folders():
            yield folder
    finally:
        gathering.close()


async def timed(
    folders: AsyncIterator[Folder], ask: Callable[[Sequence[tuple[str, Node]]], Awaitable[Sequence[Node]]]
) -> AsyncIterator[Folder]:
    """The same folders, their files with the times that the listing left out; asked for many files at once."""
    async with closing(folders) as walked:
        batch: list[Folder] = []
        async for folder in walked:
            batch.append(folder)
            if sum(len(one.nodes) for one in batch) >= _ASKED or len(batch) >= _ASKED:
                for one in await _timed(batch, ask):
                    yield one
                batch = []
        for one in await _timed(batch, ask):
            yield one


async def _timed(
    batch: Sequence[Folder], ask: Callable[[Sequence[tuple[str, Node]]], Awaitable[Sequence[Node]]]
) -> list[Folder]:
    wanted = [
        (paths.join(folder.path, node.name), node)
        for folder in batch
        for node in folder.nodes
        if node.kind == "file" and node.mtime_ns is None
    ]
    found = {path: node for (path, _), node in zip(wanted, await ask(wanted), strict=True)}
    return [
        folder._replace(
            nodes=Nodes.of(found.get(paths.join(folder.path, node.name), node) for node in folder.nodes)
        )
        for folder in batch
    ]


class _Open:
    """A folder on the way. prefix: its path and a "/", "" for the root; dead: nothing below it takes part.

    nodes: files that came one by one; packs: those that came as columns; folders: names of what is entered.
    """

    __slots__ = ("dead", "folders", "gaps", "left_out", "nodes", "packs", "prefix")

    def __init__(self, prefix: str, *, dead: bool = False) -> None:
        self.prefix = prefix
        self.dead = dead
        self.clear()

    def clear(self) -> None:
        """Forget what is in it."""
        self.nodes: list[Node] = []
        self.packs: list[tuple[Any, ...]] = []
        self.folders: list[str] = []
        self.left_out: list[str] = []
        self.gaps: list[str] = []


class Gathering:
    """Puts the files of a flat listing into their folders.

    A folder is there because a file below it is. Zero bytes under a key that ends in "/" are another tool's mark
    of a folder, and no file. A name that no path can hold is a gap, once for all that is below it.
    """

    def __init__(self, admits: Admits = everything, *, folded: bool = False, most: int | None = None) -> None:
        self._admits = None if admits is everything else admits
        self._folded = folded
        self._spool = Spool() if most is None else Spool(most=most)
        self._stack = [_Open("")]
        self._held = 0
        self._most = _HELD if most is None else most

    def take(self, page: Sequence[tuple[str, Node]]) -> None:
        """Take in the next page of a listing in byte order. Costs about 1 us a file, less where it is in columns."""
        if isinstance(page, Files):
            self._take_files(page)
        else:
            self._take_nodes(page)
        if self._held >= self._most:
            for folder in self._stack:
                self._write(folder)

    def _take_nodes(self, page: Sequence[tuple[str, Node]]) -> None:
        top, prefix = self._stack[-1], self._stack[-1].prefix
        admits, fault = self._admits, paths.fault
        for path, node in page:
            cut = path.rfind("/") + 1
            if cut != len(prefix) or path[:cut] != prefix:
                if cut == len(path) and not node.size:
                    continue
                top = self._enter(path[:cut])
                prefix = top.prefix
            if top.dead or (cut == len(path) and not node.size):
                continue
            if fault(node.name):
                top.gaps.append(node.name)
            elif admits is not None and not admits(path, node):
                top.left_out.append(node.name)
            else:
                top.nodes.append(node)
                self._held += 1

    def _take_files(self, page: Files) -> None:
        """Runs of files of one folder stay columns; a run in which something is odd goes one by one."""
        keys, start = page.paths, 0
        slashes = list(map(str.rfind, keys, repeat("/")))
        ends = [*map(ne, slashes, islice(slashes, 1, None)), True]
        while start < len(keys):
            cut, end = slashes[start] + 1, ends.index(True, start) + 1
            prefix = keys[start][:cut]
            if cut == len(keys[start]):  # a folder's mark, or a name that is none
                end = start + 1
            elif not keys[end - 1].startswith(prefix):  # sorted, so who is in between is nowhere else either
                end = bisect_left(keys, f"{prefix[:-1]}0", start, end)  # "0" comes after "/"
            run = page[start:end]
            names = [key[cut:] for key in run.paths] if cut else run.paths
            if paths.faulty(names):
                self._take_nodes(run)
            elif not (top := self._enter(prefix)).dead:
                self._admit(top, run, names)
            start = end

    def _admit(self, top: _Open, run: Files, names: Sequence[str]) -> None:
        if self._admits is not None:
            admitted = [self._admits(path, node) for path, node in run]
            if not all(admitted):
                top.left_out += [name for name, well in zip(names, admitted, strict=True) if not well]
                run, names = run.only(admitted), list(compress(names, admitted))
        if names:
            top.packs.append(run.packed(names))
            self._held += len(names)

    def folders(self) -> Iterator[Folder]:
        """Every folder in path order, once all has been taken in; the root first."""
        while self._stack:
            self._leave()
        dropped: set[str] = set()
        for _, records in groupby(self._spool.sorted(), key=itemgetter(0)):
            folder = _folder(list(records))
            if not (dropped and _below(folder.path, dropped)):
                dropped.update(gap.path for gap in folder.gaps)
                yield folder

    def close(self) -> None:
        """Let go of what waits on disk."""
        self._spool.close()

    def _enter(self, prefix: str) -> _Open:
        """The folder of that prefix, or the one above it of which nothing takes part."""
        while not prefix.startswith(self._stack[-1].prefix):
            self._leave()
        top = self._stack[-1]
        while not top.dead and len(top.prefix) < len(prefix):
            name = prefix[len(top.prefix) : prefix.index("/", len(top.prefix))]
            below = _Open(f"{top.prefix}{name}/")
            node = Node(name, "folder")
            if paths.fault(name):
                top.gaps.append(name)
                below.dead = True
            elif name == LEASES:
                below.dead = True
            elif self._admits is not None and not self._admits(below.prefix[:-1], node):
                top.left_out.append(name)
                below.dead = True
            else:
                top.folders.append(name)
                self._held += 1
            self._stack.append(below)
            top = below
        return top

    def _leave(self) -> None:
        folder = self._stack.pop()
        if not folder.dead:
            self._write(folder, whole=True)

    def _write(self, folder: _Open, *, whole: bool = False) -> None:
        rows, packs, folders = [_row(node) for node in folder.nodes], folder.packs, folder.folders
        if not (rows or packs or folders or folder.left_out or folder.gaps) and not (
            whole and not folder.prefix
        ):
            return
        prefix = folder.prefix
        key: Any = paths.folded_order(prefix[:-1]) if self._folded else prefix.replace("/", "\0")
        held = len(rows) + len(folders) + sum(len(pack[1]) for pack in packs)
        self._spool.add((key, prefix[:-1], rows, folder.left_out, folder.gaps, packs, folders), held + 1)
        self._held -= held
        folder.clear()


def _below(path: str, folders: Collection[str]) -> bool:
    while path:
        if path in folders:
            return True
        path = paths.parent(path)
    return False


def _row(node: Node) -> tuple[Any, ...]:
    name, kind, size, mtime_ns, checksum, node_id, generation, changed_ns, _ = node
    if checksum is None:
        return name, kind, size, mtime_ns, None, "", node_id, generation, changed_ns
    return name, kind, size, mtime_ns, checksum[0], checksum[1], node_id, generation, changed_ns


def _node(row: tuple[Any, ...]) -> Node:
    name, kind, size, mtime_ns, algorithm, digest, node_id, generation, changed_ns = row
    checksum = None if algorithm is None else Checksum(algorithm, digest)
    return Node(name, kind, size, mtime_ns, checksum, node_id, generation, changed_ns)


def _folder(records: Sequence[tuple[Any, ...]]) -> Folder:
    """One folder from its parts."""
    path = records[0][1]
    rows, left_out, gaps, packs, folders = (
        [one for record in records for one in record[field]] for field in range(2, 7)
    )
    folder = settled(path, _nodes(rows, [Pack(*pack) for pack in packs], folders))
    wrong = [_gap(path, name) for name in gaps]
    return folder._replace(gaps=[*wrong, *folder.gaps], excluded=len(left_out), left_out=left_out)


def _nodes(rows: Sequence[tuple[Any, ...]], packs: Sequence[Pack], folders: list[str]) -> Sequence[Node]:
    if packs and not rows:
        pack = Pack.of(packs)
        if not folders or set(folders).isdisjoint(pack.names.split("/")):
            return Packed(pack, sorted(folders))
    files = [*map(_node, rows), *(node for pack in packs for node in pack.nodes())]
    if rows and packs:
        files.sort(key=itemgetter(0))
    return [*files, *(Node(name, "folder") for name in folders)]


def _gap(folder: str, name: str) -> Gap:
    path = paths.join(folder, spelled(name))
    return Gap(path, Blocked(f"{paths.fault(name)} is no part of a path", path=path))
