"""Expand a pair into operations, folder by folder, while its listings are matched."""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import ClassVar

from runner.model.errors import Blocked
from runner.model.node import Folder, Gap, Node
from runner.model.nodes import NONE, Nodes
from runner.model.path import fold, join, name, within
from runner.model.tally import Amount
from runner.model.task import Context
from runner.plan.alike import Alike
from runner.plan.decide import Verdict, alone, common_algorithm, decide, facts, proof_of_change
from runner.plan.fits import unfit
from runner.plan.match import Pairing, pair_names
from runner.plan.part import Part, taking_part
from runner.plan.remember import Digests, listed_digest, remembered
from runner.state.journal import Draft, Journal, OpRow, ProblemRow

__all__ = ["Expansion", "common_algorithm"]


@dataclass(slots=True)
class _Extra:
    """A destination folder that the source lacks; it is trashed after all it holds, if all of it may go.

    children: how many operations that trash what lies directly in it were planned; stays: it holds
    something that stays, so it does too.
    """

    path: str
    id: int
    parent: int | None
    generation: str
    children: int = 0
    stays: bool = False


class Expansion:
    """Turns pairings into rows of the journal.

    Memory is bounded by the names of one folder and the depth of the tree. `draft` gathers the rows until
    the caller writes them down; `counts` what needs no row.
    each: every pairing is acted on. Otherwise those that need nothing are counted together; not in a move, which
        retires them.
    """

    each: ClassVar[bool] = False

    def __init__(self, ctx: Context, stages: dict[str, int], journal: Journal) -> None:
        self._ctx = ctx
        self._pair = ctx.pair
        self._stages = stages
        self._new_path = journal.new_path
        self._compare = proof_of_change(ctx.pair.checksum.compare, ctx.source.can, ctx.destination.can)
        steps = ctx.source.can.mtime_ns, ctx.destination.can.mtime_ns
        self._step_ns = None if None in steps else max(step for step in steps if step is not None)
        self._can = ctx.destination.can
        self._folds = self._can.folds
        self._alike = Alike(ctx.pair.mode, self._compare, timed=self._step_ns is not None)
        self._made: dict[str, int | None] = {}  # None: it comes with the first file in it
        self._respelled: list[tuple[str, int]] = []
        self._extras: dict[str, _Extra] = {}  # by the path as the destination spells it now
        self._at = self._there = ""
        self._open: list[_Extra] = []
        self._skips: set[str] = set()
        self._skip: str | None = None
        self._removes = False
        self.draft = Draft()
        self.counts: dict[str, Amount] = defaultdict(Amount)
        self.blocked = 0

    def feed(self, source: Folder | None, destination: Folder | None) -> None:
        """Work on one folder: at least one side has it. Folders come in path order, in folded where names fold.

        Paths of operations are spelled as the source does. A destination that folds is led by them to the same
        nodes before its folders are respelled and after.
        """
        self._there = destination.path if destination else ""
        path = self._at = source.path if source else self._spelled(self._there)
        self._leave(path)
        if self._skipped(path) or not self._decided(path, source, destination):
            return
        if path == "" and destination is None and self._can.folders:
            self._made[""] = self._op(
                "mkdir", "", Node("", "folder"), None, "the destination does not exist yet"
            )
        folder = self._made.pop(path, None)
        self._enter(destination)
        if destination is None and source and not source.nodes and not source.gaps and not self._can.folders:
            self.counts["unkept"] = self.counts["unkept"].plus(1, 0)
        ours, theirs, names = self._part(path, source, destination)
        if not (self.each or names.aliases or self._pair.mode == "move"):
            ours, theirs = self._settle(ours, theirs)
        unsure = []
        for pairing in pair_names(ours, theirs, folds=self._folds, aliases=names.aliases):
            verdict = self._decide(pairing, names.free)
            if "hash" in verdict.tasks:
                unsure.append(pairing)
            else:
                self._act(path, folder, pairing, verdict)
        for pairing in self._remembered(unsure):
            self._act(path, folder, pairing, self._decide(pairing, names.free))

    def end(self) -> None:
        """Both listings are at their end. What removes nothing needs no barrier."""
        self._leave(None)
        if self._removes:
            self._op("barrier", "", Node("", "folder"), None, "the last look before anything is removed")

    def _decided(self, path: str, source: Folder | None, destination: Folder | None) -> bool:
        """A folder of one side only is worked on when its own pairing was decided so, and otherwise left alone:
        it stands below something that is blocked, or that copy leaves as it is.
        """
        if path == "" or (source and destination):
            return True
        decided = path in self._made if source else self._there in self._extras
        if not decided:
            self._skip = self._key(path)
        return decided

    def _settle(self, ours: Nodes, theirs: Nodes) -> tuple[Nodes, Nodes]:
        """Count what needs nothing, and return the rest."""
        if not ours or not theirs:
            return ours, theirs
        ctx, alike = self._ctx, self._alike
        here = there = None
        if alike.proof == "checksum":
            here, there = Digests(ours, ctx.source, ctx), Digests(theirs, ctx.destination, ctx)
        if alike.all(ours, theirs, proven=bool(here and there and here.same(there))):
            self._unchanged(ours)
            return NONE, NONE
        names = alike.of(ours, theirs, here.by_name() if here else {}, there.by_name() if there else {})
        self._unchanged(ours if len(names) == len(ours) else ours.only(names))
        return ours.without(names), theirs.without(names)

    def _unchanged(self, nodes: Nodes) -> None:
        if files := nodes.number("file"):
            self._add(f"unchanged {self._proof(self._alike.verdict)}", Amount(files, nodes.size()))

    def _decide(self, pairing: Pairing, free: Collection[str]) -> Verdict:
        source, destination, alias = pairing
        if source is not None and alias:
            source = source._replace(name=alias)
        if source is not None and destination is None:
            verdict = alone(source.kind, self._pair.mode, self._compare)
        else:
            verdict = decide(facts(source, destination, self._pair.mode, self._compare, self._step_ns))
        if "upload" in verdict.tasks and source is not None:
            return unfit(source, self._at, self._can) or verdict
        if alias and verdict.sign == "=" and pairing.name in free:
            return Verdict(">", "its own name is free again", ("move",))
        return verdict

    def _part(self, path: str, source: Folder | None, destination: Folder | None) -> Part:
        """What can be compared; what cannot is written down."""
        for side, folder in (("list source", source), ("list destination", destination)):
            for gap in folder.gaps if folder else ():
                self._gap(side, gap)
        part = taking_part(source, destination, self._pair, path, folds=self._folds)
        if part.names.refused:
            both = [node for folder in (source, destination) if folder for node in folder.nodes]
            folders = {self._key(node.name) for node in both if node.kind == "folder"}
            for this, why in part.names.refused.items():
                self._problem(join(path, this), Blocked(why), folder=self._key(this) in folders)
        return part

    def _remembered(self, pairings: Sequence[Pairing]) -> Sequence[Pairing]:
        """The same pairings with the checksums that the cache knows."""
        return remembered(pairings, self._ctx)

    def _act(self, path: str, folder: int | None, pairing: Pairing, verdict: Verdict) -> None:
        source, destination, alias = pairing
        node = source or destination
        assert node is not None
        where, target = join(path, node.name), join(path, alias) if alias else ""
        if alias and "move" not in verdict.tasks:
            self._count("aliased", node)
        if verdict.sign == "=":
            if node.kind == "file":
                self._count(f"unchanged {self._proof(verdict)}", node)
                if self._pair.mode == "move":
                    place = self._path(where, None)
                    self._row("retire", place, node, 0, verdict.reason, destination, target=target)
            return
        if verdict.sign == " ":
            self._count("left", node)
            if self._open:
                self._open[-1].stays = True
        elif verdict.sign == "!":
            either = "folder" in (source and source.kind, destination and destination.kind)
            self._problem(where, Blocked(verdict.reason), folder=either)
        elif verdict.sign == "-":
            self._trash(where, node, verdict.reason)
        elif "mkdir" in verdict.tasks:
            made = self._op("mkdir", where, node, folder, verdict.reason) if self._can.folders else None
            self._made[where] = made
        elif "respell" in verdict.tasks and destination is not None:
            self._respell(where, node, destination, verdict, join(path, destination.name))
        elif "move" in verdict.tasks and destination is not None:
            self._move(where, node, verdict, destination, join(path, destination.name))
        else:
            self._upload(where, node, folder, verdict, destination, target)

    def _proof(self, verdict: Verdict) -> str:
        return self._ctx.algorithm if verdict.proof == "checksum" else verdict.proof

    def _upload(
        self, path: str, node: Node, folder: int | None, verdict: Verdict, old: Node | None, target: str
    ) -> None:
        waits = int(folder is not None)
        place = self._path(path, folder)
        if "hash" in verdict.tasks:
            self._row("hash", place, node, 0, verdict.reason, old, target=target)
            waits += 1
        self._row("upload", place, node, waits, verdict.reason, old, target=target)
        checksum = self._pair.checksum
        if checksum.verify == "readback" and _share(path) < checksum.sample:
            self._row("verify", place, node, 1, "reading back is the pair's policy", old, target=target)
        if self._pair.mode == "move":
            self._row("retire", place, node, 0, "sent by this run", target=target)

    def _respell(self, path: str, node: Node, old: Node, verdict: Verdict, origin: str) -> None:
        """Folders are respelled from the top down; one waits for the nearest above it that is."""
        while self._respelled and not within(path, self._respelled[-1][0]):
            self._respelled.pop()
        above = self._respelled[-1][1] if self._respelled else None
        place = self._op("respell", path, node, above, verdict.reason, old, origin=origin)
        self._respelled.append((path, place))

    def _move(self, path: str, node: Node, verdict: Verdict, old: Node, origin: str) -> None:
        place, unproven = self._path(path, None), "hash" in verdict.tasks
        if unproven:
            self._row("hash", place, node, 0, verdict.reason, old, origin)
        self._row("move", place, node, int(unproven), verdict.reason, old, origin)
        if self._pair.mode == "move":
            self._row("retire", place, node, 0, verdict.reason, old, origin)

    def _trash(self, path: str, node: Node, reason: str) -> None:
        inside = self._open[-1] if self._open else None
        parent = inside.id if inside else None
        if node.kind == "folder":
            there = join(self._there, node.name)
            self._extras[there] = _Extra(path, self._new_path(), parent, node.generation)
            return
        self._row("trash", self._path(path, parent), node, 0, reason, node)
        if inside:
            inside.children += 1

    def _spelled(self, there: str) -> str:
        """The path of a folder that only the destination has, below others as the source spells them."""
        extra = self._extras.get(there)
        return extra.path if extra else there

    def _enter(self, destination: Folder | None) -> None:
        extra = self._extras.pop(destination.path, None) if destination is not None else None
        if extra is not None and destination is not None:
            extra.stays = bool(destination.excluded or destination.gaps)
            self._open.append(extra)

    def _leave(self, path: str | None) -> None:
        """Extra folders that the walk has left are trashed after what they hold, unless something in them stays."""
        while self._open and (path is None or not within(path, self._open[-1].path)):
            extra = self._open.pop()
            above = self._open[-1] if self._open else None
            if extra.stays:
                self._count("left", Node("", "folder"))
                if above:
                    above.stays = True
                continue
            if not self._can.folders:
                continue
            self.draft.paths.append((extra.id, extra.parent, extra.path))
            node = Node(name(extra.path), "folder", generation=extra.generation)
            self._row("trash", extra.id, node, extra.children, "not in the source any more", node)
            if above:
                above.children += 1

    def _op(
        self,
        task: str,
        path: str,
        node: Node,
        folder: int | None,
        reason: str,
        old: Node | None = None,
        *,
        origin: str = "",
    ) -> int:
        place = self._path(path, folder)
        self._row(task, place, node, int(folder is not None), reason, old, origin)
        return place

    def _path(self, path: str, folder: int | None) -> int:
        place = self._new_path()
        self.draft.paths.append((place, folder, path))
        return place

    def _row(
        self,
        task: str,
        place: int,
        node: Node,
        waits: int,
        reason: str,
        old: Node | None = None,
        origin: str = "",
        target: str = "",
    ) -> None:
        gone = task == "trash"
        self._removes |= gone or task == "retire"
        self.draft.ops.append(
            OpRow(
                self._stages[task], place, node.kind, node.size, waits, None if gone else node.generation,
                None if old is None else old.generation, node.mtime_ns,
                "" if gone else listed_digest(node, self._ctx), "" if old is None else listed_digest(old, self._ctx),
                origin, reason, target,
            )
        )  # fmt: skip

    def _gap(self, side: str, gap: Gap) -> None:
        self._skips.add(self._key(gap.path))
        self.blocked += isinstance(gap.error, Blocked)
        exit_code = 1 if self._pair.unreadable == "fail" and side == "list source" else 3
        error = gap.error
        self.draft.problems.append(
            ProblemRow(
                self._stages[side], gap.path, error.kind, error.message, exit_code if error.exit else 0
            )
        )

    def _problem(self, path: str, error: Blocked, *, folder: bool) -> None:
        self.blocked += 1
        if folder:
            self._skips.add(self._key(path))
        self.draft.problems.append(
            ProblemRow(self._stages["match"], path, error.kind, error.message, error.exit)
        )

    def _skipped(self, path: str) -> bool:
        """Is it, in any spelling, a folder that is left alone, or below one?"""
        key = self._key(path)
        if self._skip is not None and within(key, self._skip):
            return True
        self._skip = key if key in self._skips else None
        return self._skip is not None

    def _key(self, path: str) -> str:
        return fold(path) if self._folds else path

    def _count(self, what: str, node: Node) -> None:
        self._add(what, Amount(int(node.kind == "file"), node.size))

    def _add(self, what: str, amount: Amount) -> None:
        self.counts[what] = self.counts[what].plus(*amount)


def _share(path: str) -> float:
    """A number from 0 to 1 that belongs to the path, so that a plan and its run read back the same files."""
    digest = hashlib.blake2b(path.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64
