"""Saved plans: whether one may be applied, and where its own journal is."""

import contextlib
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from runner.app.past import runs_folder
from runner.manifest.manifest import Manifest
from runner.model.errors import PlanStale, StateError, UsageError
from runner.model.exits import Exit
from runner.state.journal import Header, Journal, new_run

PLAN_LIFE_S = 24 * 3600.0
"""A saved plan that is older is refused: nobody remembers any more what it was made from."""


@contextlib.contextmanager
def copied(path: Path, state: Path) -> Iterator[Path]:
    """A copy of a saved plan for us alone, so that the file itself is never written to."""
    if not path.is_file():
        raise UsageError(f"there is no plan {str(path)!r}")
    copy = state / "plans" / f"{path.name}.{new_run()}"
    copy.parent.mkdir(mode=0o700, exist_ok=True)
    try:
        shutil.copyfile(path, copy)
        copy.chmod(0o600)
        yield copy
    finally:
        copy.unlink(missing_ok=True)


def unapplied(copy: Path, header: Header, manifest: Manifest, state: Path) -> Journal:
    """The plan's own journal in the state directory: the saved file itself is never written to.

    Looked at under the lock: who waited for another apply of the same plan finds that it is over.
    """
    ours = runs_folder(state) / f"{header.id}.journal"
    if not ours.exists():
        _still_true(header, manifest)
        copy.rename(ours)
    journal = Journal(ours)
    found = journal.header
    try:
        if found.state == "closed" and found.exit not in (Exit.INTERRUPTED, Exit.TERMINATED, Exit.BUDGET):
            raise PlanStale(
                f"this plan was applied already; it ended with exit code {found.exit}",
                hint=f"acdrun log {found.id}",
            )
        _still_true(found, manifest)
    except BaseException:
        journal.close()
        raise
    return journal


def plan_header(copy: Path, path: Path) -> Header:
    """What the plan in `copy` says of itself; `path` is what the user called it. Raises PlanStale."""
    try:
        with contextlib.closing(Journal(copy)) as plan_file:
            header = plan_file.header
    except (StateError, IndexError) as error:
        raise PlanStale(f"{str(path)!r} is no plan", hint="make one with --plan --out") from error
    if header.purpose != "plan" or header.state != "planned":
        raise PlanStale(f"{str(path)!r} is no finished plan", hint="make one with --plan --out")
    return header


def _still_true(header: Header, manifest: Manifest) -> None:
    age_s = time.time() - header.created
    if age_s > PLAN_LIFE_S:
        raise PlanStale(
            f"the plan was made {age_s / 3600:.0f} hours ago", hint="plans live for a day; make a new one"
        )
    if manifest.digest != header.digest:
        raise PlanStale("the plan does not hold the manifest it was made from")
    if header.file and Path(header.file).is_file():
        from runner.manifest.load import load

        if load(Path(header.file)).digest != header.digest:
            raise PlanStale(f"{header.file} has changed since the plan was made", hint="make a new plan")
