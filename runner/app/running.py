"""Plan, run, apply: one code path, stopped in different places."""

import asyncio
import contextlib
import functools
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from runner import __version__
from runner.app.applying import unapplied, weak_operations, writes
from runner.app.leases import leased
from runner.app.looking import last_places, look_again, remember
from runner.app.memory import learn, pair_key
from runner.app.past import close_interrupted, file_of, runs_folder
from runner.app.places import Remotes, scope, scopes
from runner.app.plans import opened, trusted
from runner.app.saving import room_for, save, sealing_key, sweep, validity
from runner.engine.interrupt import Stop
from runner.engine.recalling import Past
from runner.engine.scheduler import Hooks, Scheduler
from runner.manifest.manifest import Manifest, from_canonical
from runner.model.errors import AcdrunError, NoSpace, UsageError
from runner.model.events import Event, Listener, Moved, Note, silent
from runner.model.exits import Exit, gravest
from runner.model.operation import OPEN, State
from runner.model.pair import Location, Pair
from runner.model.task import Context
from runner.plan.decide import common_algorithm, proof_of_change
from runner.plan.graph import PER_PAIR, StageGraph
from runner.remote.remote import Remote
from runner.state.account import Account
from runner.state.hashes import Hashes
from runner.state.history import History
from runner.state.home import drop_ballast, load_ballast
from runner.state.journal import Header, Journal, Validity, new_run
from runner.state.known import Identities
from runner.state.locks import locked
from runner.state.renames import Renames
from runner.state.trashing import Trashing
from runner.tasks.hook import run_hook


@dataclass(frozen=True, slots=True)
class Options:
    """How a use case is carried out.

    state: the state directory; tell: hears what goes on; signals: drain at SIGINT and SIGTERM.
    wait_lock_s: how long to wait for another run; deadline_s, most_bytes: budgets of this run.
    transfers: how many files go over at once; None leaves it to the destination.
    accepted: fingerprints of plans that may be carried out though a guard refuses them.
    new_places: sides ("source", "destination") that may be another place than in the last good run.
    """

    state: Path
    tell: Listener = silent
    signals: bool = False
    wait_lock_s: float = 0.0
    deadline_s: float | None = None
    most_bytes: int | None = None
    transfers: int | None = None
    accepted: frozenset[str] = frozenset()
    new_places: frozenset[str] = frozenset()


@dataclass(slots=True)
class Result:
    """How a plan or run ended, and its journal, which stays open inside `with`.

    keep: the journal stays afterwards; saved: where the plan was saved, sealed.
    """

    path: Path
    code: Exit
    keep: bool = True
    saved: Path | None = None
    journal: Journal = field(init=False, repr=False)

    def __enter__(self) -> Self:
        self.journal = Journal(self.path)
        return self

    def __exit__(self, *_: object) -> None:
        self.journal.close()
        if not self.keep:
            self.path.unlink(missing_ok=True)

    @property
    def account(self) -> Account:
        """The journal's numbers."""
        return Account(self.journal)


async def run(manifest: Manifest, options: Options) -> Result:
    """Bring every pair of the manifest in step, and close the journal with the exit code."""
    label = new_run()
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
    label = new_run()
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


@contextlib.contextmanager
def holding(manifest: Manifest, options: Options, label: str) -> Iterator[None]:
    """Nobody else writes meanwhile to anything that the manifest writes to. Raises Locked."""

    def waiting(holder: str) -> None:
        options.tell(Note(f"waiting: {holder}"))

    places = list(scopes(manifest))
    with locked(options.state, places, label, wait_s=options.wait_lock_s, waiting=waiting):
        yield


async def drain(
    journal: Journal,
    manifest: Manifest,
    options: Options,
    *,
    planning: bool,
    limit: Validity | None = None,
    tasks: Sequence[str] = PER_PAIR,
    fit: Callable[[Context], Context] = lambda ctx: ctx,
    past: Mapping[str, Past] | None = None,
) -> Exit:
    """Work through a journal, or as much of it as reads, and say how that ended.

    limit: how long the plan that is being made may be applied. tasks: of each pair. fit: what a pair's context
    is changed to. past: see `Scheduler`.
    """
    clock = asyncio.get_running_loop().time
    stop = Stop(options.tell, deadline_s=options.deadline_s, most_bytes=options.most_bytes, clock=clock)
    fresh = begun = not journal.stages()
    if fresh:
        graph = StageGraph(manifest.jobs, manifest.pairs, planning=planning, tasks=tasks)
        journal.add_stages(graph.stages, graph.bindings)
    writing = writes(journal, manifest, options.state)

    def tell(event: Event) -> None:
        if isinstance(event, Moved):
            stop.sent(event.size)
        writing(event)
        options.tell(event)

    load_ballast(options.state)
    if fresh:
        journal.mark("planning" if planning else "applying", purpose=None if planning else _purpose(journal))
    if options.signals:
        stop.listen()
    try:
        async with contexts_of(journal, manifest, options, tell) as opened:
            contexts = {name: fit(ctx) for name, ctx in opened.items()}
            if not begun:
                filled = {pair.name for pair in manifest.pairs if _filled_by(pair, manifest)}
                await look_again(journal, contexts, filled)
                journal.mark("applying", purpose=_purpose(journal))
                begun = True
            hooks = Hooks(lambda job, side: _hook(manifest, job, side))
            writing_stages = not planning and any(stage.effect == "write" for stage in journal.stages())
            written = _written(contexts.values()) if writing_stages else []
            async with leased(
                manifest, written, options.state, journal.header.id,
                wait_s=options.wait_lock_s, waiting=lambda holder: tell(Note(f"waiting: {holder}")),
            ):  # fmt: skip
                await Scheduler(
                    journal, contexts, hooks, stop, tell, planning=planning, transfers=options.transfers,
                    accepted=options.accepted, past=past,
                ).run()  # fmt: skip
            if limit is not None:
                journal.limit(limit._replace(weak=weak_operations(journal, contexts)))
            code = _code(journal, stop, planning=planning)
            kept = code in (Exit.CONVERGED, Exit.INCOMPLETE) and journal.header.purpose in ("run", "apply")
            if kept:
                await remember(journal, contexts, options.state)
    except AcdrunError as error:
        if isinstance(error, NoSpace):
            drop_ballast(options.state)
        if begun:  # a plan that was only looked at may be applied yet
            journal.end(int(error.exit))  # it ended, and was not cut off
        raise
    if not planning:
        journal.end(int(code))
        if kept:
            learn(journal, manifest, options.state)
    elif stop.code is None:
        journal.mark("planned")  # one that was cut off shows a part of the truth, and is never applied
    return code


def _written(contexts: Iterable[Context]) -> Iterator[tuple[Location, Remote]]:
    for ctx in contexts:
        yield ctx.pair.destination, ctx.destination
        if ctx.pair.mode == "move":
            yield ctx.pair.source, ctx.source


def _purpose(journal: Journal) -> str:
    return "apply" if journal.header.purpose == "plan" else journal.header.purpose


def _code(journal: Journal, stop: Stop, *, planning: bool) -> Exit:
    """The exit code: the gravest of what the parts of the run call for (promise I7)."""
    account = Account(journal)
    codes = {Exit(code) for code in account.exits()}
    stages = account.stages()
    states = {state for stage in stages for state in stage.amounts}
    if State.STALE in states and journal.header.purpose == "apply":
        codes.add(Exit.STALE)
    unfinished = any(stage.state in ("waiting", "open") for stage in stages) or states & set(OPEN)
    if stop.code is not None and (unfinished or stop.code is not Exit.BUDGET):
        codes.add(stop.code)
    if not codes and not planning and any(stage.state != "done" for stage in stages):
        codes.add(Exit.FAILED)
    return gravest(*codes)


@contextlib.asynccontextmanager
async def contexts_of(
    journal: Journal, manifest: Manifest, options: Options, tell: Listener
) -> AsyncIterator[dict[str, Context]]:
    """A context per pair; remotes are opened once each and closed at the end."""
    account = Account(journal)
    async with contextlib.AsyncExitStack() as stack:
        hashes = stack.enter_context(contextlib.closing(Hashes(options.state / "hashes.db")))
        history = stack.enter_context(contextlib.closing(History(options.state / "history.db")))
        guards = {stage.pair: stage.id for stage in journal.stages() if stage.task == "guard"}
        remotes = Remotes(manifest, options.state, journal.header.id, stack)
        contexts = {}
        places = last_places(options.state, manifest)
        for pair in manifest.pairs:
            source, destination = await remotes.at(pair.source), await remotes.at(pair.destination)
            _check_proof(pair, source, destination)
            algorithm = common_algorithm(source.can, destination.can)
            tally = functools.partial(account.tally, pair.name)
            filled_by = _filled_by(pair, manifest) if journal.header.state == "planning" else ""
            key = pair_key(manifest, pair)
            contexts[pair.name] = Context(
                pair, source, destination, algorithm, hashes, tally, tell,
                checked=functools.partial(journal.check, guards.get(pair.name, 0)),
                identities=Identities(journal, pair.name, places[pair.name], options.new_places),
                trashing=Trashing(journal, pair.name),
                renames=Renames(journal, pair.name, step_ns=_step_ns(pair, source, destination)),
                last=history.last(key) if key else None,
                filled_by=filled_by,
            )  # fmt: skip
        yield contexts


def _step_ns(pair: Pair, source: Remote, destination: Remote) -> int | None:
    """How finely the pair compares times, in ns; None where times make no file changed."""
    steps = source.can.mtime_ns, destination.can.mtime_ns
    by = proof_of_change(pair.checksum.compare, source.can, destination.can)
    return max(step or 0 for step in steps) if by == "time" else None


def _filled_by(pair: Pair, manifest: Manifest) -> str:
    """What writes to the pair's source before it runs, in words; "" when nothing does that we know of."""
    job = manifest.job(pair.job)
    if job.before:
        return f"the hook before {job.name!r}"
    here, needed = scope(manifest, pair.source), list(job.needs)
    for name in needed:  # grows
        needed += [more for more in manifest.job(name).needs if more not in needed]
        if any(scope(manifest, other.destination).overlaps(here) for other in manifest.job(name).pairs):
            return f"job {name!r}"
    return ""


def _check_proof(pair: Pair, source: Remote, destination: Remote) -> None:
    try:
        proof_of_change(pair.checksum.compare, source.can, destination.can)
    except UsageError as error:
        error.place = pair.place
        raise


async def _hook(manifest: Manifest, name: str, side: str) -> None:
    job = manifest.job(name)
    argv = job.before if side == "before" else job.after
    await run_hook(argv, str(Path(manifest.file).absolute().parent) if manifest.file else "")


def header_of(label: str, manifest: Manifest, purpose: str) -> Header:
    """The first row of a new journal."""
    return Header(
        label,
        manifest.name,
        file_of(manifest),
        manifest.canonical(),
        manifest.digest,
        __version__,
        "planning",
        purpose,
        time.time(),
    )
