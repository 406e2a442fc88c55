"""Folders below a root that many files are read from or written to."""

from collections.abc import Callable

from runner.backends.local.safe import let_go, open_folder

MOST = 32
"""Held open at a time. Batches come in path order, so few are opened twice."""


class Folders:
    """Open folders by path. enter: called with each before it is opened."""

    def __init__(self, root: str, enter: Callable[[str], None] | None = None) -> None:
        self._root = root
        self._enter = enter
        self._open: dict[str, int] = {}

    def fd(self, path: str) -> int:
        """Of this folder; it is ours, and good until so many others were asked for. Raises what `open_folder` does."""
        fd = self._open.pop(path, None)
        if fd is None:
            if self._enter is not None:
                self._enter(path)
            fd = open_folder(self._root, path)
            if len(self._open) >= MOST:
                let_go(self._open.pop(next(iter(self._open))))
        self._open[path] = fd  # at the end again: the first is the one that was not asked for longest
        return fd

    def close(self) -> None:
        """Let go of them all."""
        while self._open:
            let_go(self._open.popitem()[1])
