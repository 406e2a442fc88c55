"""The trash of a store without one: copies under dated keys, made by the service before anything is removed.

`.acdrun-trash/<run>/<serial>/<path>` below the remote's root. A serial that ends in `.N` is that of a folder,
whose path is the first N names that follow; one that ends in `.long` is that of a path too long to stand in a key:
its digest stands there, and the path is in the object's metadata.
"""

import hashlib
import re
import secrets
from collections.abc import AsyncGenerator
from typing import NamedTuple

from runner.backends.s3.copies import Copies
from runner.backends.s3.listing import objects
from runner.backends.s3.nodes import Found, was_at, where
from runner.backends.s3.objects import At, Objects
from runner.backends.s3.wire import Ask
from runner.model import path as paths
from runner.model.backend import Trashed
from runner.model.errors import AcdrunError, NotFound
from runner.model.node import Node
from runner.remote.close import closing

TRASH = ".acdrun-trash"
MOST_BYTES = 1024
"""Of UTF-8 in a key."""

_SERIAL = re.compile(r"([0-9a-f]{12})(?:\.(\d{1,4}|long))?", re.ASCII)


class Kept(NamedTuple):
    """Where something of the trash is.

    ref: what `trash` returned: a key, or what the keys of a folder begin with, counted from the folder of the trash.
    path: where it was, None where only the object itself can tell; folder: all that was below one.
    """

    ref: str
    path: str | None
    folder: bool


class Trash:
    """What one run takes away. run: its label."""

    def __init__(self, objects: Objects, copies: Copies, run: str) -> None:
        self._objects = objects
        self._copies = copies
        self._run = run.replace("/", "-") or "run"

    async def keep(self, at: At, above: str, found: Found) -> str:
        """Copy an object into the trash, before it is replaced or removed; return its ref. Raises Failed, NotFound.

        above: what stands in the key before the remote's root ends, "" or with a "/" at its end.
        """
        path = at.key[len(above) :]
        ref = f"{TRASH}/{self._run}/{_serial()}/{path}"
        more: list[tuple[str, str]] = []
        if len((above + ref).encode()) > MOST_BYTES:
            digest = hashlib.sha256(path.encode()).hexdigest()
            ref = f"{TRASH}/{self._run}/{_serial()}.long/{digest}"
            more = was_at(path)
        await self._copies.copy(at, At(at.bucket, above + ref), found, more=more)
        return ref

    async def keep_all(self, bucket: str, above: str, folder: str, found: list[Found]) -> str:
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
                await self._copies.copy(At(bucket, one.key), At(bucket, goal), one)
        return alone if alone and len(found) == 1 else f"{top}/{folder}"

    async def forget(self, bucket: str, above: str, ref: str) -> None:
        """Take a copy out of the trash again, for what it was made for did not happen."""
        try:
            for at in await self._keys(bucket, above, self._parsed(ref)):
                await self._objects.remove(at, expect=None)
        except AcdrunError:
            return  # of no matter beside the error that led here

    async def put_back(self, at: At, above: str, ref: str) -> None:
        """Copy one object of the trash over what has taken its place, and take it out of the trash."""
        kept = At(at.bucket, above + ref)
        await self._copies.copy(kept, at, await self._objects.head(kept), plain=True)
        await self._objects.remove(kept, expect=None)

    async def found(self, bucket: str, above: str) -> AsyncGenerator[list[Trashed], None]:
        """Yield what is in the trash, paths counted from the remote's root; a folder that was trashed whole is one."""
        last = ""
        async with closing(objects(self._objects.wire, bucket, f"{above}{TRASH}/")) as pages:
            async for page in pages:
                entries = []
                for one in page.objects:
                    try:
                        kept = self._parsed(one.key[len(above) :])
                    except NotFound:
                        continue
                    if kept.folder and kept.ref == last:
                        continue
                    last = kept.ref
                    entries.append(await self._entry(bucket, above, kept, one))
                yield entries

    async def kept(self, bucket: str, above: str, ref: str) -> Trashed:
        """One entry. Raises NotFound."""
        kept = self._parsed(ref)
        if kept.ref != ref:
            raise NotFound(f"{paths.show(ref)!r} is not in the trash")
        if not kept.folder:
            return await self._entry(bucket, above, kept, await self._objects.head(At(bucket, above + ref)))
        for at in await self._keys(bucket, above, kept):
            return await self._entry(bucket, above, kept, await self._objects.head(at))
        raise NotFound(f"{paths.show(ref)!r} is not in the trash")

    async def restore(self, bucket: str, above: str, ref: str, goal: str) -> None:
        """Copy what an entry holds to the path, at which nothing is, and then take it out of the trash."""
        kept = self._parsed(ref)
        for at in await self._keys(bucket, above, kept):
            found = await self._objects.head(at)
            below = at.key[len(above + kept.ref) :] if kept.folder else ""
            await self._copies.copy(at, At(bucket, above + goal + below), found, plain=kept.path is None)
            await self._objects.remove(at, expect=None)

    async def _keys(self, bucket: str, above: str, kept: Kept) -> list[At]:
        if not kept.folder:
            return [At(bucket, above + kept.ref)]
        pages = objects(self._objects.wire, bucket, f"{above}{kept.ref}/")
        return [At(bucket, one.key) async for page in pages for one in page.objects]

    async def _entry(self, bucket: str, above: str, kept: Kept, found: Found) -> Trashed:
        if kept.folder:
            path = kept.path or ""
            return Trashed(kept.ref, path, Node(paths.name(path), "folder"), found.changed_ns)
        was = kept.path
        if was is None:
            headers = (await self._objects.wire.call(Ask("HEAD", bucket, above + kept.ref))).headers
            was = where(headers)
        node = found.node()._replace(mtime_ns=None)  # as the listing shows it
        return Trashed(kept.ref, was, node._replace(name=paths.name(was or kept.ref)), found.changed_ns)

    @staticmethod
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
