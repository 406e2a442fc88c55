"""From a path as it is seen from here to the path below the backend's root."""

from functools import lru_cache

from runner.model import path as paths
from runner.model.errors import Blocked


def full(remote: str, prefix: str, path: str) -> str:
    """The path below the prefix. Raises Blocked for one that leaves it."""
    if path:
        folder, slash, name = path.rpartition("/")
        if fault := (slash and _fault(folder)) or paths.fault(name):
            raise Blocked(f"{fault} is no part of a path", remote=remote, path=path)
    return paths.join(prefix, path)


@lru_cache(maxsize=1024)
def _fault(folder: str) -> str:
    """What is wrong with the first name in it that can be no part of a path; many files share a folder."""
    return next(filter(None, map(paths.fault, folder.split("/"))), "")


class Below:
    """Full paths of many files: what they have in common is looked at once for each folder."""

    def __init__(self, remote: str, prefix: str) -> None:
        self._remote, self._prefix = remote, prefix
        self._folder: str | None = None
        self._full = ""

    def full(self, path: str) -> str:
        """See `full`."""
        folder, _, name = path.rpartition("/")
        if folder != self._folder:
            self._folder, self._full = folder, full(self._remote, self._prefix, folder)
        if paths.fault(name):
            full(self._remote, self._prefix, path)
        return f"{self._full}/{name}" if self._full else name
