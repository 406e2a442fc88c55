"""The trash of a store of keys that has none: copies under dated keys, made by the service before anything is removed.

`.acdrun-trash/<run>/<serial>/<path>` below the remote's root. A serial that ends in `.N` is that of a folder,
whose path is the first N names that follow; one that ends in `.long` is that of a path too long to stand in a key:
its digest stands there, and the path is in the object's metadata.
"""

import hashlib
import re
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

from runner.model import path as paths
from runner.model.backend import Trashed
from runner.model.errors import AcdrunError, NotFound
from runner.model.node import Node
from runner.remote.close import closing

TRASH = ".acdrun-trash"
MOST_BYTES = 1024
"""Of UTF-8 in a key."""

_SERIAL = re.compile(r"([0-9a-f]{12})(?:\.(\d{1,4}|long))?", re.ASCII)


class At(NamedTuple):
    """Where an object is."""

    bucket: str
    key: str


class Object(Protocol):
    """An object as its service describes it. changed_ns: see `Node`."""

    @property
    def key(self) -> str:
        """Its key."""

    @property
    def changed_ns(self) -> int | None:
        """See `Node`."""

    def node(self) -> Node:
        """The same in the house's words."""


F = TypeVar("F", bound=Object)


class Shelf(Protocol[F]):
    """What a store does with objects, for copies of them to be a trash."""

    def below(self, bucket: str, prefix: str) -> AsyncIterator[Sequence[F]]:
        """Yield what begins with the prefix, in pages and in order."""

    async def head(self, at: At) -> F:
        """The object as it is now. Raises NotFound."""

    async def copy(self, at: At, to: At, found: F, *, was: str = "", plain: bool = False) -> object:
        """Copy the state `found` with its metadata. Raises Stale, NotFound.

        was: a path that the copy remembers besides; plain: the copy does not remember what `at` does.
        """

    async def remove(self, at: At) -> None:
        """Remove the object for good."""

    async def was(self, at: At) -> str | None:
        """The path that an object remembers; None where it cannot be read."""


class Kept(NamedTuple):
    """Where something of the trash is.

    ref: what `trash` returned: a key, or what the keys of a folder begin with, counted from the folder of the trash.
    path: where it was, None where only the object itself can tell; folder: all that was below one.
    """

    ref: str
    path: str | None
    folder: bool


class Dated(Generic[F]):
    """What one run takes away. run: its label."""

    def __init__(self, shelf: Shelf[F], run: str) -> None:
        self._shelf = shelf
        self._run = run.replace("/", "-") or "run"

    async def keep(self, at: At, above: str, found: F) -> str:
        """Copy an object into the trash, before it is replaced or removed; return its ref. Raises Stale, NotFound.

        above: what stands in the key before the remote's root ends, "" or with a "/" at its end.
        """
        path = at.key[len(above) :]
        ref, was = f"{TRASH}/{self._run}/{_serial()}/{path}", ""
        if len((above + ref).encode()) > MOST_BYTES:
            digest = hashlib.sha256(path.encode()).hexdigest()
            ref, was = f"{TRASH}/{self._run}/{_serial()}.long/{digest}", path
        await self._shelf.copy(at, At(at.bucket, above + ref), found, was=was)
        return ref

    async def keep_all(self, bucket: str, above: str, folder: str, found: list[F]) -> str:
        """Copy all that is below a folder into the trash, as one entry of it; return its ref.

        What has a path too long to stand in a key there is an entry of its own.
        """
        top = f"{TRASH}/{self._run}/{_serial()}.{len(paths.order(folder))}"
        alone = ""
        for one in found:
            goal = f"{above}{top}/{one.key[len(above) :]}"
            if len(goal.encode()) > MOST_BYTES:
                alone = await self.keep(At(bucket, one.key), above, one)
            else:
                await self._shelf.copy(At(bucket, one.key), At(bucket, goal), one)
        return alone if alone and len(found) == 1 else f"{top}/{folder}"

    async def forget(self, bucket: str, above: str, ref: str) -> None:
        """Take a copy out of the trash again, for what it was made for did not happen."""
        try:
            for at in await self._keys(bucket, above, _parsed(ref)):
                await self._shelf.remove(at)
        except AcdrunError:
            return  # of no matter beside the error that led here

    async def put_back(self, at: At, above: str, ref: str) -> None:
        """Copy one object of the trash over what has taken its place, and take it out of the trash."""
        kept = At(at.bucket, above + ref)
        await self._shelf.copy(kept, at, await self._shelf.head(kept), plain=True)
        await self._shelf.remove(kept)

    async def found(self, bucket: str, above: str) -> AsyncGenerator[list[Trashed], None]:
        """Yield what is in the trash, paths counted from the remote's root; a folder that was trashed whole is one."""
        last = ""
        async with closing(self._shelf.below(bucket, f"{above}{TRASH}/")) as pages:
            async for page in pages:
                entries = []
                for one in page:
                    try:
                        kept = _parsed(one.key[len(above) :])
                    except NotFound:
                        continue
                    if kept.folder and kept.ref == last:
                        continue
                    last = kept.ref
                    entries.append(await self._entry(bucket, above, kept, one))
                yield entries

    async def kept(self, bucket: str, above: str, ref: str) -> Trashed:
        """One entry. Raises NotFound."""
        kept = _parsed(ref)
        if kept.ref != ref:
            raise NotFound(f"{paths.show(ref)!r} is not in the trash")
        if not kept.folder:
            return await self._entry(bucket, above, kept, await self._shelf.head(At(bucket, above + ref)))
        for at in await self._keys(bucket, above, kept):
            return await self._entry(bucket, above, kept, await self._shelf.head(at))
        raise NotFound(f"{paths.show(ref)!r} is not in the trash")

    async def restore(self, bucket: str, above: str, ref: str, goal: str) -> None:
        """Copy what an entry holds to the path, at which nothing is, and then take it out of the trash."""
        kept = _parsed(ref)
        for at in await self._keys(bucket, above, kept):
            found = await self._shelf.head(at)
            below = at.key[len(above + kept.ref) :] if kept.folder else ""
            await self._shelf.copy(at, At(bucket, above + goal + below), found, plain=kept.path is None)
            await self._shelf.remove(at)

    async def _keys(self, bucket: str, above: str, kept: Kept) -> list[At]:
        if not kept.folder:
            return [At(bucket, above + kept.ref)]
        pages = self._shelf.below(bucket, f"{above}{kept.ref}/")
        return [At(bucket, one.key) async for page in pages for one in page]

    async def _entry(self, bucket: str, above: str, kept: Kept, found: F) -> Trashed:
        if kept.folder:
            path = kept.path or ""
            return Trashed(kept.ref, path, Node(paths.name(path), "folder"), found.changed_ns)
        was = kept.path
        if was is None:
            was = await self._shelf.was(At(bucket, above + kept.ref))
        node = found.node()._replace(mtime_ns=None)  # as a listing without times shows it
        return Trashed(kept.ref, was, node._replace(name=paths.name(was or kept.ref)), found.changed_ns)


def below(key: str) -> str:
    """What every key below this one begins with."""
    return f"{key}/" if key else ""


def hidden(key: str) -> bool:
    """Is it in a trash?"""
    return TRASH in key and TRASH in key.split("/")[:-1]


def _parsed(ref: str) -> Kept:
    parts = ref.split("/")
    serial = _SERIAL.fullmatch(parts[2]) if len(parts) > 3 and parts[0] == TRASH else None
    if serial is None or any(map(paths.fault, parts)):
        raise NotFound(f"{paths.show(ref)!r} is no path in the trash")
    if serial[2] == "long":
        return Kept(ref, None, folder=False)
    if serial[2] is None:
        return Kept(ref, "/".join(parts[3:]), folder=False)
    folder = "/".join(parts[3 : 3 + int(serial[2])])
    return Kept("/".join(parts[:3]) + "/" + folder, folder, folder=True)


def _serial() -> str:
    return secrets.token_hex(6)
