"""The use cases: the only place where kinds, state and engine meet."""

import asyncio
import contextlib
import functools
import json
import shutil
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from runner import __version__
from runner.backends import registry
from runner.backends.local.config import LocalConfig
from runner.engine.interrupt import Stop
from runner.engine.scheduler import Hooks, Scheduler
from runner.manifest.manifest import Manifest, from_canonical
from runner.model.backend import Setting
from runner.model.config import RemoteConfig
from runner.model.errors import NotFound, PlanStale, StateError, UsageError
from runner.model.events import Event, Listener, Moved, Note, silent
from runner.model.exits import Exit, gravest
from runner.model.operation import State
from runner.model.pair import Location
from runner.model.path import join
from runner.model.task import Context
from runner.plan.decide import common_algorithm
from runner.plan.graph import StageGraph
from runner.remote.paced import pace
from runner.remote.remote import Remote
from runner.state.account import Account
from runner.state.hashes import Hashes
from runner.state.journal import Header, Journal, new_run
from runner.state.locks import Scope, locked
from runner.tasks.hook import run_hook

PLAN_LIFE_S = 24 * 3600.0
"""A saved plan that is older is refused: nobody remembers any more what it was made from."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a use case is carried out.

    state: the state directory; tell: hears what goes on; signals: drain at SIGINT and SIGTERM.
    wait_lock_s: how long to wait for another run; deadline_s, most_bytes: budgets of this run.
    transfers: how many files go over at once; None leaves it to the destination.
    """

    state: Path
    tell: Listener = silent
    signals: bool = False
    wait_lock_s: float = 0.0
    deadline_s: float | None = None
    most_bytes: int | None = None
    transfers: int | None = None


@dataclass(slots=True)
class Result:
    """How a plan or run ended, and its journal, which stays open inside `with`."""

    path: Path
    code: Exit
    keep: bool = True
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
    with locked(options.state, list(_scopes(manifest)), label, wait_s=options.wait_lock_s):
        _close_interrupted(manifest, options)
        path = _runs(options.state) / f"{label}.journal"
        with contextlib.closing(Journal.create(path, _header(label, manifest, "run"))) as journal:
            return Result(path, await _drain(journal, manifest, options, planning=False))


async def plan(manifest: Manifest, options: Options, out: Path | None = None) -> Result:
    """Do all of a run that reads, and stop before its first write.

    out: where to save the plan; it must not exist. Without it the plan is gone with its `Result`.
    """
    label = new_run()
    path = out or options.state / "plans" / f"{label}.journal"
    if path.exists():
        raise UsageError(f"{str(path)!r} exists", hint="a plan is never overwritten; remove it, or choose another name")
    try:
        with contextlib.closing(Journal.create(path, _header(label, manifest, "plan"))) as journal:
            code = await _drain(journal, manifest, options, planning=True)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return Result(path, code, keep=out is not None)


async def apply(path: Path, options: Options) -> Result:
    """Carry out a saved plan exactly, or what an earlier try has left of it.

    Raises PlanStale when it is not a plan, too old, applied already, or its manifest has changed.
    """
    if not path.is_file():
        raise UsageError(f"there is no plan {str(path)!r}")
    copy = _copied(path, options.state / "plans" / f"{path.name}.{new_run()}")
    try:
        header = _plan_header(copy, path)
        manifest = from_canonical(header.manifest)
        with (
            locked(options.state, list(_scopes(manifest)), header.id, wait_s=options.wait_lock_s),
            contextlib.closing(_unapplied(copy, header, manifest, options.state)) as journal,
        ):
            return Result(journal.database.path, await _drain(journal, manifest, options, planning=False))
    finally:
        copy.unlink(missing_ok=True)


async def _drain(journal: Journal, manifest: Manifest, options: Options, *, planning: bool) -> Exit:
    label = journal.header.id
    stop = Stop(options.tell, deadline_s=options.deadline_s, most_bytes=options.most_bytes)

    def tell(event: Event) -> None:
        if isinstance(event, Moved):
            stop.sent(event.size)
        options.tell(event)

    if not journal.stages():
        graph = StageGraph(manifest.jobs, manifest.pairs, planning=planning)
        journal.add_stages(graph.stages, graph.bindings)
    journal.mark("planning" if planning else "applying", purpose=None if planning else _purpose(journal))
    if options.signals:
        stop.listen()
    async with _contexts(journal, manifest, options, label, tell) as contexts:
        hooks = Hooks(lambda job, side: _hook(manifest, job, side))
        await Scheduler(journal, contexts, hooks, stop, tell, planning=planning, transfers=options.transfers).run()
    code = _code(journal, stop, planning=planning)
    if not planning:
        journal.end(int(code))
    elif stop.code is None:
        journal.mark("planned")  # one that was cut off shows a part of the truth, and is never applied
    return code


def _purpose(journal: Journal) -> str:
    return "apply" if journal.header.purpose in ("plan", "apply") else "run"


def _code(journal: Journal, stop: Stop, *, planning: bool) -> Exit:
    """The exit code: the gravest of what the parts of the run call for (promise I7)."""
    account = Account(journal)
    codes = {Exit(code) for code in account.exits()}
    states = {state for stage in account.stages() for state in stage.amounts}
    if State.STALE in states and journal.header.purpose == "apply":
        codes.add(Exit.STALE)
    if stop.code is not None:
        codes.add(stop.code)
    elif not codes and not planning and states - {State.DONE, State.SAME}:
        codes.add(Exit.FAILED)
    elif not codes and not planning and any(stage.state != "done" for stage in account.stages()):
        codes.add(Exit.FAILED)
    return gravest(*codes)


@contextlib.asynccontextmanager
async def _contexts(
    journal: Journal, manifest: Manifest, options: Options, label: str, tell: Listener
) -> AsyncIterator[dict[str, Context]]:
    """A context per pair; remotes are opened once each and closed at the end."""
    account = Account(journal)
    async with contextlib.AsyncExitStack() as stack:
        hashes = stack.enter_context(contextlib.closing(Hashes(options.state / "hashes.db")))
        remotes = Remotes(manifest, options.state, label, stack)
        contexts = {}
        for pair in manifest.pairs:
            source, destination = await remotes.at(pair.source), await remotes.at(pair.destination)
            algorithm = common_algorithm(source.can, destination.can)
            tally = functools.partial(account.tally, pair.name)
            contexts[pair.name] = Context(pair, source, destination, algorithm, hashes, tally, tell)
        yield contexts


class Remotes:
    """Opens the remotes of a manifest, each once, and closes them with the stack."""

    def __init__(self, manifest: Manifest, state: Path, run: str, stack: contextlib.AsyncExitStack) -> None:
        self._manifest, self._state, self._run, self._stack = manifest, state, run, stack
        self._open: dict[str, Remote] = {}

    async def at(self, location: Location) -> Remote:
        """The remote seen from that location. A local path is a remote of its own, so that its trash is below it."""
        if location.remote:
            return (await self._remote(location.remote, self._manifest.remotes[location.remote])).at(location.path)
        return await self._remote(location.path, LocalConfig(type="local", path=location.path), name="")

    async def _remote(self, key: str, config: RemoteConfig, name: str | None = None) -> Remote:
        if key not in self._open:
            kind = registry.full_name(getattr(config, "type"))  # noqa: B009  (each kind's own model declares it)
            assert kind is not None
            base = Path(self._manifest.file or "-").absolute().parent
            label = key if name is None else name
            setting = Setting(remote=label, base=base, state=self._state, run=self._run)
            driver, most = await registry.backend(kind).open(config, setting), config.limits.concurrency
            throttle = None if driver.can.throttles else pace(config.limits)
            remote = Remote(label, driver, throttle=throttle, most=None if most == "auto" else most)
            self._stack.push_async_callback(remote.close)
            self._open[key] = remote
        return self._open[key]


async def _hook(manifest: Manifest, name: str, side: str) -> None:
    job = manifest.job(name)
    argv = job.before if side == "before" else job.after
    await run_hook(argv, str(Path(manifest.file).absolute().parent) if manifest.file else "")


def _scopes(manifest: Manifest) -> Iterator[Scope]:
    for pair in manifest.pairs:
        yield _scope(manifest, pair.destination)
        if pair.mode == "move":
            yield _scope(manifest, pair.source)


def _scope(manifest: Manifest, location: Location) -> Scope:
    remote, path = location
    if not remote:
        return Scope("local", str(Path(path).resolve()).lstrip("/"))
    config = manifest.remotes[remote]
    place = config.model_dump(mode="json", exclude={"root", "limits", "auth"})
    if place["type"] == "local":
        top = Path(manifest.file or "-").absolute().parent / Path(str(place["path"])).expanduser()
        return Scope("local", join(join(str(top.resolve()).lstrip("/"), config.root), path))
    return Scope(json.dumps(place, sort_keys=True), join(config.root, path))


@contextlib.asynccontextmanager
async def place(manifest: Manifest, location: Location, state: Path, *, writes: bool = False) -> AsyncIterator[Remote]:
    """One place on its own, without a run; it is closed at the end.

    manifest: whose remotes are meant. writes: nobody else may write there meanwhile. Raises Locked.
    """
    async with contextlib.AsyncExitStack() as stack:
        label = new_run()
        if writes:
            stack.enter_context(locked(state, [_scope(manifest, location)], label))
        yield await Remotes(manifest, state, label, stack).at(location)


def _header(label: str, manifest: Manifest, purpose: str) -> Header:
    file = str(Path(manifest.file).absolute()) if manifest.file else ""
    return Header(label, manifest.name, file, manifest.canonical(), manifest.digest, __version__, "planning", purpose, time.time())


def _close_interrupted(manifest: Manifest, options: Options) -> None:
    """Runs of this manifest that were killed: we hold the lock, so none of them is alive.

    They are closed and not drained: what they finished shows in the new listing, and what they had
    under way is recognised there by its checksum. Their plan may be long out of date.
    One that writes elsewhere too is left alone: its lock is not ours, so it may well be alive.
    """
    scopes = set(_scopes(manifest))
    file = str(Path(manifest.file).absolute()) if manifest.file else ""
    for header in history(options.state):
        if header.state != "closed" and header.purpose == "run" and (header.name, header.file) == (manifest.name, file):
            if not _known_scopes(header) <= scopes:
                continue
            with contextlib.closing(Journal(_runs(options.state) / f"{header.id}.journal")) as journal:
                done = sum(s.amounts.get("done", (0, 0))[0] for s in Account(journal).stages() if s.task == "upload")
                journal.end(int(Exit.INTERRUPTED))
            options.tell(
                Note(f"run {header.id} was cut off after {done:,} uploads; what it stored is found again, not sent again")
            )


def _known_scopes(header: Header) -> set[Scope]:
    try:
        return set(_scopes(from_canonical(header.manifest)))
    except PlanStale:
        return set()  # by another version, which this one cannot run beside


def _unapplied(copy: Path, header: Header, manifest: Manifest, state: Path) -> Journal:
    """The plan's own journal in the state directory: the saved file itself is never written to.

    Looked at under the lock: who waited for another apply of the same plan finds that it is over.
    """
    ours = _runs(state) / f"{header.id}.journal"
    if not ours.exists():
        _still_true(header, manifest)
        copy.rename(ours)
    journal = Journal(ours)
    found = journal.header
    try:
        if found.state == "closed" and found.exit not in (Exit.INTERRUPTED, Exit.TERMINATED, Exit.BUDGET):
            raise PlanStale(
                f"this plan was applied already; it ended with exit code {found.exit}", hint=f"acdrun log {found.id}"
            )
        _still_true(found, manifest)
    except BaseException:
        journal.close()
        raise
    return journal


def _plan_header(copy: Path, path: Path) -> Header:
    try:
        with contextlib.closing(Journal(copy)) as plan_file:
            header = plan_file.header
    except (StateError, IndexError) as error:
        raise PlanStale(f"{str(path)!r} is no plan", hint="make one with --plan --out") from error
    if header.purpose != "plan" or header.state != "planned":
        raise PlanStale(f"{str(path)!r} is no finished plan", hint="make one with --plan --out")
    return header


def _copied(path: Path, copy: Path) -> Path:
    copy.parent.mkdir(mode=0o700, exist_ok=True)
    shutil.copyfile(path, copy)
    copy.chmod(0o600)
    return copy


def _still_true(header: Header, manifest: Manifest) -> None:
    age_s = time.time() - header.created
    if age_s > PLAN_LIFE_S:
        raise PlanStale(f"the plan was made {age_s / 3600:.0f} hours ago", hint="plans live for a day; make a new one")
    if manifest.digest != header.digest:
        raise PlanStale("the plan does not hold the manifest it was made from")
    if header.file and Path(header.file).is_file():
        from runner.manifest.load import load

        if load(Path(header.file)).digest != header.digest:
            raise PlanStale(f"{header.file} has changed since the plan was made", hint="make a new plan")


def _runs(state: Path) -> Path:
    folder = state / "runs"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def history(state: Path) -> Sequence[Header]:
    """Every run in the state directory, the latest first."""
    headers = []
    for path in sorted(_runs(state).glob("*.journal"), reverse=True):
        try:
            with contextlib.closing(Journal(path)) as journal:
                headers.append(journal.header)
        except (StateError, IndexError):
            continue  # `log` says what is wrong with one that is asked for by name
    return headers


def find_run(state: Path, label: str) -> Journal:
    """The journal of a run, by the beginning of its label; "last" is the latest. Raises NotFound, UsageError."""
    paths = sorted(_runs(state).glob("*.journal"))
    found = paths[-1:] if label == "last" else [path for path in paths if path.stem.startswith(label)]
    if not found:
        raise NotFound(f"there is no run {label!r}", hint="acdrun history lists them")
    if len(found) > 1:
        raise UsageError(f"{label!r} may be {len(found)} runs", hint=f"such as {found[0].stem} or {found[-1].stem}")
    return Journal(found[0])
