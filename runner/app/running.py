"""Plan, run, apply: one code path, stopped in different places."""

import contextlib
from pathlib import Path

from runner.app.applying import unapplied
from runner.app.draining import drain, header_of, holding
from runner.app.options import Options, Result
from runner.app.past import close_interrupted, next_label, runs_folder
from runner.app.plans import opened, trusted
from runner.app.saving import room_for, save, sealing_key, sweep, validity
from runner.manifest.manifest import Manifest, from_canonical
from runner.model.errors import AcdrunError
from runner.model.events import Note
from runner.model.exits import Exit
from runner.state.journal import Journal


async def run(manifest: Manifest, options: Options) -> Result:
    """Bring every pair of the manifest in step, and close the journal with the exit code."""
    label = next_label(options.state)
    with holding(manifest, options, label):
        close_interrupted(manifest, options.state, options.tell)
        path = runs_folder(options.state) / f"{label}.journal"
        with contextlib.closing(Journal.create(path, header_of(label, manifest, "run"))) as journal:
            return Result(path, await drain(journal, manifest, options, planning=False))


async def plan(manifest: Manifest, options: Options, out: Path | None = None) -> Result:
    """Do all of a run that reads, and stop before its first write.

    out: where to save the plan; it must not exist. One that was cut off shows a part of the truth, and one that
        a guard refused could not be applied: neither is saved. Otherwise the plan is gone with its `Result`.
    """
    label = next_label(options.state)
    path = options.state / "plans" / f"{label}.journal"
    header, limit, key = header_of(label, manifest, "plan"), None, None
    sweep(options.state)
    if out is not None:
        room_for(out)
        key, limit = sealing_key(manifest, options.state), validity(manifest, options.state, header.created)
    try:
        with contextlib.closing(Journal.create(path, header)) as journal:
            code = await drain(journal, manifest, options, planning=True, limit=limit)
            whole = journal.header.state == "planned"
        if out is None or key is None or not whole or code is Exit.REFUSED:
            return Result(path, code, keep=False)
        save(path, key, out)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return Result(path, code, keep=False, saved=out)


async def apply(
    path: Path, options: Options, manifest: Manifest | None = None, *, accept_unsigned: bool = False
) -> Result:
    """Carry out a saved plan exactly, or what an earlier try has left of it.

    manifest: the user's own, which the plan must have been made from; its `plan.key` is known then.
    accept_unsigned: take a plan whose seal cannot be checked here; never one whose seal is wrong.
    Raises PlanStale, before anything is changed, when it is not a plan, edited, foreign, too old, applied
    already, or no longer true.
    """
    with opened(path, options.state, manifest) as saved:
        if doubt := trusted(saved, manifest, accept_unsigned=accept_unsigned):
            options.tell(Note(f"warning: {doubt}"))
        planned = from_canonical(saved.header.manifest)
        with (
            holding(planned, options, saved.header.id),
            contextlib.closing(unapplied(saved, planned, options.state, manifest)) as journal,
        ):
            try:
                return Result(journal.database.path, await drain(journal, planned, options, planning=False))
            except AcdrunError:
                if journal.header.state == "planned":  # it was only looked at, which is no run
                    journal.database.path.unlink()
                raise
