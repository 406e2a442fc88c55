"""Recall a pair: from what an earlier run did to the operations that take it back."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from runner.model.backend import Trashed
from runner.model.errors import AcdrunError
from runner.model.node import Node, same_content
from runner.model.path import name
from runner.model.tally import Amount
from runner.model.task import Context
from runner.state import undoing
from runner.state.deeds import MADE, MOVED, TOOK, Deed, deeds, folders_taken, stood_before
from runner.state.journal import Draft, Journal, OpRow

BATCH_ROWS = 1000


class Past(NamedTuple):
    """What a pair of an undo takes back.

    journal: of the run; pair: its name there. source: is it what that pair did to its source, and not to its
    destination? created: is what the run made taken away too?
    """

    journal: Journal
    pair: str
    source: bool = False
    created: bool = False

    @property
    def took(self) -> tuple[str, ...]:
        """The tasks that left nothing where something was."""
        return ("retire",) if self.source else TOOK


async def recall_pair(ctx: Context, stages: Mapping[str, int], journal: Journal, past: Past) -> None:
    """Fill the journal of an undo with the operations of one pair.

    stages: id by task of the pair's stages. Rows go over in batches, whatever the run was.
    """
    recalling = _Recalling(ctx, stages, journal, past)
    await recalling.all_deeds()
    await asyncio.to_thread(recalling.folders_above)
    await recalling.find_in_the_trash()
    await asyncio.to_thread(undoing.bind, journal, stages)
    before = await asyncio.to_thread(stood_before, past.journal, past.pair)
    there = before.plus(*recalling.created)
    left = Amount() if past.created else recalling.created
    await asyncio.to_thread(journal.count, stages["recall"], [("listed", *there), ("made", *left)])


class _Recalling:
    def __init__(self, ctx: Context, stages: Mapping[str, int], journal: Journal, past: Past) -> None:
        self._ctx, self._stages, self._journal, self._past = ctx, stages, journal, past
        self._draft = Draft()
        self._left_out = False
        self.created = Amount()

    async def all_deeds(self) -> None:
        """Write down what takes back each deed that the filter admits."""
        tasks = self._past.took + (() if self._past.source else (*MADE, *MOVED))
        rows = deeds(self._past.journal, self._past.pair, tasks)
        while batch := await asyncio.to_thread(_some, rows):
            for deed in batch:
                node = Node(name(deed.path), "folder" if deed.node == "folder" else "file", deed.size)
                if not deed.path:
                    continue  # the root was not there, and stays
                if self._ctx.pair.filter.admits(deed.path, node):
                    self._take_back(await self._supposed(deed))
                else:
                    self._left_out = True
            await asyncio.to_thread(self._write)

    def _take_back(self, deed: Deed) -> None:
        if deed.task in MOVED:
            self._row("unmove", deed, "moved by that run", origin=deed.path, path=deed.origin)
        elif deed.task in self._past.took:
            if deed.ref or deed.state != "done" or deed.again:  # else it was gone before that run came to it
                if self._past.source:  # then what was trashed is what is called the source's in its row
                    deed = deed._replace(destination=deed.source, digest=deed.ours)
                self._row("restore", deed, "trashed by that run", left=False)
        elif deed.destination is not None:
            self._row("restore", deed._replace(size=0), "replaced by that run")
        else:
            self.created = self.created.plus(int(deed.node == "file"), deed.size)
            if self._past.created:
                task = "discard" if deed.node == "file" else "clear"
                self._row(task, deed._replace(ref=""), "made by that run")

    def _row(
        self, task: str, deed: Deed, reason: str, *, path: str = "", origin: str = "", left: bool = True
    ) -> None:
        place = self._journal.new_path()
        self._draft.paths.append((place, None, path or deed.path))
        for name_, waits in (("look", 0), (task, 1)):
            self._draft.ops.append(
                OpRow(
                    self._stages[name_], place, deed.node, deed.size, waits, deed.destination,
                    deed.stored if left else None, None, deed.digest, deed.ours if left else "", origin, reason,
                    ref=deed.ref,
                )
            )  # fmt: skip

    def _write(self) -> None:
        draft, self._draft = self._draft, Draft()
        self._journal.add(draft)

    async def _supposed(self, deed: Deed) -> Deed:
        """A run that was cut off did not write down what it sent: it can still be known by the source's digest."""
        if (deed.task, deed.state, deed.ours) != ("upload", "taken", "") or not deed.source:
            return deed
        ctx = self._ctx
        known = ctx.hashes.known(ctx.source.place, [deed.source], ctx.algorithm).get(deed.source)
        if known is None:
            try:
                known = await ctx.source.checksum(deed.path, ctx.algorithm, expect=deed.source)
            except AcdrunError:
                return deed  # the source has moved on, or is gone: then nothing is supposed
        return deed._replace(ours=str(known))

    def folders_above(self) -> None:
        """A folder that the filter did not admit is needed all the same for what comes back into it."""
        more = self._left_out
        while more:
            more, last = False, ""
            while missing := undoing.folders_missing(
                self._journal, self._stages["restore"], self._stages["unmove"], last
            ):
                found = folders_taken(self._past.journal, self._past.pair, self._past.took, missing)
                for deed in found:
                    self._take_back(deed)
                self._write()
                more, last = more or bool(found), missing[-1]

    async def find_in_the_trash(self) -> None:
        """What has no reference is looked for: the trash, or the replacing, lost its answer or its process."""
        wanted = await asyncio.to_thread(undoing.without_ref, self._journal, self._stages["restore"])
        if not wanted:
            return
        by_path: dict[str, list[undoing.Wanted]] = defaultdict(list)
        for one in wanted:
            by_path[one.path].append(one)
        found: dict[int, Trashed] = {}
        async for page in self._ctx.destination.trashed():
            for entry in page:
                for one in by_path.get(entry.path or "", ()):
                    if _is(entry, one) and _later(entry, found.get(one.op)):
                        found[one.op] = entry
        refs = {op: entry.ref for op, entry in found.items()}
        await asyncio.to_thread(undoing.found, self._journal, self._stages, refs)


def _is(entry: Trashed, one: undoing.Wanted) -> bool:
    """Only what is proven to be the old content is taken for it, by its generation or its digest."""
    if entry.node.kind != "file":
        return False
    checksum = entry.node.checksum
    return same_content(one.generation, entry.node.generation) or (
        checksum is not None and str(checksum) == one.digest
    )


def _later(entry: Trashed, other: Trashed | None) -> bool:
    return other is None or (entry.when_ns or 0) > (other.when_ns or 0)


def _some(rows: Iterable[Deed]) -> list[Deed]:
    batch = []
    for deed in rows:
        batch.append(deed)
        if len(batch) == BATCH_ROWS:
            break
    return batch
