"""Work through a journal: the one way of everything that plans or writes."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from runner import __version__
from runner.app.applying import weak_operations, writes
from runner.app.chained import fed
from runner.app.contexts import contexts_of, filled_by
from runner.app.graphs import graph_of
from runner.app.leases import leased
from runner.app.looking import look_again
from runner.app.memory import ends_of, learn
from runner.app.named import file_of
from runner.app.options import Options
from runner.app.places import scopes
from runner.engine.interrupt import Stop
from runner.engine.recalling import Past
from runner.engine.scheduler import Hooks, Scheduler
from runner.manifest.manifest import Manifest
from runner.model.errors import AcdrunError, NoSpace
from runner.model.events import Event, Moved, Note
from runner.model.exits import Exit, gravest
from runner.model.operation import OPEN, State
from runner.model.pair import Location
from runner.model.task import Context
from runner.remote.remote import Remote
from runner.state.account import Account
from runner.state.home import drop_ballast, load_ballast
from runner.state.journal import Header, Journal, Validity
from runner.state.locks import locked
from runner.tasks import PER_PAIR
from runner.tasks.hook import run_hook


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
        graph = graph_of(manifest, options.state, planning=planning, tasks=tasks)
        journal.add_stages(*graph)
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
                filled = {p.name for p in manifest.pairs if filled_by(p, manifest) or fed(p, manifest)}
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
                ends = await ends_of(journal, contexts)
    except AcdrunError as error:
        if isinstance(error, NoSpace):
            drop_ballast(options.state)
        if begun:  # a plan that was only looked at may be applied yet
            journal.end(int(error.exit))  # it ended, and was not cut off
        raise
    if not planning:
        journal.end(int(code))
        if kept:
            learn(journal, manifest, ends, options.state)
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


async def _hook(manifest: Manifest, name: str, side: str) -> None:
    job = manifest.job(name)
    argv = job.before if side == "before" else job.after
    await run_hook(argv, str(Path(manifest.file).absolute().parent) if manifest.file else "")
