"""A folder of this machine as a remote."""

import asyncio
import os
import stat
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import closing, nullcontext, suppress
from pathlib import Path

from runner.backends.local import beside, safe, untrash
from runner.backends.local.arriving import SMALL, Arriving
from runner.backends.local.config import LocalConfig
from runner.backends.local.copying import Copier
from runner.backends.local.draft import Disk, Draft, sweep
from runner.backends.local.faults import READING, WRITING
from runner.backends.local.filling import fill
from runner.backends.local.folders import Folders
from runner.backends.local.gathering import Gathering
from runner.backends.local.hands import Hand, Hands
from runner.backends.local.identity import identify
from runner.backends.local.landing import Arrival
from runner.backends.local.listing import Columns, look
from runner.backends.local.loading import Loading
from runner.backends.local.reading import Reading
from runner.backends.local.rename import rename_new
from runner.backends.local.spans import Span, digest_parts
from runner.backends.local.threads import Threads
from runner.backends.local.trash import Trash
from runner.backends.local.worker import some
from runner.model import path as paths
from runner.model.backend import (
    Backend,
    Capabilities,
    Copied,
    Copy,
    Copying,
    Identity,
    Quota,
    Setting,
    Trashed,
)
from runner.model.content import CHUNK, Content, Digests, Loaded
from runner.model.errors import AcdrunError, Blocked, Exists, NotFound, Stale, Unsupported
from runner.model.node import Node
from runner.model.powers import Some

_DAY_NS = 86_400_000_000_000

list_ = list  # the class has a verb of that name


class Local:
    """A disk. Creates are strong; what is replaced or removed is compared just before, and after.

    Small files cost one call in a thread, however many system calls that is.
    """

    can = Capabilities(
        checksums=(), mtime_ns=1, folds=False, strong=True, concurrency=4, near=True, copies="local"
    )
    clock_offset_s: float | None = None

    def __init__(self, root: Path, run: str, threads: int = can.concurrency) -> None:
        self._root = os.fspath(root)
        self._trash = Trash(self._root, run)
        self._hands = Hands()
        self._threads = Threads(threads)
        self._reads = Gathering(self._threads, lambda: closing(Folders(self._root)))
        self._digesting = Threads(max(1, (os.cpu_count() or 1) // 2))  # each keeps two cores busy
        self._loading = Loading(self._root, self._threads, self._hands)
        self._leftovers: dict[str, Sequence[str]] = {}
        mask = os.umask(0o077)  # it cannot be read without being set
        os.umask(mask)
        self._turn = asyncio.Lock()
        self._disk = Disk(self._root, self._trash, mask)
        self._arriving = Arriving(self._disk, self._threads, threads, self._hands, self._sweep)

    @classmethod
    async def open(cls, config: LocalConfig, setting: Setting) -> "Local":
        """Take the folder the configuration names; it need not exist yet."""
        root = setting.base / Path(config.path).expanduser() / config.root.strip("/")
        most = config.limits.concurrency
        return cls(root, setting.run, cls.can.concurrency if most == "auto" else most)

    async def close(self) -> None:
        """Let the threads end."""
        self._threads.close()
        self._digesting.close()
        self._hands.leave()

    async def list(self, folder: str) -> AsyncIterator[Sequence[Node]]:
        """Yield the children in one page; names that are no UTF-8 come with lone surrogates in them.

        An entry that cannot be looked at makes the whole folder Denied: it might be anything.
        """
        yield await self._threads.run(self._list, folder)

    async def list_some(self, folders: Sequence[str]) -> Sequence[Sequence[Node] | AcdrunError]:
        """List folders in one call in a thread, until it has been worth it; in a long listing in another process."""
        return await self._threads.run(self._list_some, folders, self._hands.one())

    async def stat(self, path: str) -> Node:
        """The node as it is now; a link is itself, not what it points at."""
        return await self._threads.run(self._stat, path)

    async def read(self, path: str, *, expect: str | None = None) -> AsyncIterator[bytes]:
        """Yield the content, one call in a thread for each CHUNK; of small files that are read at once, for several."""
        reading = Reading(path, expect)
        try:
            if chunk := await self._reads.run(reading.start):
                yield chunk
            while not reading.over:
                if chunk := await self._threads.run(reading.more):
                    yield chunk
        finally:
            reading.close()

    def read_some(self, files: Sequence[Copy], how: Copying) -> AsyncGenerator[Some, None]:
        """See `ReadsSome.read_some`."""
        return self._loading.some(files, how.algorithm)

    async def digests(self, path: str, algorithm: str, size: int, *, expect: str | None) -> Digests:
        """See `Spanned.digests`. Of many files one or two are digested at a time; the others wait."""
        halt = threading.Event()
        return await self._digesting.run(
            digest_parts, self._root, path, expect, algorithm, size, halt.is_set, halt=halt.set
        )

    async def span(
        self, path: str, start: int, size: int, *, expect: str | None
    ) -> AsyncGenerator[bytes, None]:
        """See `Spanned.span`: one call in a thread for each CHUNK."""
        span = Span(self._root, path, expect, start, size)
        try:
            yield await self._threads.run(span.start)
            while not span.over:
                if chunk := await self._threads.run(span.more):
                    yield chunk
        finally:
            span.close()

    async def put(self, path: str, content: Content, *, expect: str | None) -> Node:
        """Store the content under a temporary name, then give it its own; small new ones that come at once together."""
        data = await content.whole() if content.size <= CHUNK else None
        if data is not None and expect is None and len(data) <= SMALL and not content.alone:
            arrival = Arrival(path, data, content.mtime_ns, proven=content.proven)
            if (stored := await self._arriving.put(arrival)) is not None:
                return stored._replace(checksum=content.checksum) if content.proven else stored
        draft = Draft(self._disk, path, content.mtime_ns, expect)
        if self._leftovers:
            await self._threads.run(self._sweep, paths.parent(path))
        if data is not None:
            return await self._threads.run(draft.whole, data, content.checksum if content.proven else None)
        try:
            await self._threads.run(draft.start)
            await fill(draft, content, self._threads)
            draft.mtime_ns = content.mtime_ns
            return await self._threads.run(draft.publish, content.checksum if content.proven else None)
        finally:
            draft.discard()

    async def put_some(
        self, files: Sequence[Copy], loaded: AsyncIterator[Some], how: Copying
    ) -> Sequence[Copied | None]:
        """See `PutsSome.put_some`."""
        done: list_[Copied | None] = [None] * len(files)
        if how.durability == "file":
            return done
        async for came in loaded:
            arrivals = [_arrival(files[number], one, proven=how.proven) for number, one in came]
            await self._arriving.put_all(arrivals)
            for (number, one), arrival in zip(came, arrivals, strict=True):
                if arrival.node is not None:
                    done[number] = Copied(arrival.node._replace(checksum=one.checksum), one.checksum)
        return done

    async def copy_from(
        self, source: Backend, batch: Sequence[Copy], how: Copying
    ) -> Sequence[Copied | None]:
        """Copy in one thread. Batches of small files go to processes beside this one; while there are none they go one
        at a time, for in this process they would take longer beside each other.
        """
        if not isinstance(source, Local):
            raise Unsupported("only what is on a local disk is copied without being sent")
        tell, wanted = how.moved or (lambda count: None), how.wanted or (lambda: True)
        light = sum(copy.size for copy in batch) < len(batch) * CHUNK
        done: Sequence[Copied | None] | None = None
        with self._hands.one() if beside.worth(batch) else Hand(None) as hand:
            if hand.possible and await self._threads.run(hand.take) and wanted():
                done = await self._threads.run(
                    beside.copy, hand, source._root, self._disk, self._sweep, how, batch
                )
        if done is None:
            async with self._turn if light else nullcontext():
                if not wanted():
                    return [None] * len(batch)
                done = await self._copy(source._root, how, batch)
        self._hands.note(handled=len(batch))
        tell(sum(one.node.size for one in done if one is not None and one.node.size <= CHUNK))
        return done

    async def _copy(self, source: str, how: Copying, batch: Sequence[Copy]) -> Sequence[Copied | None]:
        loop, halt = asyncio.get_running_loop(), threading.Event()

        def moved(count: int) -> None:
            if how.moved is not None:
                loop.call_soon_threadsafe(how.moved, count)

        copier = Copier(source, self._root, how, enter=self._sweep, moved=moved, halted=halt.is_set)
        return await self._threads.run(copier.run, batch, halt=halt.set)

    async def mkdir(self, path: str) -> Node:
        """Make the folder; for the root, every missing folder above it too."""
        return await self._threads.run(self._mkdir, path)

    async def move(self, path: str, to: str, *, expect: str | None = None) -> Node:
        """Rename without replacing; within one file system only."""
        return await self._threads.run(self._move, path, to, expect)

    async def trash(self, path: str, *, expect: str | None = None) -> str:
        """Rename into the run's trash; return the path there, from which `move` brings it back."""
        return await self._threads.run(self._throw, path, expect)

    async def trashed(self, folder: str = "") -> AsyncIterator[Sequence[Trashed]]:
        """Yield a page for each trash folder; when: the last change of the entry's name."""
        pages = untrash.found(self._root, folder)
        while (page := await self._threads.run(next, pages, None)) is not None:
            yield page

    async def kept(self, ref: str) -> Trashed:
        """Look at its path in the trash."""
        return await self._threads.run(untrash.kept, self._root, ref)

    async def restore(self, ref: str, to: str | None = None) -> str:
        """Rename it out of the trash; ref: its path there."""
        return await self._threads.run(untrash.give_back, self._root, ref, to)

    async def quota(self) -> Quota:
        """What the file system says, of which others use a part."""
        return await self._threads.run(self._quota)

    async def identity(self, folder: str) -> Identity:
        """The file system and the folder's inode."""
        return await self._threads.run(identify, self._root, folder)

    def _list(self, folder: str) -> Sequence[Node]:
        return self._nodes(folder, look(self._root, folder))

    def _nodes(self, folder: str, columns: Columns) -> Sequence[Node]:
        if columns.partial:
            self._leftovers[folder] = columns.partial
        return columns.nodes()

    def _list_some(self, folders: Sequence[str], hand: Hand) -> Sequence[Sequence[Node] | AcdrunError]:
        with hand:
            found = hand.some(self._root, folders)
        answers: list[Sequence[Node] | AcdrunError] = []
        for folder, columns in zip(folders, found or some(self._root, folders), strict=False):
            one = some(self._root, [folder])[0] if columns is None else columns  # a worker does not say why
            answers.append(one if isinstance(one, AcdrunError) else self._nodes(folder, one))
        self._hands.note(sum(len(answer) for answer in answers if not isinstance(answer, AcdrunError)))
        return answers

    def _stat(self, path: str) -> Node:
        with safe.folder(self._root, paths.parent(path)) as fd, READING:
            if not path:
                return safe.node("", os.fstat(fd))
            return safe.node(paths.name(path), safe.look(fd, _named(path)))

    def _sweep(self, folder: str) -> None:
        """Done only where something is put: a place that is only read is never changed."""
        if names := self._leftovers.pop(folder, None):
            with safe.folder(self._root, folder) as fd:
                sweep(fd, names, time.time_ns() - _DAY_NS)

    def _mkdir(self, path: str) -> Node:
        safe.check_new(path)
        if not path:
            with WRITING:
                safe.make_all(self._root)
            return self._stat("")
        with safe.folder(self._root, paths.parent(path)) as fd, WRITING:
            name = paths.name(path)
            with suppress(FileExistsError):
                os.mkdir(name, dir_fd=fd)
            safe.sync(fd)  # one that is there already may be from a try that did not come as far as this
            node = safe.node(name, safe.look(fd, name))
        if node.kind != "folder":
            raise Exists("something that is no folder is there already")
        return node

    def _move(self, path: str, to: str, expect: str | None) -> Node:
        safe.check_new(to)
        name, name_to = _named(path), paths.name(to)
        with (
            safe.folder(self._root, paths.parent(path)) as source,
            safe.folder(self._root, paths.parent(to)) as target,
            WRITING,
        ):
            seen = self._expected(source, name, expect)
            try:
                rename_new(source, name, target, name_to)
            except FileExistsError:
                there = safe.look(target, name_to)
                # the node itself in another case, on a disk that ignores case; a second hard link is not that
                if safe.identity(there) != safe.identity(seen) or name_to in os.listdir(target):
                    raise
                os.rename(name, name_to, src_dir_fd=source, dst_dir_fd=target)
            safe.sync(target)
            if safe.identity(os.fstat(source)) != safe.identity(os.fstat(target)):
                safe.sync(source)
            return safe.node(name_to, safe.look(target, name_to))

    def _throw(self, path: str, expect: str | None) -> str:
        if not path:
            raise Blocked("the root of a remote cannot be trashed")
        safe.check_new(path)
        with safe.folder(self._root, paths.parent(path)) as fd, WRITING:
            name = paths.name(path)
            seen = self._expected(fd, name, expect)
            if expect is not None and stat.S_ISDIR(seen.st_mode):
                with safe.folder(self._root, path) as inner:
                    if os.listdir(inner):
                        raise Stale("the folder is not empty any more")
            where = self._trash.take(fd, path, seen)
            safe.sync(fd)
        return where

    def _expected(self, fd: int, name: str, expect: str | None) -> os.stat_result:
        seen = safe.look(fd, name)
        if expect is not None and safe.node(name, seen).generation != expect:
            raise Stale("not the generation that was planned for")
        return seen

    def _quota(self) -> Quota:
        place = self._root
        while not os.path.isdir(place) and place != os.path.dirname(place):
            place = os.path.dirname(place)  # one that is still to be made has the room that is above it
        with safe.folder(place, "") as fd, READING:
            seen, disk = os.fstatvfs(fd), os.fstat(fd).st_dev
        size, used = seen.f_frsize, seen.f_blocks - seen.f_bfree
        return Quota(seen.f_blocks * size, used * size, seen.f_bavail * size, f"disk {disk}")


def _arrival(file: Copy, loaded: Loaded, *, proven: bool) -> Arrival:
    mtime_ns = loaded.mtime_ns if file.mtime_ns is None else file.mtime_ns
    return Arrival(file.path, loaded.data, mtime_ns, proven=proven)


def _named(path: str) -> str:
    name = paths.name(path)
    if fault := paths.fault(name):
        raise NotFound(f"{fault} is no part of a path")
    return name
