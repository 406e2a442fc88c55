"""Expand a pair into what a verification has to read, and write down what it finds without reading."""

from collections.abc import Collection, Sequence

from runner.model.finding import Finding, judge
from runner.model.node import Folder, Node
from runner.model.path import join, parent
from runner.model.proving import Proving
from runner.model.tally import Amount
from runner.model.task import Context
from runner.plan.decide import Verdict, decide, facts
from runner.plan.expand import Expansion, _Extra
from runner.plan.match import Pairing
from runner.plan.remember import remembered
from runner.state.journal import Journal, ProblemRow
from runner.tasks.prove import facts_of


class Proof(Expansion):
    """The same walk as of a run, with other rules at its end: nothing is planned that writes.

    Files whose digests are known on both sides need no row; the others get one for the task `prove`.
    Only the source's digests may come from the cache: the destination's bytes are what is in doubt.
    """

    each = True

    def __init__(self, ctx: Context, stages: dict[str, int], journal: Journal) -> None:
        super().__init__(ctx, stages, journal)
        self._proving = ctx.proving or Proving()
        self._compare = "hash"
        self._folder = ""
        self._names: dict[str, bool] = {}
        self._looked = f"part {self._proving.part}/{self._proving.parts}"
        self.counts[self._looked] = Amount()
        if self._proving.read:
            self.counts["reading"] = Amount()

    def _decide(self, pairing: Pairing, free: Collection[str]) -> Verdict:
        source, destination, _ = pairing
        return decide(facts(source, destination, self._pair.mode, self._compare, self._step_ns))

    def _remembered(self, pairings: Sequence[Pairing]) -> Sequence[Pairing]:
        return remembered(pairings, self._ctx, both=False)

    def _act(self, path: str, folder: int | None, pairing: Pairing, verdict: Verdict) -> None:
        source, destination, _ = pairing
        node = source or destination
        assert node is not None
        where = join(path, node.name)
        if source is None and node.kind == "folder" and self._pair.mode == "mirror":
            self._extras[join(self._there, node.name)] = _Extra(where, 0, None, "")
        if destination is None and node.kind == "folder":
            self._made[where] = 0
        if self._chosen(path, node.name):
            self._judge(where, node, pairing)

    def _judge(self, path: str, node: Node, pairing: Pairing) -> None:
        source, destination, alias = pairing
        if source is not None and alias:
            source = source._replace(name=alias)
        found = judge(facts_of(source, destination, self._ctx, read=False))
        if found.word in ("proven", "unproven") and node.kind == "folder":
            return
        if found.word == "unproven" or (found.word == "proven" and self._proving.read):
            self._read(path, node, pairing)
        elif found.word == "proven":
            self._count(f"proven {self._ctx.algorithm}", node)
        elif found.word == "left":
            self._count("left", node)
        else:
            self._found(path, found)

    def _read(self, path: str, node: Node, pairing: Pairing) -> None:
        if not self._proving.looks_at(path):
            self._count("later", node)
            return
        self._count(self._looked, node)
        target = join(parent(path), pairing.alias) if pairing.alias else ""
        place, reason = self._path(path, None), "its content is to be proven"
        self._row("prove", place, node, 0, reason, pairing.destination, target=target)

    def _found(self, path: str, found: Finding) -> None:
        self.draft.problems.append(
            ProblemRow(self._stages["prove"], path, found.word, found.reason, int(found.exit))
        )

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
        """All that the walk itself asks for is the root, where the destination has none."""
        self._found(path, judge(facts_of(node, None, self._ctx, read=False)))
        return 0

    def _enter(self, destination: Folder | None) -> None:
        if destination is not None:
            self._extras.pop(destination.path, None)  # what is extra is told of, and not trashed

    def _chosen(self, folder: str, name: str) -> bool:
        if self._proving.only is None:
            return True
        if folder != self._folder or not self._names:
            self._folder, self._names = folder, self._proving.only.names(folder)
        return self._names.get(name, False)
