"""Keys that seal plans: the state directory's own, and secrets that machines share."""

import contextlib
import hmac
import os
import secrets as chance
import stat
from pathlib import Path
from typing import Literal, NamedTuple

from runner.model.errors import Denied, StateError, UsageError

_BYTES = 32
_SHORTEST_SHARED = 16
"""Characters. Who has a plan may try keys on it as fast as his machine goes."""


class Key(NamedTuple):
    """A key that seals plans. id: tells keys apart and gives nothing of them away; owner: who has it."""

    id: str
    material: bytes
    owner: Literal["own", "shared"]

    def __repr__(self) -> str:
        return f"Key({self.id}, {self.owner})"


def shared_key(text: str) -> Key:
    """The key that a secret stands for. Raises UsageError when it is so short that it could be guessed."""
    if len(text) < _SHORTEST_SHARED:
        raise UsageError(
            f"the key of `plan: {{key: ...}}` has fewer than {_SHORTEST_SHARED} characters",
            hint="make one with: openssl rand -hex 32",
        )
    return _key(text.encode("utf-8", "surrogatepass"), "shared")


def own_key(state: Path) -> Key:
    """The key of this state directory, made if need be. Raises Denied when others could have read it."""
    path = _path(state)
    if not os.path.lexists(path):
        _make(path)
    found = known_own_key(state)
    if found is None:
        raise StateError(f"the key {str(path)!r} went away just now", hint="run it again")
    return found


def known_own_key(state: Path) -> Key | None:
    """The key of this state directory; None when it never made one.

    Raises Denied when it is a link, no file, another's, or open to others; StateError when it is damaged.
    """
    path = _path(state)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        hint = "it must not be a link"
        raise Denied(f"the key {str(path)!r} cannot be opened: {error.strerror}", hint=hint) from error
    try:
        _check(os.fstat(descriptor), path)
        material = os.read(descriptor, _BYTES + 1)
    finally:
        os.close(descriptor)
    if len(material) != _BYTES:
        raise StateError(
            f"the key {str(path)!r} is damaged: it has {len(material)} bytes and not {_BYTES}",
            hint="remove it; plans that were sealed with it have to be made again",
        )
    return _key(material, "own")


def _path(state: Path) -> Path:
    return state / "plan.key"


def _make(path: Path) -> None:
    """Whole or not at all; of two processes that make one at the same time, the first one's counts."""
    partial = path.with_name(f".{path.name}.{chance.token_hex(8)}.partial")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(partial, flags, 0o600), "wb") as file:
            file.write(chance.token_bytes(_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(partial, path)
    except OSError as error:
        raise StateError(f"the key {str(path)!r} cannot be made: {error.strerror}") from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(partial)


def _check(seen: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(seen.st_mode):
        raise Denied(f"the key {str(path)!r} is no regular file")
    if seen.st_uid != os.geteuid():
        raise Denied(f"the key {str(path)!r} belongs to another user")
    if seen.st_mode & 0o077:
        raise Denied(
            f"others may read the key {str(path)!r}, so they could have sealed plans with it",
            hint=f"rm {path}, and make the plans again that were sealed with it",
        )


def _key(material: bytes, owner: Literal["own", "shared"]) -> Key:
    return Key(hmac.digest(material, b"acdrun plan key id", "sha256").hex()[:16], material, owner)
