"""Verify: prove what is there, and put right what is damaged where that is asked for."""

import contextlib
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from runner.app.choosing import only_pairs
from runner.app.draining import drain, header_of, holding
from runner.app.named import file_of
from runner.app.options import Options, Result
from runner.app.past import CUT_OFF, close_unfinished, journals, next_label, runs_folder
from runner.app.places import scopes
from runner.manifest.manifest import Manifest
from runner.model.errors import Locked
from runner.model.events import Note
from runner.model.exits import Exit, gravest
from runner.model.finding import REPAIRED
from runner.model.proving import Proving, Selection
from runner.model.task import Context
from runner.plan.prove import Proof
from runner.plan.repair import Repair
from runner.state.findings import Chosen, exits_but, last_part
from runner.state.journal import Header, Journal
from runner.state.locks import Scope, holder, locked
from runner.tasks import PER_PAIR, PROVING


@dataclass(frozen=True, slots=True)
class Asked:
    """What a verification is to look at.

    read: read the destination's bytes back, whatever its listing says. parts: how many verifications together
    read every file; 1 reads all at once.
    """

    read: bool = False
    parts: int = 1


class Repaired(NamedTuple):
    """A repair and the verification after it. number: findings that it was to put right; code: what all comes to."""

    number: int
    run: Result
    again: Result
    code: Exit


async def verify(manifest: Manifest, options: Options, asked: Asked) -> Result:
    """Compare both sides of every pair by content, and write down what is not proven. Nothing else is written.

    It takes no lock on the destination: a run may write meanwhile, and what it changes is told as changed.
    Two verifications of one manifest wait for each other, for they would read the same part.
    """
    return await _verify(only_pairs(manifest, ()), options, asked, {})


async def repair(result: Result, manifest: Manifest, options: Options, asked: Asked) -> Repaired | None:
    """Send again what a verification found missing or damaged, and verify that; None when there is nothing to send.

    It is a run like any other, of these paths alone: with its lock, its guards, and the old bytes in the trash.
    result: of `verify` on the same manifest, open.
    """
    chosen = {pair.name: Chosen(result.journal, pair.name, REPAIRED) for pair in manifest.pairs}
    chosen = {name: some for name, some in chosen.items() if some.number}
    if not chosen:
        return None
    part = only_pairs(manifest, tuple(chosen))
    label = next_label(options.state)
    with holding(part, options, label):
        path = runs_folder(options.state) / f"{label}.journal"
        with contextlib.closing(Journal.create(path, header_of(label, part, "repair"))) as journal:
            code = await drain(
                journal, part, options, planning=False, tasks=PER_PAIR,
                fit=lambda ctx: replace(ctx, expansion=functools.partial(Repair, chosen[ctx.pair.name])),
            )  # fmt: skip
    if code in (Exit.INTERRUPTED, Exit.TERMINATED):
        again = Result(path, code)
    else:
        again = await _verify(part, options, replace(asked, parts=1), chosen)
    number = sum(one.number for one in chosen.values())
    return Repaired(number, Result(path, code), again, gravest(_left(result), code, again.code))


def _left(result: Result) -> Exit:
    """What a verification comes to but for what a repair puts right."""
    stopped = {result.code} & set(CUT_OFF)
    return gravest(*stopped, *(Exit(code) for code in exits_but(result.journal, REPAIRED)))


async def _verify(
    manifest: Manifest, options: Options, asked: Asked, only: Mapping[str, Selection]
) -> Result:
    label = next_label(options.state)
    with _alone(manifest, options, label):
        close_unfinished(manifest, options.state, "verify")
        turn = {
            pair.name: Proving(
                asked.read,
                next_part(manifest, options.state, pair.name, asked.parts),
                asked.parts,
                last_good_ns(manifest, options.state, pair.name),
                only.get(pair.name),
            )
            for pair in manifest.pairs
        }
        if (busy := holder(options.state, list(scopes(manifest)))) is not None:
            options.tell(Note(f"what is under way there may be told as changed: {busy}"))
        path = runs_folder(options.state) / f"{label}.journal"
        header = header_of(label, manifest, "reverify" if only else "verify")
        with contextlib.closing(Journal.create(path, header)) as journal:

            def fit(ctx: Context) -> Context:
                return replace(ctx, proving=turn[ctx.pair.name], expansion=Proof)

            return Result(
                path, await drain(journal, manifest, options, planning=False, tasks=PROVING, fit=fit)
            )


@contextlib.contextmanager
def _alone(manifest: Manifest, options: Options, label: str) -> Iterator[None]:
    name = file_of(manifest) or manifest.name
    try:
        with locked(options.state, [scope_of_verify(manifest)], label, wait_s=options.wait_lock_s):
            yield
    except Locked as error:
        raise Locked(f"{name!r} is being verified already", hint=error.hint) from error


def scope_of_verify(manifest: Manifest) -> Scope:
    """What a verification holds while it goes on."""
    return Scope("verify", (file_of(manifest) or manifest.name).lstrip("/"))


def next_part(manifest: Manifest, state: Path, pair: str, parts: int) -> int:
    """The part after the one that was read last; the first where nothing is known."""
    if parts == 1:
        return 0
    for header, path in journals(state):
        if header.purpose == "verify" and header.state == "closed" and _same(header, manifest):
            with contextlib.closing(Journal(path)) as journal:
                if (part := last_part(journal, pair, parts)) is not None:
                    return part if header.exit in CUT_OFF else (part + 1) % parts
    return 0


def last_good_ns(manifest: Manifest, state: Path, pair: str) -> int | None:
    """When the pair's last good run began, ns since 1970; None where none is known."""
    for header, path in journals(state):
        good = header.purpose in ("run", "apply") and header.exit in (Exit.CONVERGED, Exit.INCOMPLETE)
        if good and _same(header, manifest):
            with contextlib.closing(Journal(path)) as journal:
                if any(stage.pair == pair for stage in journal.stages()):
                    return int(header.created * 1e9)
    return None


def _same(header: Header, manifest: Manifest) -> bool:
    return (header.name, header.file) == (manifest.name, file_of(manifest))
