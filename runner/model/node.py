"""A node: a file or folder on a remote, as last seen."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from runner.model.checksum import Checksum
from runner.model.errors import AcdrunError

if TYPE_CHECKING:
    from runner.model.nodes import Nodes

Kind = Literal["file", "folder", "other"]


class Node(NamedTuple):
    """One entry of a folder.

    name: the last part of its path, as the service stores it.
    kind: "other" is what can be neither read nor followed: links, sockets, devices, foreign kinds.
    size: bytes; 0 for anything but a file.
    mtime_ns: modification time of the content since 1970 in ns; None where the service has none that
        was ever set by a client.
    checksum: of the content, when the listing carries one.
    id: the service's own name for the node, which survives a rename; "" where there is none.
    generation: the version id, etag or fingerprint of this one stored state. Two states that differ
        have different generations; it says nothing about order. "" for folders where none exists.
        Where it has a "~", what stands before that stays as long as the content does, through renames,
        trash and restore; see `same_content`.
    changed_ns: the service's own clock when it last changed the node, in ns since 1970; shown, and
        never compared with another place's: it is no time of the content.
    replaced: in the answer to a `put` alone, what brings back the content that it replaced; never compared.
    """

    name: str
    kind: Kind
    size: int = 0
    mtime_ns: int | None = None
    checksum: Checksum | None = None
    id: str = ""
    generation: str = ""
    changed_ns: int | None = None
    replaced: str = ""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Node) and self[:-2] == other[:-2]

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self[:-2])


def same_content(one: str, other: str) -> bool:
    """Do two generations hold the same bytes, as far as they tell by themselves? "" tells nothing."""
    return bool(one) and one.partition("~")[0] == other.partition("~")[0]


class Gap(NamedTuple):
    """A part of the tree that could not be listed, so nothing may be concluded about it."""

    path: str
    error: AcdrunError


class Folder(NamedTuple):
    """One folder of a listing: its path and all its children.

    A listing is an iterator of these in path order of `path`, the root first; a gap means that
    `nodes` is not the whole truth. excluded: how many children a filter left out, themselves and all below them.
    left_out: names that exist here and yet do not take part: nobody may take them for lost.
    """

    path: str
    nodes: "Nodes"
    gaps: Sequence[Gap] = ()
    excluded: int = 0
    left_out: Sequence[str] = ()
