"""A tree of any size that is made up while it is listed: nothing of it is on a disk or in memory."""

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, cast
from unittest import mock

from runner.backends import registry
from runner.backends.memory import Memory, MemoryConfig, Tree
from runner.model.backend import Backend
from runner.model.checksum import Checksum
from runner.model.errors import NotFound
from runner.model.node import Node

FOLDER = 1000
"""Files of one folder."""

KINDS = ("plain", "drifted", "none", "twins", "text", "unread")
"""plain: every file. drifted: each tenth has other content, one in a hundred another name. none: not even a root.
twins: always two whose names differ in case only. text: files that can be read; unread: the same, without checksums."""


class Endless(Memory):
    """Lists what its store's name says, "endless:NUMBER:KIND:" and anything; any other name is one of Memory's."""

    def __init__(self, config: MemoryConfig, tree: Tree) -> None:
        super().__init__(config, tree)
        word, *rest = config.store.split(":")
        self._number, self._kind = (int(rest[0]), rest[1]) if word == "endless" else (0, "")

    async def list(self, folder: str) -> AsyncIterator[Sequence[Node]]:
        """One page a folder."""
        if not self._kind:
            async for page in super().list(folder):
                yield page
        elif self._kind == "none":
            raise NotFound("no such folder")
        elif not folder:
            yield [
                Node(f"d{one:05}", "folder", id=f"i{one}", generation=f"i{one}")
                for one in range(-(-self._number // FOLDER))
            ]
        else:
            first = int(folder[1:]) * FOLDER
            yield [self._file(one) for one in range(first, min(first + FOLDER, self._number))]

    async def stat(self, path: str) -> Node:
        """Folders stand; a file is asked for by nobody who only plans."""
        if not self._kind:
            return await super().stat(path)
        if self._kind == "none" or path.count("/"):
            raise NotFound("no such node")
        return Node(path, "folder", id=path or "root")

    async def identity(self, folder: str) -> Any:
        """The store's name."""
        from runner.model.backend import Identity

        if not self._kind:
            return await super().identity(folder)
        await self.stat(folder)
        return Identity(f"{self._store}/{folder}")

    async def read(self, path: str, *, expect: str | None = None) -> AsyncIterator[bytes]:
        """The number in the file's name."""
        yield _text(int(path[-12:-5]))

    def _file(self, number: int) -> Node:
        drifted = self._kind == "drifted"
        name, content = f"photo-{number:07}.jpeg", number
        if drifted and number % 10 == 0:
            content = -number - 1
        elif drifted and number % 100 == 5:
            name = f"renamed-{number:07}.jpeg"
        elif self._kind == "twins":
            name = f"{'Photo' if number % 2 else 'photo'}-{number // 2:07}.jpeg"
        elif self._kind in ("text", "unread"):
            known = Checksum.of("md5", _text(number)) if self._kind == "text" else None
            return Node(name, "file", len(_text(number)), 10**18, known, f"n{number}", f"n{number}")
        checksum = Checksum("md5", f"{content % (1 << 128):032x}")
        size = 1000 + number * 7919 % 4_000_037
        return Node(name, "file", size, 10**18 + content, checksum, f"n{number}", f"n{number}:{content}")


def _text(number: int) -> bytes:
    return b"photo %d" % number


def served() -> AbstractContextManager[object]:
    """While it lasts, every remote of type `memory` is an Endless."""
    real = registry.backend

    def backend(kind: str) -> type[Backend]:
        return cast(type[Backend], Endless) if kind == "memory" else real(kind)

    return mock.patch.object(registry, "backend", backend)


def peak_bytes() -> int:
    """The most memory that this process had resident; of this program alone, not of who started it."""
    with open(f"/proc/{os.getpid()}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))
