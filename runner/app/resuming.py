"""Going on with what was cut off."""

import contextlib
from pathlib import Path
from typing import NamedTuple

from runner.app.applying import unapplied
from runner.app.choosing import only_pairs
from runner.app.draining import drain, holding
from runner.app.options import Options, Result
from runner.app.past import CUT_OFF, find_run, journals, runs_folder
from runner.app.plans import Saved
from runner.app.proving import Asked
from runner.manifest.manifest import Manifest, from_canonical
from runner.model.errors import PlanStale, UsageError
from runner.model.operation import OPEN, State
from runner.model.path import show
from runner.state.account import Account
from runner.state.journal import Header, Journal
from runner.state.locks import holders

VERIFIES = ("verify", "reverify")
"""Purposes that write nothing: of a verification, and of the one after a repair."""


class Cut(NamedTuple):
    """A run that was cut off. where: what was under way, in words, "" when nothing was."""

    header: Header
    where: tuple[str, ...]


def cut_off(state: Path, label: str | None) -> Cut | None:
    """The run of that label, or the latest that was cut off and that no later one has made good; None for none.

    Raises UsageError for a run that was named and is going on, or has ended by itself.
    """
    alive = holders(state)
    if label is not None:
        with contextlib.closing(find_run(state, label)) as journal:
            header = journal.header
        if header.id in alive:
            raise UsageError(f"run {header.id} is going on", hint=alive[header.id])
        return _cut(state, header) if _is_cut(header) else None
    ended: set[tuple[str, str, str]] = set()
    for header, _ in journals(state):
        kind = header.name, header.file or header.digest, _kind(header)
        if _is_cut(header) and header.id not in alive and kind not in ended:
            return _cut(state, header)
        ended.add(kind)
    return None


def again(header: Header) -> Manifest:
    """The manifest of a run that is to be run again: today's file, which must not have changed.

    Raises UsageError when it has: what was cut off then is not what would be run now.
    """
    if not header.file:
        return _manifest(header)
    from runner.manifest.load import load

    manifest = load(Path(header.file))
    if manifest.digest != header.digest:
        raise UsageError(
            f"{show(header.file)} has changed since run {header.id}",
            hint=f"to run it as it is now: acdrun {show(header.file)}",
        )
    return manifest


def same_pairs(header: Header) -> Manifest:
    """The pairs that a verification was of, as the file has them now. Raises UsageError when one is gone."""
    from runner.manifest.load import load

    names = tuple(pair.name for pair in _manifest(header).pairs)
    return only_pairs(load(Path(header.file)), names)


async def go_on(header: Header, options: Options) -> Result:
    """Drain the plan whose apply was cut off. Raises PlanStale when it is no longer true."""
    manifest = _manifest(header)
    with contextlib.closing(find_run(options.state, header.id)) as ours:
        saved = Saved(header.id, ours.database.path, header, ours.validity, None, "own")
    with (
        holding(manifest, options, header.id),
        contextlib.closing(unapplied(saved, manifest, options.state, None)) as journal,
    ):
        return Result(journal.database.path, await drain(journal, manifest, options, planning=False))


def asked_of(header: Header, state: Path) -> Asked:
    """What the verification of that run was to look at."""
    with contextlib.closing(find_run(state, header.id)) as journal:
        account = Account(journal)
        counts = [
            what for stage in journal.stages() if stage.task == "match" for what in account.counts(stage.id)
        ]
    parts = [int(what.rpartition("/")[2]) for what in counts if what.startswith("part ")]
    return Asked("reading" in counts, max(parts, default=1))


def _is_cut(header: Header) -> bool:
    return header.state != "closed" or header.exit in CUT_OFF


def _kind(header: Header) -> str:
    return "verify" if header.purpose in VERIFIES else "run"


def _manifest(header: Header) -> Manifest:
    try:
        return from_canonical(header.manifest)
    except PlanStale as error:
        raise UsageError(
            f"run {header.id} was made by another version", hint="run its manifest again"
        ) from error


def _cut(state: Path, header: Header) -> Cut:
    path = runs_folder(state) / f"{header.id}.journal"
    where = []
    with contextlib.closing(Journal(path)) as journal:
        for stage in Account(journal).stages():
            done = stage.amounts.get(State.DONE)
            left = sum(stage.amounts[one].number for one in OPEN if one in stage.amounts)
            if left:
                finished = done.number if done else 0
                where.append(f"{stage.pair}: {stage.task}: {finished:,} of {finished + left:,} done")
            elif stage.task == "match" and stage.state in ("open", "waiting"):
                where.append(f"{stage.pair}: the two sides were still being listed")
    return Cut(header, tuple(where))
