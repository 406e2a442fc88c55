"""A local remote on a folder whose inside the tests can see, and system calls that fail on request."""

import asyncio
import ctypes
import os
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import pytest

from runner.backends.local import (
    backend,
    carrying,
    copying,
    draft,
    flush,
    landing,
    listing,
    reading,
    rename,
    safe,
    spans,
    trash,
)
from runner.backends.local.backend import Local
from runner.backends.local.config import LocalConfig
from runner.model.backend import Setting
from runner.remote.remote import Remote

T = TypeVar("T")

CALLS = ("open", "write", "fsync", "fstat", "stat", "fchmod", "utime", "rename", "link", "mkdir", "close")
MODULES: tuple[ModuleType, ...] = (
    backend,
    carrying,
    copying,
    draft,
    flush,
    landing,
    listing,
    reading,
    rename,
    safe,
    spans,
    trash,
)


def on(root: Path, act: Callable[[Remote], Coroutine[Any, Any, T]], run: str = "run") -> T:
    """Open the folder as a remote, do something with it, close it."""

    async def main() -> T:
        setting = Setting(remote="disk", base=root.parent, state=root.parent / "state", run=run)
        remote = Remote("disk", await Local.open(LocalConfig(type="local", path=root.name), setting))
        try:
            return await act(remote)
        finally:
            await remote.close()

    return asyncio.run(main())


class FailingCalls:
    """Stands in for `os`: the n-th of the calls that count fails; 0 fails none. made: which were made."""

    def __init__(self, fails: int, code: int, counted: tuple[str, ...] = CALLS) -> None:
        self._left = fails
        self._code = code
        self._counted = counted
        self.failed = ""
        self.made: list[str] = []

    def __getattr__(self, name: str) -> object:
        real = getattr(os, name)
        if name not in self._counted:
            return real

        def call(*args: object, **named: object) -> object:
            if not self.due(name):
                return real(*args, **named)
            if name == "close":
                real(*args)
            raise OSError(self._code, os.strerror(self._code))

        return call

    def due(self, name: str) -> bool:
        """Is it this call's turn to fail?"""
        self._left -= 1
        self.made.append(name)
        if self._left == 0:
            self.failed = name
        return self._left == 0

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Take the place of `os` in the local backend, and of its two direct system calls."""
        real = rename._CALL

        def renameat2(*args: Any) -> int:
            if "rename" in self._counted and self.due("renameat2"):
                ctypes.set_errno(self._code)
                return -1
            assert real is not None
            return real(*args)

        whole = flush._CALL

        def syncfs(fd: int) -> int:
            if "fsync" in self._counted and self.due("syncfs"):
                ctypes.set_errno(self._code)
                return -1
            assert whole is not None
            return whole(fd)

        if whole is not None:
            monkeypatch.setattr(flush, "_CALL", syncfs)
        for module in MODULES:
            monkeypatch.setattr(module, "os", self)
        if real is not None:
            monkeypatch.setattr(rename, "_CALL", renameat2)


def files(root: Path) -> dict[str, bytes]:
    """Everything below a folder, the trash and temporary files too."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


def open_files() -> set[tuple[str, str]]:
    """Each descriptor that this process holds, and of what.

    Fewer than before say nothing: what an earlier test left behind may be collected at any moment.
    """
    held = set()
    for fd in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # of this listing itself, or closed by a thread since
            held.add((fd, os.readlink(f"/proc/self/fd/{fd}")))
    return held
