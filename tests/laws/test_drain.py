"""Every drain of a journal follows the leaf graph that stages, edges and paths stand for.

The slower truth: the graph written out, an operation a vertex, in networkx.
"""

import asyncio
import contextlib
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import networkx
from hypothesis import given, settings
from hypothesis import strategies as st

from runner import app
from runner.app.contexts import contexts_of
from runner.engine.reading import read_pair
from runner.manifest.manifest import Manifest
from runner.model.events import silent
from runner.model.operation import Outcome, State
from runner.model.path import parent
from runner.plan.graph import StageGraph
from runner.state.journal import Header, Journal
from runner.state.queue import Queue
from tests.lab.worlds import World

from .trees import PLAIN, Nested, flat, trees, world

Leaf = tuple[str, int]
"""("op", id), or ("begin" or "end", stage): so that a whole stage costs two vertices and not its square."""


class Row(NamedTuple):
    """An operation as the journal has it: the pair and task that it belongs to, and its path as text."""

    id: int
    stage: int
    pair: str
    path: str


@contextlib.contextmanager
def planned(here: World, manifest: Manifest) -> Iterator[Journal]:
    """A journal with all stages, and the operations of every pair, before any of them is taken."""
    header = Header("law", "law", "", manifest.canonical(), manifest.digest, "0", "planning", "run", 0.0)
    with contextlib.closing(Journal.create(Path(here.folder) / "law.journal", header)) as journal:
        graph = StageGraph(manifest.jobs, manifest.pairs, planning=False)
        journal.add_stages(graph.stages, graph.bindings)

        async def read() -> None:
            async with contexts_of(journal, manifest, app.Options(here.state), silent) as contexts:
                for name, ctx in contexts.items():
                    await read_pair(ctx, {s.title: s.id for s in graph.stages if s.pair == name}, journal)

        asyncio.run(read())
        yield journal


class Truth:
    """The leaf graph. after: what has to come first; needs: what has to succeed for another to be done."""

    def __init__(self, journal: Journal) -> None:
        query = (
            "SELECT op.id, op.stage, stage.pair, path.path FROM op JOIN stage ON stage.id = op.stage"
            " JOIN path ON path.id = op.path"
        )
        self.rows = [Row(*row) for row in journal.database.rows(query)]  # type: ignore[arg-type]
        self.after: networkx.DiGraph[Leaf] = networkx.DiGraph()
        self.needs: networkx.DiGraph[Leaf] = networkx.DiGraph()
        self.cancels: networkx.DiGraph[Leaf] = networkx.DiGraph()
        for stage in journal.stages():
            self._edge(("begin", stage.id), ("end", stage.id))
        for row in self.rows:
            self._edge(("begin", row.stage), ("op", row.id))
            self._edge(("op", row.id), ("end", row.stage))
        at = {(row.stage, row.path): row for row in self.rows}
        for before, after, how in journal.bindings():
            if how in ("all", "ended"):
                self._edge(("end", before), ("begin", after), needed=how == "all")
            for row in self.rows:
                ours = row.stage == after
                if how == "each" and ours and (other := at.get((before, row.path))):
                    self._edge(("op", other.id), ("op", row.id), cancels=True)
                if how == "parent" and ours and row.path and (other := at.get((before, parent(row.path)))):
                    self._edge(("op", other.id), ("op", row.id))
                theirs = how == "children" and row.stage == before and row.path
                if theirs and (other := at.get((after, parent(row.path)))):
                    self._edge(("op", row.id), ("op", other.id))

    def _edge(self, before: Leaf, after: Leaf, *, needed: bool = True, cancels: bool = False) -> None:
        self.after.add_edge(before, after)
        self.cancels.add_nodes_from([before, after])
        if needed:
            self.needs.add_edge(before, after)
        if cancels:
            self.cancels.add_edge(before, after)

    def first(self, op: int) -> set[int]:
        """Operations that have to come before this one."""
        return {id_ for what, id_ in networkx.ancestors(self.after, ("op", op)) if what == "op"}

    def held(self, failed: set[int]) -> set[int]:
        """Operations that need one that failed."""
        leaves = {leaf for op in failed for leaf in networkx.descendants(self.needs, ("op", op))}
        return {id_ for what, id_ in leaves if what == "op"} - failed

    def cancelled(self, same: set[int]) -> set[int]:
        """Operations that have nothing to do, once these had nothing to do."""
        leaves = {leaf for op in same for leaf in networkx.descendants(self.cancels, ("op", op))}
        return {id_ for what, id_ in leaves if what == "op"} - same


class Drained(NamedTuple):
    """order: operations as they were taken; the ends that were dealt; how they stand in the journal."""

    taken: list[tuple[int, frozenset[int]]]
    dealt: dict[int, State]
    states: dict[int, State]
    stages: dict[int, str]


def drain(journal: Journal, dice: random.Random, ends: dict[str, list[State]]) -> Drained:
    """Take and finish operations of random open stages until nothing can go on: a scheduler without sense.

    ends: what may become of an operation, by task.
    """
    queue, tasks = Queue(journal), {stage.id: stage.task for stage in journal.stages()}
    feeders: dict[int, set[int]] = {}
    for before, after, how in journal.bindings():
        if how in ("each", "parent", "children", "feed") and before != after:
            feeders.setdefault(after, set()).add(before)
    taken: list[tuple[int, frozenset[int]]] = []
    dealt: dict[int, State] = {}
    under_way: dict[int, list[int]] = {}
    finished: set[int] = set()
    while True:
        standing = queue.standings()
        open_ = [id_ for id_, stage in standing.items() if stage.state == "open"]
        if not open_:
            break
        stage = dice.choice(open_)
        mine = under_way.setdefault(stage, [])
        if dice.random() < 0.6:
            some = queue.take(stage, most_tries=0, limit=dice.randint(1, 4))
            over = {op for op, state in _states(journal).items() if state in (State.SAME, State.DONE)}
            taken += [(op.id, frozenset(finished | over)) for op in some]
            mine += [op.id for op in some]
            fed = any(standing[f].state in ("waiting", "open") for f in feeders.get(stage, ()))
            if not some and not mine and not fed:
                queue.settle(stage)
        elif mine:
            dice.shuffle(mine)
            number = dice.randint(1, len(mine))
            ended = {op: dice.choice(ends.get(tasks[stage], [State.DONE])) for op in mine[:number]}
            del mine[:number]
            queue.finish(stage, [(op, Outcome(state)) for op, state in ended.items()])
            dealt |= ended
            finished |= set(ended)
    states = {id_: standing.state for id_, standing in queue.standings().items()}
    return Drained(taken, dealt, _states(journal), states)


def _states(journal: Journal) -> dict[int, State]:
    return {
        int(str(op)): State(str(state)) for op, state in journal.database.rows("SELECT id, state FROM op")
    }


def two_jobs(here: World, source: Nested, destination: Nested) -> Manifest:
    """Two pairs of which the second needs the first; every file that both sides have must be hashed."""
    here.fields = {"src": {"algorithms": []}, "dst": {"algorithms": []}, "far": {"algorithms": []}}
    here.write("src", flat(source))
    here.write("dst", flat(destination))
    here.write("far", flat(destination))
    how: dict[str, Any] = {"checksum": {"compare": "hash", "verify": "readback"}}
    return here.manifest(
        {
            "one": {"pairs": [World.ends("mirror", **how)]},
            "two": {"needs": ["one"], "pairs": [World.ends("mirror", destination="far:", **how)]},
        }
    )


SAMES = [State.DONE, State.DONE, State.SAME]


@given(trees(PLAIN, depth=3), trees(PLAIN, depth=3), st.integers(0, 2**32))
@settings(deadline=None, max_examples=30)
def test_every_drain_is_a_linear_extension_of_the_leaf_graph(
    source: Nested, destination: Nested, seed: int
) -> None:
    with world() as here, planned(here, two_jobs(here, source, destination)) as journal:
        truth = Truth(journal)

        drained = drain(journal, random.Random(seed), {"hash": SAMES})

        assert networkx.is_directed_acyclic_graph(truth.after)
        for op, over in drained.taken:
            assert truth.first(op) <= over
        cancelled = truth.cancelled({op for op, state in drained.dealt.items() if state is State.SAME})
        assert {op for op, _ in drained.taken} == {row.id for row in truth.rows} - cancelled
        assert set(drained.states.values()) <= {State.DONE, State.SAME}
        assert set(drained.stages.values()) == {"done"}


@given(trees(PLAIN, depth=3), trees(PLAIN, depth=3), st.integers(0, 2**32))
@settings(deadline=None, max_examples=40)
def test_what_needs_a_failed_operation_is_held_and_nothing_else_is(
    source: Nested, destination: Nested, seed: int
) -> None:
    with world() as here, planned(here, two_jobs(here, source, destination)) as journal:
        truth, dice = Truth(journal), random.Random(seed)
        bad = [State.DONE] * 6 + [State.FAILED, State.STALE]
        ends = dict.fromkeys(("mkdir", "upload", "verify", "trash"), bad)

        drained = drain(journal, dice, {**ends, "hash": [*SAMES, State.FAILED]})

        failed = {op for op, state in drained.dealt.items() if state in (State.FAILED, State.STALE)}
        cancelled = truth.cancelled({op for op, state in drained.dealt.items() if state is State.SAME})
        held = {op for op, state in drained.states.items() if state is State.HELD}
        assert truth.held(failed) - cancelled <= held <= truth.held(failed)
        for op, over in drained.taken:
            assert truth.first(op) - held <= over
        assert {op for op, _ in drained.taken} == set(drained.dealt)
        assert set(drained.states) == set(drained.dealt) | held | cancelled
