"""Take back what a run did: a run of its own, whose source is the other's journal and the trash."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from runner.app.draining import drain, header_of, holding
from runner.app.options import Options, Result
from runner.app.past import close_interrupted, find_run, history, next_label, runs_folder
from runner.engine.recalling import Past
from runner.manifest.filter import RuleFilter
from runner.manifest.manifest import Manifest, from_canonical, pair_name
from runner.manifest.problems import did_you_mean
from runner.manifest.rules import Rule
from runner.model.errors import NotFound, UsageError
from runner.model.exits import Exit
from runner.model.pair import Pair
from runner.model.policy import GuardPolicy, OverwriteGuard, SourceGuard, TrashGuard
from runner.model.task import Context
from runner.state.journal import Journal
from runner.tasks import UNDO


@dataclass(frozen=True, slots=True)
class Undo:
    """Which changes of which run are taken back.

    run: the beginning of its label; "last" is the latest that is no undo itself. pair: only this one, "" for all.
    rules: a filter on the paths. created: also what was new goes to the trash.
    max_trash: most files it may trash, instead of the limits of the pair's own guard.
    """

    run: str
    pair: str = ""
    rules: tuple[Rule, ...] = ()
    created: bool = False
    max_trash: int | None = None


async def undo(wanted: Undo, options: Options, *, planning: bool = False) -> Result:
    """Bring back what the run trashed and replaced, and move back what it moved.

    planning: stop before the first write; the journal is gone with its `Result`.
    Raises NotFound, UsageError, Locked; PlanStale when the run was of another version.
    """
    with contextlib.closing(_run(wanted.run, options)) as journal:
        header = journal.header
        manifest = replace(from_canonical(header.manifest), file=header.file)  # as found from wherever we are
        goal = _manifest_of(header.id, manifest, wanted)
        past = {
            pair.name: Past(journal, name, source=source, created=wanted.created and not source)
            for pair, (name, source) in zip(goal.pairs, _parts(manifest, wanted.pair), strict=True)
        }
        label = next_label(options.state)
        if planning:
            path = options.state / "plans" / f"{label}.journal"
            try:
                code = await _carry_out(Journal.create(path, header_of(label, goal, "undo")), goal, options, past,
                                        planning=True)  # fmt: skip
            except BaseException:
                path.unlink(missing_ok=True)
                raise
            return Result(path, code, keep=False)
        with holding(manifest, options, label):
            close_interrupted(manifest, options.state, options.tell)
            if journal.header.state != "closed":  # nobody can be at work on it: we hold its lock
                journal.end(int(Exit.INTERRUPTED))
            path = runs_folder(options.state) / f"{label}.journal"
            made = Journal.create(path, header_of(label, goal, "undo"))
            return Result(path, await _carry_out(made, goal, options, past, planning=False))


async def _carry_out(
    made: Journal, goal: Manifest, options: Options, past: dict[str, Past], *, planning: bool
) -> Exit:
    with contextlib.closing(made):
        return await drain(made, goal, options, planning=planning, tasks=UNDO, fit=_alone, past=past)


def _alone(ctx: Context) -> Context:
    return replace(ctx, alone=True, by_time="")


def _run(label: str, options: Options) -> Journal:
    if label == "last":
        label = next((header.id for header in history(options.state) if header.purpose != "undo"), "")
        if not label:
            raise NotFound("there is no run yet")
    return find_run(options.state, label)


def _parts(manifest: Manifest, only: str) -> Iterator[tuple[str, bool]]:
    """What is undone: (pair, is it about its source?). A one-off move has changed both of its places."""
    names = [pair.name for pair in manifest.pairs]
    if only and only not in names:
        raise UsageError(f"the run has no pair {only!r}", hint=did_you_mean(only, names))
    for pair in manifest.pairs:
        if only in ("", pair.name):
            yield pair.name, False
            if pair.mode == "move":
                yield pair.name, True


def _manifest_of(run: str, manifest: Manifest, wanted: Undo) -> Manifest:
    """The run's manifest as the undo has it: the places that change are destinations, and no hooks are run."""
    parts = list(_parts(manifest, wanted.pair))
    jobs = []
    for job in manifest.jobs:
        ours = [(pair, source) for pair in job.pairs for name, source in parts if pair.name == name]
        pairs = [
            _pair(pair, pair_name(job.name, number), source, wanted)
            for number, (pair, source) in enumerate(ours)
        ]
        if pairs:
            jobs.append(replace(job, needs=(), before=(), after=(), pairs=tuple(pairs)))
    return replace(manifest, name=f"undo of {run}", jobs=tuple(jobs))


def _pair(pair: Pair, name: str, source: bool, wanted: Undo) -> Pair:
    """One place that changes. Nothing is asked of the other: it may be lost, which is when undo is needed most."""
    ends = (pair.destination, pair.source) if source else (pair.source, pair.destination)
    most = wanted.max_trash
    trash = pair.guard.trash if most is None else TrashGuard(max=1.0, max_files=most)
    trash = trash.model_copy(update={"no_history": "allow"})  # the run's own journal says what to trash
    return replace(
        pair, name=name, source=ends[0], destination=ends[1], mode="copy", filter=RuleFilter(wanted.rules),
        guard=GuardPolicy(source=SourceGuard(empty="allow"), trash=trash, overwrite=OverwriteGuard(max=1.0)),
    )  # fmt: skip
