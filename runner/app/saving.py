"""Saving a plan: sealed, whole, private, and never over something else."""

import contextlib
import os
import secrets as chance
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from runner.app.places import scopes
from runner.manifest.manifest import Manifest
from runner.model.errors import StateError, UsageError
from runner.remote.secrets import resolve
from runner.state.journal import Validity
from runner.state.keys import Key, own_key, shared_key
from runner.state.lineage import Lineages
from runner.state.seal import seal

_TAG = chance.token_hex(8)
_LEFT_BEHIND_S = 7 * 24 * 3600.0


def room_for(out: Path) -> None:
    """Can a plan be saved there? Asked before an hour of listing, not after. Raises UsageError, StateError."""
    if os.path.lexists(out):
        raise UsageError(
            f"{str(out)!r} exists", hint="a plan is never overwritten; remove it, or choose another name"
        )
    if out.parent.exists() and not out.parent.is_dir():
        raise UsageError(f"{str(out.parent)!r} is no folder", hint="choose another place for the plan")
    with _writing(out):
        out.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(_partial(out), os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        os.unlink(_partial(out))


def sweep(state: Path) -> None:
    """Remove what plannings and applies that were killed a week ago have left in the state directory."""
    for path in (state / "plans").glob("*"):
        with contextlib.suppress(OSError):
            if time.time() - path.lstat().st_mtime > _LEFT_BEHIND_S:
                path.unlink()


def validity(manifest: Manifest, state: Path, created: float) -> Validity:
    """What a plan that is begun now continues, and until when it holds. created: seconds since 1970."""
    with Lineages(state) as lineages:
        lineage = lineages.of(scopes(manifest))
    return Validity(created + manifest.plan.expires.total_seconds(), lineage.id, lineage.serial, 0)


def sealing_key(manifest: Manifest, state: Path) -> Key:
    """The key that seals plans of this manifest: its own, else the state directory's. Raises LoginNeeded, Denied."""
    reference = manifest.plan.key
    return own_key(state) if reference is None else shared_key(resolve(reference).reveal())


def save(journal: Path, key: Key, out: Path) -> None:
    """Seal a finished plan and put a copy of it at `out`, 0600; whoever finds that name finds all of it.

    Raises UsageError when something stands there now.
    """
    seal(journal, key)
    partial = _partial(out)
    with _writing(out):
        descriptor = os.open(
            partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
        )
        try:
            with os.fdopen(descriptor, "wb") as file, journal.open("rb") as whole:
                shutil.copyfileobj(whole, file, 1 << 20)
                file.flush()
                os.fsync(descriptor)
            _publish(partial, out)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(partial)
        sync_folder(out.parent)


def _publish(partial: Path, out: Path) -> None:
    try:
        os.link(partial, out)
    except FileExistsError:
        raise
    except OSError:  # a disk without hard links: the name is taken by an empty file first, which is no plan
        os.close(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        os.rename(partial, out)


def _partial(out: Path) -> Path:
    return out.with_name(f".{out.name[:100]}.{_TAG}.partial")


def sync_folder(folder: Path) -> None:
    """Make names that were made in the folder outlive a loss of power."""
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


@contextlib.contextmanager
def _writing(out: Path) -> Iterator[None]:
    try:
        yield
    except FileExistsError as error:
        raise UsageError(f"{str(out)!r} exists now", hint="choose another name, and plan again") from error
    except OSError as error:
        raise StateError(
            f"the plan cannot be saved as {str(out)!r}: {error.strerror}", hint="choose another place for it"
        ) from error
