"""One writer per destination: a lock the kernel drops when its holder dies."""

import contextlib
import hashlib
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout

from runner.model.errors import Locked
from runner.model.path import overlap
from runner.state.hands import beside, holding

_POLL_S = 0.5
_ENDING_S = 30.0
"""How long who wrote for a run that is gone may take to end: it was in the middle of a batch."""


class Scope(NamedTuple):
    """What a run writes to: a place (an account, a disk) and a folder in it."""

    place: str
    folder: str

    def overlaps(self, other: "Scope") -> bool:
        """Could a write to one be seen in the other?"""
        return self.place == other.place and overlap(self.folder, other.folder)


@contextlib.contextmanager
def locked(
    state: Path,
    scopes: Sequence[Scope],
    run: str,
    *,
    wait_s: float = 0.0,
    waiting: Callable[[str], None] = lambda holder: None,
) -> Iterator[None]:
    """Hold all scopes, or none.

    waiting: told once who is waited for.

    Raises Locked, which names the holder, when another process holds one that overlaps for longer than `wait_s`.
    The lock files stay: a file that is removed while another process opens it would be two locks.
    """
    folder = state / "locks"
    folder.mkdir(mode=0o700, exist_ok=True)
    ends, told = time.monotonic() + wait_s, ""
    with contextlib.ExitStack() as stack:
        with _interruptible():
            while True:
                with FileLock(folder / "door.lock", mode=0o600):
                    holder = _holder(folder, scopes)
                    if holder is None:
                        for scope in scopes:
                            stack.enter_context(_hold(folder, scope, run))
                        break
                if time.monotonic() >= ends:
                    raise Locked(holder, hint="wait for it to end, or use --wait 10m")
                if holder != told:
                    waiting(holder)
                    told = holder
                time.sleep(_POLL_S)
        yield


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C ends the block at once. An event loop would hear of it at its next turn, and nobody turns it here."""
    heard = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(
        heard
    ):  # ignored, as nohup has it
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, heard)


def holder(state: Path, scopes: Sequence[Scope]) -> str | None:
    """Who holds a scope that overlaps one of these now, in words; None when nobody does."""
    with _door(state / "locks"):
        return _holder(state / "locks", scopes)


def holders(state: Path) -> dict[str, str]:
    """The runs that hold something now, by their label, each in words."""
    found = {}
    with _door(state / "locks"):
        for facts in (state / "locks").glob("*.json"):
            try:
                said = json.loads(facts.read_text())
                words = f"process {said['pid']} on {said['host']}, since {said['since']}"
                run = str(said["run"])
            except (OSError, ValueError, KeyError):
                continue
            if not _free(facts.with_suffix(".lock")):
                found[run] = words
    return found


def _door(folder: Path) -> FileLock:
    """Held by whoever looks for holders: looking tries each lock, and for that instant it is not free."""
    folder.mkdir(mode=0o700, exist_ok=True)
    return FileLock(folder / "door.lock", mode=0o600)


def _holder(folder: Path, scopes: Sequence[Scope]) -> str | None:
    """Who holds a scope that overlaps one of these, in words; None when nobody does."""
    for facts in folder.glob("*.json"):
        try:
            said = json.loads(facts.read_text())
            held = Scope(said["place"], said["folder"])
        except (OSError, ValueError, KeyError):
            continue  # its holder died while writing it; the lock below decides in any case
        if any(held.overlaps(scope) for scope in scopes) and not _free(facts.with_suffix(".lock")):
            return (
                f"the destination {held.folder or held.place!r} is being written to by run {said['run']},"
                f" process {said['pid']} on {said['host']}, since {said['since']}"
            )
    return None


def _free(path: Path) -> bool:
    """Does nobody hold this lock, nor write any more for one that did?"""
    return _had(path, 0) and (not beside(path).exists() or _had(beside(path), _ENDING_S))


def _had(path: Path, wait_s: float) -> bool:
    lock = FileLock(path, mode=0o600)
    try:
        lock.acquire(timeout=wait_s)
    except Timeout:
        return False
    lock.release()
    return True


@contextlib.contextmanager
def _hold(folder: Path, scope: Scope, run: str) -> Iterator[None]:
    name = hashlib.sha256("\0".join(scope).encode("utf-8", "surrogatepass")).hexdigest()[:32]
    facts = {
        **scope._asdict(),
        "run": run,
        "pid": os.getpid(),
        "host": os.uname().nodename,
        "since": time.strftime("%Y-%m-%d %H:%M:%S %Z"),
    }
    try:
        with FileLock(folder / f"{name}.lock", timeout=0, mode=0o600):
            (folder / f"{name}.json").write_text(json.dumps(facts))
            with holding(folder / f"{name}.lock"):
                yield
    except Timeout as error:
        raise Locked(f"the destination {scope.folder!r} is being written to by another run") from error
