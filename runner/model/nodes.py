"""The children of one folder as columns: what is the same on two sides never becomes an object."""

from collections.abc import Collection, Iterable, Iterator, Sequence, Set
from operator import itemgetter
from typing import NamedTuple, Protocol, Self, overload

from runner.model import path as paths
from runner.model.checksum import Checksum
from runner.model.node import Kind, Node

Stamp = tuple[Kind, int, int | None, Checksum | None]
"""Of a node: kind, size, mtime_ns, checksum. With the name it is all that a filter or a decision looks at."""

_KIND, _SIZE, _TIME = itemgetter(0), itemgetter(1), itemgetter(2)


class State(NamedTuple):
    """What tells that no file of a folder has changed: it stands for all their generations.

    folder: which one, for its backend; print: a digest of names and generations, in the order of the listing.
    """

    folder: str
    print: bytes


class Rows(Protocol):
    """What stands behind the columns."""

    def node(self, name: str) -> Node:
        """The node of that name."""

    def state(self, files: Collection[str]) -> State | None:
        """The state of these files; None where it would cost as much as asking for each generation."""


class Nodes(Sequence[Node]):
    """Nodes of one folder in order of their names, each name once.

    A node is made of `rows` when somebody wants one: a million files that need nothing cost no million nodes. A
    backend whose columns come packed overrides what can be told without unpacking them.
    """

    __slots__ = ("_kinds", "_names", "_rows", "_stamps")

    def __init__(self, stamps: dict[str, Stamp], rows: Rows) -> None:
        self._stamps = stamps
        self._rows = rows
        self._names: list[str] | None = None
        self._kinds: list[Kind] | None = None

    @classmethod
    def of(cls, nodes: Iterable[Node]) -> Self:
        """Nodes that were made already; of several with one name the last."""
        made = _Made({node[0]: node for node in nodes})
        return cls({name: node[1:5] for name, node in made.nodes.items()}, made)

    @property
    def stamps(self) -> dict[str, Stamp]:
        """By name, in the order of the listing, and not to be changed."""
        return self._stamps

    def __len__(self) -> int:
        return len(self.stamps)

    @overload
    def __getitem__(self, index: int) -> Node: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Node]: ...
    def __getitem__(self, index: int | slice) -> Node | Sequence[Node]:
        names = self._sorted()[index]
        return self._rows.node(names) if isinstance(names, str) else [self._rows.node(name) for name in names]

    def __iter__(self) -> Iterator[Node]:
        return map(self._rows.node, self._sorted())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Nodes({list(self)!r})"

    def node(self, name: str) -> Node:
        """The node of that name. Raises KeyError."""
        return self._rows.node(name)

    def has(self, name: str) -> bool:
        """Is one of them called so?"""
        return name in self.stamps

    def weight(self) -> int:
        """What they take in memory, in nodes."""
        return len(self)

    def faulty(self) -> list[str]:
        """The names that can be no part of a path."""
        return paths.faulty(self.stamps)

    def same(self, other: "Nodes") -> bool:
        """Have both the same names and stamps?"""
        return self.stamps == other.stamps

    def sized(self, other: "Nodes") -> bool:
        """Have both the same names, kinds and sizes?"""
        if len(self) != len(other) or self.names("file") != other.names("file"):
            return False
        kinds: tuple[Kind, ...] = ("folder", "other")
        return list(self.sizes()) == list(other.sizes()) and all(
            self.names(kind) == other.names(kind) for kind in kinds
        )

    def timed(self) -> bool:
        """Has every file a time?"""
        return None not in (_TIME(stamp) for stamp in self.stamps.values() if stamp[0] == "file")

    def digests(self, algorithm: str) -> dict[str, str]:
        """By name, the digests that the listing carries."""
        return {
            name: checksum.digest
            for name, (_, _, _, checksum) in self.stamps.items()
            if checksum is not None and checksum.algorithm == algorithm
        }

    def digest(self, algorithm: str) -> bytes:
        """Those of all its files, one after the other, in the order of `files`; nothing where one is not known."""
        known = self.digests(algorithm)
        if not known or len(known) != self.number("file"):
            return b""
        return bytes.fromhex("".join([known[name] for name in self.files()]))

    def number(self, kind: Kind) -> int:
        """How many are of that kind."""
        if self._kinds is None:
            self._kinds = list(map(_KIND, self.stamps.values()))
        return self._kinds.count(kind)

    def names(self, kind: Kind) -> list[str]:
        """The names of those of that kind, sorted."""
        if not self.number(kind):
            return []
        return sorted(name for name, stamp in self.stamps.items() if stamp[0] == kind)

    def files(self) -> Collection[str]:
        """The names of the files, in the order of the listing."""
        if self.number("file") == len(self.stamps):
            return self.stamps.keys()
        return [name for name, stamp in self.stamps.items() if stamp[0] == "file"]

    def sizes(self) -> Sequence[int]:
        """Of the files, in bytes and in the order of their names."""
        return [self.stamps[name][1] for name in self.names("file")]

    def state(self) -> State | None:
        """Of its files; None where the backend offers none."""
        return self._rows.state(self.files())

    def size(self) -> int:
        """The bytes in all of them."""
        return sum(map(_SIZE, self.stamps.values()))

    def only(self, names: Iterable[str]) -> "Nodes":
        """Those."""
        stamps = self.stamps
        return Nodes({name: stamps[name] for name in names}, self._rows)

    def without(self, names: Collection[str]) -> "Nodes":
        """All but those."""
        if not names:
            return self
        if names == self.stamps.keys():
            return NONE
        gone = names if isinstance(names, Set) else set(names)
        return Nodes({name: stamp for name, stamp in self.stamps.items() if name not in gone}, self._rows)

    def _sorted(self) -> list[str]:
        if self._names is None:
            self._names = sorted(self.stamps)
        return self._names


class _Made:
    __slots__ = ("nodes",)

    def __init__(self, nodes: dict[str, Node]) -> None:
        self.nodes = nodes

    def node(self, name: str) -> Node:
        return self.nodes[name]

    def state(self, files: Collection[str]) -> State | None:
        return None


NONE = Nodes.of(())
"""Those of an empty folder."""
