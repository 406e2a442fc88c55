"""Whether a saved plan may still be applied, and the journal it is drained from."""

import shlex
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from runner.app.past import runs_folder
from runner.app.places import scopes
from runner.app.plans import Saved
from runner.app.saving import sync_folder
from runner.manifest.load import load
from runner.manifest.manifest import Manifest
from runner.model.errors import ManifestError, PlanStale, UsageError
from runner.model.events import Event, StageStarted
from runner.model.exits import Exit
from runner.model.operation import State
from runner.model.path import show
from runner.model.show import show_moment
from runner.model.task import Context
from runner.state.account import Account
from runner.state.journal import Header, Journal
from runner.state.lineage import Lineages

CLOCKS_DIFFER_S = 300.0
"""A plan that was made further in the future than this was made by a wrong clock, or met one here."""

_GO_ON = (Exit.INTERRUPTED, Exit.TERMINATED, Exit.BUDGET)


def unapplied(saved: Saved, manifest: Manifest, state: Path, own: Manifest | None) -> Journal:
    """The journal of this apply in the state directory: a copy of the plan, or what an earlier try has left.

    manifest: the one inside the plan; own: the one that the user names. Looked at under the lock: who waited
    for another apply of the same plan finds that it is over. Raises PlanStale.
    """
    ours = runs_folder(state) / f"{saved.header.id}.journal"
    begun = ours.exists()
    if not begun:
        check_before_apply(saved, manifest, state, own, begun=False)
        saved.copy.rename(ours)
        sync_folder(ours.parent)
    journal = Journal(ours)
    try:
        if begun:
            _same_plan(journal, saved)
            found = journal.header
            if found.state == "closed" and found.exit not in _GO_ON:
                raise PlanStale(
                    f"this plan was applied already; it ended with exit code {found.exit}",
                    hint=f"acdrun log {found.id}, or {_again(found)}",
                )
            check_before_apply(saved, manifest, state, own, begun=True)
    except BaseException:
        journal.close()
        raise
    return journal


def check_before_apply(
    saved: Saved, manifest: Manifest, state: Path, own: Manifest | None, *, begun: bool
) -> None:
    """Everything that is held against a plan before its first effect, in this order; the first objection counts.

    That it is whole and was sealed by a key known here was seen before (`plans.trusted`): of any other plan
    nothing is believed.
    What the operations expect of their places is checked by each of them when its turn comes.
    begun: an earlier try has applied a part of it. Raises PlanStale.
    """
    _in_time(saved.header, saved.validity.expires if saved.validity is not None else 0.0)
    _same_manifest(saved.header, manifest, own)
    _nothing_written_since(saved, manifest, state, begun=begun)


def _in_time(header: Header, expires: float) -> None:
    now = time.time()
    if header.created > now + CLOCKS_DIFFER_S:
        raise PlanStale(
            f"the plan was made at {show_moment(header.created)}, and here it is {show_moment(now)}: a clock is wrong",
            hint="set the clock of this machine, or of the one that made the plan",
        )
    if now > expires:
        raise PlanStale(f"the plan expired at {show_moment(expires)}", hint=_again(header))


def _same_manifest(header: Header, manifest: Manifest, own: Manifest | None) -> None:
    if manifest.digest != header.digest:
        raise PlanStale("the plan does not hold the manifest it was made from", hint=_again(header))
    if own is not None and own.digest != header.digest:
        if own.name != header.name:
            what = f"the plan was made from the manifest {header.name!r}, and {own.file} is {own.name!r}"
        else:
            what = f"{own.file} is not what the plan was made from"
        raise PlanStale(what, hint=f"acdrun --plan --out PLAN {shlex.quote(own.file)}")
    if own is None and header.file and Path(header.file).is_file():
        try:
            now = load(Path(header.file)).digest
        except (ManifestError, UsageError) as error:
            what = f"{show(header.file)} was a manifest when the plan was made, and is none now"
            raise PlanStale(what, hint=f"acdrun validate {shlex.quote(header.file)}") from error
        if now != header.digest:
            raise PlanStale(f"{show(header.file)} has changed since the plan was made", hint=_again(header))


def _nothing_written_since(saved: Saved, manifest: Manifest, state: Path, *, begun: bool) -> None:
    if saved.validity is None:
        raise PlanStale(f"{saved.name!r} does not say what it continues", hint=_again(saved.header))
    with Lineages(state) as lineages:
        known = lineages.known(scopes(manifest))
    if known is None or known.id != saved.validity.lineage or known.serial == saved.validity.serial:
        return
    if begun and (known.serial, known.writer) == (saved.validity.serial + 1, saved.header.id):
        return
    if known.serial < saved.validity.serial:
        raise PlanStale(
            "the state directory is older than the plan: it knows of fewer runs than the plan does",
            hint=f"was it restored from a backup? {_again(saved.header)}",
        )
    raise PlanStale(
        f"run {known.writer} has written there since the plan was made",
        hint=f"acdrun log {known.writer}, and {_again(saved.header)}",
    )


def _same_plan(journal: Journal, saved: Saved) -> None:
    """The journal in the state directory is ours, and drained: of it only what a plan is known by is compared."""
    ours, theirs = journal.header, saved.header
    fields = ("id", "name", "file", "manifest", "digest", "version", "created")
    same = all(getattr(ours, field) == getattr(theirs, field) for field in fields)
    if not same or journal.validity != saved.validity:
        raise PlanStale(
            f"run {ours.id} of this machine was not made from {saved.name!r}", hint=f"acdrun log {ours.id}"
        )


def writes(journal: Journal, manifest: Manifest, state: Path) -> Callable[[Event], None]:
    """A listener that advances the lineage before the first write: a run that dies after it has counted."""
    tasks = {stage.task for stage in journal.stages() if stage.effect == "write"}
    told = False

    def listen(event: Event) -> None:
        nonlocal told
        if told or not isinstance(event, StageStarted) or not event.total or event.task not in tasks:
            return
        with Lineages(state) as lineages:
            lineages.advance(scopes(manifest), journal.header.id)
        told = True

    return listen


def weak_operations(journal: Journal, contexts: Mapping[str, Context]) -> int:
    """Planned operations whose place checks their precondition before it writes, and not in the same step."""
    weak = 0
    for group in Account(journal).groups():
        if group.state != State.PLANNED or group.task not in ("upload", "move", "trash", "retire"):
            continue
        ctx = contexts[group.pair]
        place = ctx.source if group.task == "retire" else ctx.destination
        weak += 0 if place.can.strong else group.number
    return weak


def _again(header: Header) -> str:
    if not header.file:
        return "make a new plan"
    return f"make a new plan: acdrun --plan --out PLAN {shlex.quote(header.file)}"
