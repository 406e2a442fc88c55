"""The runs there were."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from runner.app.named import file_of
from runner.app.places import scopes
from runner.manifest.manifest import Manifest, from_canonical
from runner.model.errors import NotFound, PlanStale, StateError, UsageError
from runner.model.events import Listener, Note
from runner.model.exits import Exit
from runner.model.operation import State
from runner.state.account import Account
from runner.state.database import unfolded
from runner.state.journal import Header, Journal, header_of_file, new_run
from runner.state.locks import Scope

CUT_OFF = (Exit.INTERRUPTED, Exit.TERMINATED, Exit.BUDGET)
"""How a run ends that has not done all it meant to, for no fault of its own."""


def history(state: Path) -> Sequence[Header]:
    """Every run in the state directory, the latest first."""
    return [header for header, _ in journals(state)]


def journals(state: Path) -> Iterator[tuple[Header, Path]]:
    """Every run and the file of its journal, the latest first."""
    for path in sorted(runs_folder(state).glob("*.journal"), reverse=True):
        try:
            header = header_of_file(path)
        except StateError:
            continue  # `log` says what is wrong with one that is asked for by name
        yield header, path


def next_label(state: Path) -> str:
    """A label for a new run, which sorts after those of all others, whatever the clock says."""
    return new_run(after=max((path.stem for path in (state / "runs").glob("*.journal")), default=""))


def find_run(state: Path, label: str) -> Journal:
    """The journal of a run, by the beginning of its label; "last" is the latest. Raises NotFound, UsageError."""
    paths = sorted(runs_folder(state).glob("*.journal"))
    found = paths[-1:] if label == "last" else [path for path in paths if path.stem.startswith(label)]
    if not found:
        raise NotFound(f"there is no run {label!r}", hint="acdrun history lists them")
    if len(found) > 1:
        raise UsageError(
            f"{label!r} may be {len(found)} runs", hint=f"such as {found[0].stem} or {found[-1].stem}"
        )
    return Journal(found[0])


def close_interrupted(manifest: Manifest, state: Path, tell: Listener) -> None:
    """Runs of this manifest that were killed: the caller holds the lock, so none of them is alive.

    They are closed and not drained: what they finished shows in the new listing, and what they had
    under way is recognised there by its checksum. Their plan may be long out of date.
    One that writes elsewhere too is left alone: its lock is not ours, so it may well be alive.
    """
    ours = set(scopes(manifest))
    for path in filter(unfolded, runs_folder(state).glob("*.journal")):
        with contextlib.suppress(StateError, IndexError), contextlib.closing(Journal(path)) as journal:
            header = journal.header
            undo, same = header.purpose == "undo", header.file == file_of(manifest)
            if header.state == "closed" or not same or (header.name != manifest.name and not undo):
                continue
            if header.purpose not in ("run", "repair", "undo") or not _known_scopes(header) <= ours:
                continue
            if undo:
                journal.end(int(Exit.INTERRUPTED))
                tell(Note(f"the undo {header.id} was cut off; what it brought back stays"))
                continue
            uploads = [
                stage.amounts.get(State.DONE) for stage in Account(journal).stages() if stage.task == "upload"
            ]
            done = sum(amount.number for amount in uploads if amount)
            journal.end(int(Exit.INTERRUPTED))
            tell(
                Note(
                    f"run {header.id} was cut off after {done:,} uploads;"
                    " what it stored is found again, not sent again"
                )
            )


def close_unfinished(manifest: Manifest, state: Path, purpose: str) -> None:
    """Runs of this manifest and purpose that were killed: the caller holds what keeps others from being alive."""
    for header, path in journals(state):
        same = (header.name, header.file, header.purpose) == (manifest.name, file_of(manifest), purpose)
        if same and header.state != "closed":
            with contextlib.closing(Journal(path)) as journal:
                journal.end(int(Exit.INTERRUPTED))


def _known_scopes(header: Header) -> set[Scope]:
    try:
        return set(scopes(from_canonical(header.manifest)))
    except PlanStale:
        return set()  # by another version, which this one cannot run beside


def runs_folder(state: Path) -> Path:
    """Where the journals are."""
    folder = state / "runs"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder
