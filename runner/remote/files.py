"""Files of a flat listing as columns: what nobody asks for one by one never becomes an object."""

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import compress, repeat
from operator import itemgetter
from typing import Any, NamedTuple, TypeVar, overload

from runner.model import path as paths
from runner.model.checksum import Checksum
from runner.model.node import Kind, Node
from runner.model.nodes import Nodes, Stamp
from runner.remote.mtime import instant_ns

T = TypeVar("T")

_FOLDER: Stamp = ("folder", 0, None, None)


class Files(Sequence[tuple[str, Node]]):
    """A page of a flat listing, in the order of bytes; a path and a node are made when somebody asks for them.

    Columns are of one length. paths: as in `Flat`; sizes: bytes; generations: printable; digests: MD5s as lower-case
    hex, "" where there is none, and the column of the generations itself where those are nothing else; changed: the
    service's times as RFC 3339 writes them, of which whole seconds are told, for headers know no others.
    """

    __slots__ = ("changed", "digests", "generations", "paths", "sizes")

    def __init__(
        self,
        paths: Sequence[str],
        sizes: Sequence[int],
        generations: Sequence[str],
        digests: Sequence[str],
        changed: Sequence[str],
    ) -> None:
        self.paths = paths
        self.sizes = sizes
        self.generations = generations
        self.digests = digests
        self.changed = changed

    def __len__(self) -> int:
        return len(self.paths)

    @overload
    def __getitem__(self, index: int) -> tuple[str, Node]: ...
    @overload
    def __getitem__(self, index: slice) -> "Files": ...
    def __getitem__(self, index: int | slice) -> "tuple[str, Node] | Files":
        if isinstance(index, slice):
            return self._each(itemgetter(index))
        path = self.paths[index]
        row = (self.sizes[index], self.generations[index], self.digests[index], self.changed[index])
        return path, _node(paths.name(path), *row)

    def __iter__(self) -> Iterator[tuple[str, Node]]:
        rows = zip(self.paths, self.sizes, self.generations, self.digests, self.changed, strict=True)
        return ((row[0], _node(paths.name(row[0]), *row[1:])) for row in rows)

    def only(self, wanted: Sequence[bool]) -> "Files":
        """Those for which it is true."""
        return self if all(wanted) else self._each(lambda column: list(compress(column, wanted)))

    def packed(self, names: Sequence[str]) -> tuple[Any, ...]:
        """All of them, children of one folder with these names, as the plain values of a `Pack`."""
        same = self.digests is self.generations
        digests = None if same else "\n".join(self.digests)
        return (
            "/".join(names),
            list(self.sizes),
            "\n".join(self.generations),
            digests,
            "\n".join(self.changed),
        )

    def _each(self, some: Callable[[Any], Any]) -> "Files":
        generations = some(self.generations)
        digests = generations if self.digests is self.generations else some(self.digests)
        return Files(some(self.paths), some(self.sizes), generations, digests, some(self.changed))


class Pack(NamedTuple):
    """Files of one folder in order of their names, as plain values. At least one.

    names: with "/" between them; generations, digests, changed: line by line. digests: None where the generations are.
    """

    names: str
    sizes: list[int]
    generations: str
    digests: str | None
    changed: str

    @classmethod
    def of(cls, parts: Sequence["Pack"]) -> "Pack":
        """One after the other."""
        if len(parts) == 1:
            return parts[0]
        names, sizes, generations, digests, changed = zip(*parts, strict=True)
        listed = (part.generations if part.digests is None else part.digests for part in parts)
        return cls(
            "/".join(names),
            [size for column in sizes for size in column],
            "\n".join(generations),
            None if set(digests) == {None} else "\n".join(listed),
            "\n".join(changed),
        )

    def checksums(self) -> list[str]:
        """Of each the MD5, "" where it is not known."""
        return (self.generations if self.digests is None else self.digests).split("\n")

    def nodes(self) -> Iterator[Node]:
        """Each."""
        columns = self.names.split("/"), self.sizes, self.generations.split("\n"), self.checksums()
        return (_node(*row) for row in zip(*columns, self.changed.split("\n"), strict=True))


class Packed(Nodes):
    """What is in one folder of a flat listing, unpacked when somebody asks for a name.

    folders: sorted; none is called as a file is.
    """

    __slots__ = ("_folders", "_pack")

    def __init__(self, pack: Pack, folders: Sequence[str]) -> None:
        super().__init__({}, _Rows(pack, folders))
        self._pack = pack
        self._folders = folders

    @property
    def stamps(self) -> dict[str, Stamp]:
        if not self._stamps:
            pack = self._pack
            files = zip(pack.names.split("/"), pack.sizes, pack.checksums(), strict=True)
            self._stamps = {
                name: ("file", size, None, Checksum("md5", digest) if digest else None)
                for name, size, digest in files
            }
            self._stamps.update(zip(self._folders, repeat(_FOLDER), strict=False))
        return self._stamps

    def __len__(self) -> int:
        return len(self._pack.sizes) + len(self._folders)

    def faulty(self) -> list[str]:
        return []

    def timed(self) -> bool:
        return False

    def number(self, kind: Kind) -> int:
        if kind == "file":
            return len(self._pack.sizes)
        return len(self._folders) if kind == "folder" else 0

    def names(self, kind: Kind) -> list[str]:
        if kind == "file":
            return self._pack.names.split("/")
        return list(self._folders) if kind == "folder" else []

    def files(self) -> Collection[str]:
        return self.names("file")

    def state(self) -> None:
        return None

    def sizes(self) -> Sequence[int]:
        return self._pack.sizes

    def size(self) -> int:
        return sum(self._pack.sizes)

    def digests(self, algorithm: str) -> dict[str, str]:
        if algorithm != "md5":
            return {}
        known = zip(self.names("file"), self._pack.checksums(), strict=True)
        return {name: digest for name, digest in known if digest}

    def digest(self, algorithm: str) -> bytes:
        if algorithm != "md5" or (digests := self._pack.checksums()).count(""):
            return b""
        return bytes.fromhex("".join(digests))


class _Rows:
    """The nodes behind it, made all at once when one is asked for."""

    __slots__ = ("_folders", "_nodes", "_pack")

    def __init__(self, pack: Pack, folders: Sequence[str]) -> None:
        self._pack = pack
        self._folders = folders
        self._nodes: dict[str, Node] = {}

    def node(self, name: str) -> Node:
        if not self._nodes:
            self._nodes = {node.name: node for node in self._pack.nodes()}
            self._nodes |= {folder: Node(folder, "folder") for folder in self._folders}
        return self._nodes[name]

    def state(self, files: Collection[str]) -> None:
        return None


def _node(name: str, size: int, generation: str, digest: str, changed: str) -> Node:
    checksum = Checksum("md5", digest) if digest else None
    changed_ns = instant_ns(changed)
    return Node(
        name, "file", size, None, checksum,
        generation=generation, changed_ns=changed_ns and changed_ns - changed_ns % 10**9,
    )  # fmt: skip
