"""What the tasks of each pair work with."""

import contextlib
import functools
from collections.abc import AsyncIterator

from runner.app.chained import chained
from runner.app.memory import last_places, pair_key
from runner.app.options import Options
from runner.app.places import Indexing, Remotes, scope
from runner.manifest.manifest import Manifest
from runner.model.errors import UsageError
from runner.model.events import Listener
from runner.model.pair import Pair
from runner.model.tally import Claims
from runner.model.task import Context
from runner.plan.decide import common_algorithm, proof_of_change
from runner.remote.remote import Remote
from runner.state.account import Account
from runner.state.hashes import Hashes
from runner.state.history import History
from runner.state.identities import Identities
from runner.state.journal import Journal
from runner.state.renames import Renames
from runner.state.trashing import Trashing


@contextlib.asynccontextmanager
async def contexts_of(
    journal: Journal, manifest: Manifest, options: Options, tell: Listener
) -> AsyncIterator[dict[str, Context]]:
    """A context per pair; remotes are opened once each and closed at the end."""
    account = Account(journal)
    async with contextlib.AsyncExitStack() as stack:
        hashes = stack.enter_context(contextlib.closing(Hashes(options.state / "hashes.db")))
        history = stack.enter_context(contextlib.closing(History(options.state)))
        guards = {stage.pair: stage.id for stage in journal.stages() if stage.task == "guard"}
        indexing = Indexing(tell, options.fresh) if _goes_by_an_index(journal, manifest) else None
        remotes = Remotes(manifest, options.state, journal.header.id, stack, indexing)
        contexts: dict[str, Context] = {}
        doors, claims = _doors(journal), dict[int, Claims]()
        places = last_places(history, manifest)
        for pair in manifest.pairs:
            source, destination = await remotes.at(pair.source), await remotes.at(pair.destination)
            _check_proof(pair, source, destination)
            algorithm = common_algorithm(source.can, destination.can)
            tally = functools.partial(account.tally, pair.name)
            not_yet = filled_by(pair, manifest) if journal.header.state == "planning" else ""
            source = chained(pair, source, manifest, journal, contexts.__getitem__, hashes.known)
            key = pair_key(manifest, pair)
            contexts[pair.name] = Context(
                pair, source, destination, algorithm, hashes, tally, tell,
                checked=functools.partial(journal.check, guards.get(pair.name, 0)),
                identities=Identities(journal, pair.name, places[pair.name], options.new_places),
                trashing=Trashing(journal, pair.name),
                renames=Renames(journal, pair.name, step_ns=_step_ns(pair, source, destination)),
                last=history.last(key) if key else None,
                by_time=_by_time(pair, source, destination),
                filled_by=not_yet,
                scopes=(scope(manifest, pair.source), scope(manifest, pair.destination)),
                claims=claims.setdefault(doors.get(pair.name, 0), Claims()),
            )  # fmt: skip
        yield contexts


def _doors(journal: Journal) -> dict[str, int]:
    """By pair, the stage behind which it is carried out. What was stored behind an earlier one is not free any more,
    but where all is only planned, nothing is stored before the last.
    """
    if journal.header.purpose == "plan":
        return {}
    stages = {stage.id: stage for stage in journal.stages()}
    doors = [(stages[one.before].pair, one.after) for one in journal.bindings()
             if (stages[one.before].task, stages[one.after].task) == ("guard", "accept")]  # fmt: skip
    return dict(sorted(doors, reverse=True))  # the first of each: the later ones wait for it as well


def _goes_by_an_index(journal: Journal, manifest: Manifest) -> bool:
    """A verification trusts nothing, and a copy that is asked for once is not worth an index.

    The apply of a plan lists nothing, but has to know what its plan went by.
    """
    return bool(manifest.file) and journal.header.purpose in ("run", "plan", "apply")


def _step_ns(pair: Pair, source: Remote, destination: Remote) -> int | None:
    """How finely the pair compares times, in ns; None where times make no file changed."""
    steps = source.can.mtime_ns, destination.can.mtime_ns
    by = proof_of_change(pair.checksum.compare, source.can, destination.can)
    return max(step or 0 for step in steps) if by == "time" else None


def _by_time(pair: Pair, source: Remote, destination: Remote) -> str:
    if proof_of_change(pair.checksum.compare, source.can, destination.can) == "time":
        return "the pair is compared by time"
    return "the filter asks how old files are" if pair.filter.ages else ""


def filled_by(pair: Pair, manifest: Manifest) -> str:
    """The hook that runs before the pair and may write to its source, in words; "" when there is none."""
    job = manifest.job(pair.job)
    return f"the hook before {job.name!r}" if job.before else ""


def _check_proof(pair: Pair, source: Remote, destination: Remote) -> None:
    try:
        proof_of_change(pair.checksum.compare, source.can, destination.can)
    except UsageError as error:
        error.place = pair.place
        raise
