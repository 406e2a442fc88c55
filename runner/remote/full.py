"""From a path as it is seen from here to the path below the backend's root."""

from collections.abc import Sequence
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


def full_of(remote: str, prefix: str, some: Sequence[str]) -> Sequence[str]:
    """See `full`, of many paths that are not "": what is wrong with none of them is seen at one look at all."""
    if paths.faulty("/".join(some).split("/")):
        return [full(remote, prefix, path) for path in some]
    return [f"{prefix}/{path}" for path in some] if prefix else some
