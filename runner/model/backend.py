"""The least a storage service must do. `remote.Remote` builds the rest on top."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, Self

from runner.model.checksum import Checksum
from runner.model.content import Content
from runner.model.node import Node

Durability = Literal["file", "batch"]
"""What a disk confirms in one go before names are given and rows are done: each file, or a batch of them."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a service can do, as data. The contract holds it to both: a claimed power works, an unclaimed
    one raises Unsupported.

    checksums: algorithms whose digests its listings carry, best first; () when they carry none.
    mtime_ns: the finest step of the modification times it keeps for us, in ns; None when it keeps none.
    folds: names that `path.fold` makes equal cannot stand beside each other.
    strong: its preconditions are checked by the service in the same step as the write; otherwise they are
        looked up just before it, and results are marked as weakly guarded.
    moves, trashes: it has a server-side move, a recoverable removal.
    concurrency: requests under way at once that suit it.
    near: its content is read without a transfer, as that of a disk of this machine is.
    copies: the name of what it copies files from by itself, their bytes not passing through us: a backend that
        claims the same, by `Peer.copy_from`. "" for none.
    throttles: it obeys the `limits` of its remote itself, request by request; else `Remote` does it for it.
    changes: it has a change feed: `Feed`.
    max_size: bytes in one file; max_name: UTF-16 code units in one name; max_path: UTF-8 bytes of a whole path,
        counted from where the remote is looked at; None for no limit.
    folders: it keeps folders of their own. Where it does not, a folder is there as long as something is below it:
        `put` and `restore` need none, `mkdir` makes none, and an empty one cannot be kept.
    flat: it lists everything below a folder at once, as `Flat` says; a walk takes that instead of folder by folder.
    lists_times: its listings carry the times it keeps; otherwise `Timed` asks for them one by one.
    """

    checksums: tuple[str, ...] = ()
    mtime_ns: int | None = None
    folds: bool = False
    strong: bool = False
    moves: bool = True
    trashes: bool = True
    concurrency: int = 4
    near: bool = False
    copies: str = ""
    throttles: bool = False
    changes: bool = False
    max_size: int | None = None
    max_name: int | None = None
    max_path: int | None = None
    folders: bool = True
    flat: bool = False
    lists_times: bool = True


@dataclass(frozen=True, slots=True)
class Setting:
    """What a backend may use of the world around it.

    remote: the remote's name, for messages and for its own files; base: the manifest's folder, for
    relative paths; state: the state directory; run: the run's label, for trash folders and temporary names.
    """

    remote: str
    base: Path
    state: Path
    run: str


class Quota(NamedTuple):
    """Bytes; None where the service does not say.

    shared: what has this room, the same for all remotes that share it, such as one disk; "" for the remote alone.
    """

    total: int | None
    used: int | None
    free: int | None
    shared: str = ""


class Identity(NamedTuple):
    """Which folder this is, whatever name leads to it.

    id: differs between any two folders, accounts, disks; the same after a restart, a re-mount, a new log-in.
    path: where it is on this machine, links resolved; mount: the folder at which its file system is mounted.
        Both "" for a service.
    """

    id: str
    path: str = ""
    mount: str = ""


class Trashed(NamedTuple):
    """A node that was removed or replaced, and can be brought back.

    ref: what `trash` returned; path: where it was, below the remote's root, None where nobody can say any
    more; when_ns: when it was trashed, since 1970, None where the service does not tell.
    """

    ref: str
    path: str | None
    node: Node
    when_ns: int | None = None


class Copy(NamedTuple):
    """A file to be copied to where nothing is yet.

    origin, generation, size, mtime_ns: the file as its source has listed it. path: where it goes. known: the
    checksum of its content, when there is one.
    """

    origin: str
    generation: str
    size: int
    mtime_ns: int | None
    path: str
    known: Checksum | None = None


class Copied(NamedTuple):
    """A file that was copied: the node that stands there, and the checksum of the bytes that were read.

    checksum: None where nobody has read the bytes, and nobody knows. proof: what shows that they are the source's,
    where it is not the checksum. note: what a person is to know of it besides.
    """

    node: Node
    checksum: Checksum | None
    proof: str = ""
    note: str = ""


class Copying(NamedTuple):
    """How files are to be copied.

    algorithm: of their checksums. proven: what is stored is compared with what was read before it is published.
    durability: what is confirmed in one go. moved: told the number of bytes that went over, now and then. wanted:
    asked when their turn comes, for they may have waited; False: none of them is copied.
    """

    algorithm: str = "md5"
    proven: bool = True
    durability: Durability = "batch"
    moved: Callable[[int], None] | None = None
    wanted: Callable[[], bool] | None = None


class Change(NamedTuple):
    """A node of which the feed speaks, in its present state.

    parents: ids of the folders it stands in; () for one that stands nowhere any more, or not yet.
    node: as a listing of each of these folders shows it; None where it stands nowhere.
    """

    id: str
    parents: tuple[str, ...]
    node: Node | None


class ChangePage(NamedTuple):
    """A piece of a change feed. Whoever has kept it goes on from `cursor`.

    top: id of the folder that all paths of the place begin at, above the remote's root where it has one.
    reset: whatever was known before is to be forgotten: this page and those after it tell everything there is.
    """

    top: str
    cursor: str
    reset: bool
    changes: Sequence[Change]


class Backend(Protocol):
    """The driver for one kind of storage.

    Paths are relative to the remote's root, "/"-separated, "" for the root itself. `expect` is a
    precondition on the generation a caller has seen: when the node is no longer that generation, Stale is
    raised and nothing is changed. A verb that cannot find its path raises NotFound, and only a definite
    answer of the service does that; one that the service refuses for now raises an error whose `retry` is true.
    Only one process at a time writes to a scope, but others may write beside us at any time.
    """

    can: Capabilities

    @property
    def clock_offset_s(self) -> float | None:
        """Seconds that the service's clock is ahead of this machine's; None until it tells, or if it never does."""

    @classmethod
    async def open(cls, config: Any, setting: Setting) -> Self:
        """Make ready to answer; contact nothing that a listing would not contact. `config` is the kind's own model."""

    async def close(self) -> None:
        """Let go of connections and processes. Safe to call twice."""

    def list(self, folder: str) -> AsyncIterator[Sequence[Node]]:
        """Yield the children of `folder` in pages, in any order, each once.

        Leaves out what is not the user's: trash, temporary files, nodes that are not complete. An
        iterator that ends without an error has yielded every child. Raises NotFound, Denied.
        """

    async def stat(self, path: str) -> Node:
        """The node as it is now, strictly consistent with finished writes. Raises NotFound."""

    def read(self, path: str, *, expect: str | None = None) -> AsyncIterator[bytes]:
        """Yield the content. Raises NotFound, Truncated; Changed when it is not, before or after, the
        generation `expect`, or when it is no file any more."""

    async def put(self, path: str, content: Content, *, expect: str | None) -> Node:
        """Store the content at `path`, whose folder must exist, and return the node as stored.

        expect: None when nothing may be there (Exists if something is); otherwise the generation that
            is replaced, which stays recoverable (trash, or a kept version): the node that is returned says in
            `replaced` what `restore` takes to bring it back.
        The path shows the old content or the new, never a part of it, whatever happens on the way. Before
        publishing, the digest the service reports (where it does) is compared with `content.checksum`:
        Damaged if they differ, and the old content stays. `content.mtime_ns` is kept where `can.mtime_ns` is not None.
        Raises Exists, Stale, NotFound (no such folder), NoSpace, Blocked (a name it cannot hold), and
        whatever `content.chunks()` raises. Unclear when the content may have been stored and only the answer was lost.
        """

    async def mkdir(self, path: str) -> Node:
        """Make the folder, whose parent must exist; one that is there already is returned.

        Raises Exists when a file is there.
        """

    async def move(self, path: str, to: str, *, expect: str | None = None) -> Node:
        """Rename on the server; nothing may be at `to` (Exists), but for the node itself in another case."""

    async def trash(self, path: str, *, expect: str | None = None) -> str:
        """Remove recoverably; return what it takes to bring it back (an id, or a path in the trash).

        A folder goes with all it holds, and only if `expect` is None or the folder is empty.
        """

    def trashed(self, folder: str = "") -> AsyncIterator[Sequence[Trashed]]:
        """Yield in pages, in any order, what was trashed or replaced in the folder and below it.

        A folder that was trashed with all it held is one entry. The folder itself need not exist any more.
        """

    async def kept(self, ref: str) -> Trashed:
        """What `restore` would bring back. Raises NotFound when it is not in the trash (any more)."""

    async def restore(self, ref: str, to: str | None = None) -> str:
        """Bring back what `trash` removed or `put` replaced, to where it was or to the path `to`; return its path now.

        Nothing is ever replaced: Exists when something is there. NotFound when it is not in the trash, or when
        its folder is gone or in the trash too; the message then names that folder.
        """

    async def quota(self) -> Quota:
        """How much room there is. Raises Unsupported."""

    async def identity(self, folder: str) -> Identity:
        """Which folder this is; what happens below it changes nothing in that. Raises NotFound."""
