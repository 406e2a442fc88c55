"""Saved plans from outside: what one says of itself, and who has sealed it. Nothing is believed before that."""

import contextlib
import json
import os
import re
import secrets as chance
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from runner.manifest.manifest import Manifest
from runner.model.errors import AcdrunError, PlanStale, StateError, UsageError
from runner.model.path import show
from runner.model.secret import EnvReference
from runner.remote.secrets import resolve
from runner.state.foreign import look
from runner.state.journal import Header, Validity
from runner.state.keys import Key, known_own_key, shared_key
from runner.state.saved import Outside, outside
from runner.state.seal import Seal

Trust = Literal["own", "shared", "unknown", "unsealed", "broken"]
"""Sealed by this state directory, by a key that machines share, by one unknown here, by none; or changed since."""

_MAKE = "make a new one: acdrun --plan --out PLAN FILE"
_OPEN_NAME = re.compile(r"[A-Z0-9_]*PLAN_KEY")
_LABEL = re.compile(r"[0-9]{8}T[0-9]{6}-[0-9a-f]{4}")


@dataclass(frozen=True, slots=True)
class Saved:
    """A saved plan as it was found. name: what the user calls it; copy: ours alone, the file is never written to.

    validity: None in the journal of a run; seal: what it carries, proven or not.
    """

    name: str
    copy: Path
    header: Header
    validity: Validity | None
    seal: Seal | None
    trust: Trust


@contextlib.contextmanager
def opened(path: Path, state: Path, own: Manifest | None = None) -> Iterator[Saved]:
    """A saved plan, or the journal of a run, read for the first time.

    own: the user's own manifest, whose `plan.key` may be needed. Raises PlanStale for what is neither, or
    damaged; UsageError when there is no such file.
    """
    if not path.is_file():
        raise UsageError(f"there is no plan {str(path)!r}")
    try:
        look(path, str(path))
    except OSError as error:
        raise UsageError(f"the plan {str(path)!r} cannot be read: {error.strerror}") from error
    with _copied(path, state) as copy:
        with outside(copy, str(path)) as found:
            saved = _read(found, str(path), copy, state, own)
        yield saved


@contextlib.contextmanager
def doubting(saved: Saved) -> Iterator[None]:
    """Reading on in a file that may be nobody's plan: what cannot be read is its own fault, and not ours.

    Raises PlanStale for that, where no key known here has sealed it.
    """
    try:
        yield
    except (AcdrunError, OSError):
        raise
    except Exception as error:
        if saved.trust in ("own", "shared"):
            raise
        raise PlanStale(
            f"{saved.name!r} holds what no plan holds ({type(error).__name__})", hint=_MAKE
        ) from error


def _read(found: Outside, name: str, copy: Path, state: Path, own: Manifest | None) -> Saved:
    header, seal = found.header, found.seal
    if header is None or not _LABEL.fullmatch(header.id):
        raise PlanStale(f"{name!r} is no plan", hint=_MAKE)
    trust: Trust = "unsealed"
    if seal is not None:
        key = next((key for key in _keys(seal, header.manifest, state, own) if key.id == seal.key), None)
        trust = "unknown" if key is None else key.owner if found.sealed_with(key) else "broken"
    return Saved(name, copy, header, found.validity, seal, trust)


def _keys(found: Seal, manifest: str, state: Path, own: Manifest | None) -> Sequence[Key]:
    """The keys this machine has. A secret is asked for only when the state directory's own key did not seal it."""
    mine = known_own_key(state)
    if mine is not None and mine.id == found.key:
        return [mine]
    if own is not None:
        return [] if own.plan.key is None else [shared_key(resolve(own.plan.key).reveal())]
    name = open_name(_reference(manifest))
    return [shared_key(resolve(EnvReference(env=name)).reveal())] if os.environ.get(name) else []


def _reference(manifest: str) -> object:
    """What the manifest inside a plan says of its key; None when it says nothing."""
    try:
        return json.loads(manifest)["manifest"]["plan"]["key"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def open_name(reference: object) -> str:
    """The environment variable that a plan from outside names for its key; "" when it is none we would ask.

    Nobody has vouched for the plan yet. Whoever wrote it could name a variable whose value he knows, a file he
    put there, or a command to run: so only a name that can hold nothing but such a key is followed.
    """
    name = reference.get("env") if isinstance(reference, dict) else None
    return name if isinstance(name, str) and _OPEN_NAME.fullmatch(name) else ""


def trusted(saved: Saved, own: Manifest | None, *, accept_unsigned: bool) -> str:
    """Did somebody with a key that this machine knows make it, and is it as it was made?

    Returns what to warn of, "" for nothing. Raises PlanStale.
    """
    if saved.header.purpose != "plan" or saved.header.state != "planned":
        raise PlanStale(f"{saved.name!r} is no finished plan", hint=_MAKE)
    if saved.trust == "broken":
        raise PlanStale(
            f"{saved.name!r} is not what was saved: what is in it does not fit its seal",
            hint=f"copy it again from where it was made, or {_MAKE}",
        )
    if saved.trust in ("own", "shared"):
        return ""
    what = (
        "has no seal"
        if saved.seal is None
        else f"is sealed with a key unknown here ({show(saved.seal.key[:16])})"
    )
    if accept_unsigned:
        return f"{saved.name!r} {what}: nothing proves who made it, or that it was not edited"
    raise PlanStale(f"{saved.name!r} {what}", hint=_way_out(saved, own))


def _way_out(saved: Saved, own: Manifest | None) -> str:
    """What makes the key of a plan known here."""
    reference = _reference(saved.header.manifest)
    if saved.seal is None:
        return _MAKE
    if own is not None and own.plan.key is not None:
        return f"the key that {own.file} names is another one than the plan was made with"
    if name := open_name(reference):
        return f"set the environment variable {name} to the key it was made with"
    if reference is not None:
        return "name the manifest of this machine that has its key: acdrun apply -f FILE PLAN"
    return (
        "to apply plans on another machine than they are made on, share a key: say"
        " `plan: {key: {env: ACDRUN_PLAN_KEY}}` in the manifest, set it on both machines, and plan again;"
        " to trust this one as it is: acdrun apply --accept-unsigned PLAN"
    )


@contextlib.contextmanager
def _copied(path: Path, state: Path) -> Iterator[Path]:
    """A copy of a saved plan for us alone, so that the file itself is never written to."""
    copy = state / "plans" / f"{chance.token_hex(8)}.plan"
    try:
        copy.parent.mkdir(mode=0o700, exist_ok=True)
        with path.open("rb") as whole, open(copy, "xb", opener=_private) as file:
            shutil.copyfileobj(whole, file, 1 << 20)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        copy.unlink(missing_ok=True)
        raise StateError(f"the plan cannot be copied to {str(copy.parent)!r}: {error.strerror}") from error
    try:
        yield copy
    finally:
        copy.unlink(missing_ok=True)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)
