"""The stage graph: one vertex per task and pair, whatever the number of files."""

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple, Protocol

import networkx

from runner.model.errors import UsageError
from runner.model.pair import Pair
from runner.model.stage import Binding, Stage
from runner.tasks import PER_PAIR, task

_ENTRIES = ("list", "match", "hook", "respell", "mkdir", "move", "upload")
"""All other tasks of a pair follow from these."""


class Job(Protocol):
    """As much of a manifest's job as the graph needs."""

    @property
    def name(self) -> str: ...
    @property
    def needs(self) -> Sequence[str]: ...
    @property
    def before(self) -> Sequence[str]: ...
    @property
    def after(self) -> Sequence[str]: ...


class _Vertex(NamedTuple):
    job: str
    pair: str
    task: str
    side: str = ""


class StageGraph:
    """The checked, ordered graph of a manifest's stages.

    Vertices are numbered in topological order; the edges say for which operations of another stage an
    operation waits. networkx holds it, proves it acyclic and orders it. tasks: those that each pair has.
    """

    def __init__(
        self,
        jobs: Iterable[Job],
        pairs: Sequence[Pair],
        *,
        planning: bool,
        tasks: Sequence[str] = PER_PAIR,
    ) -> None:
        self._graph: networkx.MultiDiGraph[_Vertex] = networkx.MultiDiGraph()
        self._within: list[tuple[_Vertex, str]] = []
        self._pairs = pairs
        self._tasks = tasks
        jobs = list(jobs)
        for job in jobs:
            self._add_job(job)
        door = None
        for wave in _waves(jobs) if "guard" in tasks else []:
            door = self._add_accept(wave, door)
        for job in jobs:
            for needed in job.needs:
                self._before_all_of(job.name, self._of(needed))
        if planning:
            self._cut()
        self._number()

    def _add_job(self, job: Job) -> None:
        for pair in self._pairs:
            if pair.job == job.name:
                self._add_pair(pair)
        if job.before:
            before = _Vertex(job.name, "", "hook", "before")
            self._graph.add_node(before)
            self._before_all_of(job.name, [before])
        if job.after:
            after, stages = _Vertex(job.name, "", "hook", "after"), self._of(job.name)
            self._graph.add_node(after)
            for stage in stages:
                self._edge(stage, after, "all")

    def _add_pair(self, pair: Pair) -> None:
        stages: dict[str, list[_Vertex]] = {}
        names = [name for name in self._tasks if pair.mode in task(name).modes]
        for name in names:
            sides = ("source", "destination") if name == "list" else ("",)
            stages[name] = [_Vertex(pair.job, pair.name, name, side) for side in sides]
            self._graph.add_nodes_from(stages[name])
        for name in names:
            for edge in task(name).after:
                for before in stages.get(edge.task, []):
                    for after in stages[name]:
                        self._edge(before, after, edge.how)

    def _add_accept(self, wave: Sequence[Job], earlier: _Vertex | None) -> _Vertex:
        """One door for all jobs that can be planned together, so that one refusal leaves all unchanged.

        earlier: the door before, for they open in order in a plan too.
        """
        names = [job.name for job in wave]
        door = _Vertex("", "", "accept", "+".join(names))
        self._graph.add_node(door)
        if earlier is not None:
            self._edge(earlier, door, "ended")
        for vertex in (v for name in names for v in self._of(name)):
            if vertex.task == "guard" or (vertex.task, vertex.side) == ("hook", "before"):
                self._edge(vertex, door, "ended")
            for edge in task(vertex.task).after:
                if edge.task == "accept":
                    self._edge(door, vertex, edge.how)
        for needed in {name for job in wave for name in job.needs}:
            for vertex in self._of(needed):
                self._edge(vertex, door, "ended")
        return door

    def _before_all_of(self, job: str, befores: Iterable[_Vertex]) -> None:
        """Nothing of the job starts before these are done: neither its reading nor, in a saved plan, its writing."""
        befores = list(befores)
        for after in [v for v in self._of(job) if v.task in _ENTRIES and v not in befores]:
            for before in befores:
                self._edge(before, after, "all")

    def _of(self, job: str) -> list[_Vertex]:
        return [vertex for vertex in self._graph if vertex.job == job]

    def _cut(self) -> None:
        """A plan waits for no write: what a write would change for a later listing, the plan cannot show."""
        for before, after, key in list(self._graph.edges(keys=True)):
            if _effect(before) == "write" and _effect(after) == "read":
                self._graph.remove_edge(before, after, key)

    def _number(self) -> None:
        if not networkx.is_directed_acyclic_graph(self._graph):
            loops = [(a, b) for a, b in networkx.find_cycle(self._graph)[:3]]
            raise UsageError(f"the stages wait for each other in a circle: {loops}")
        rank = {vertex: i for i, vertex in enumerate(self._graph)}
        vertices = list(networkx.lexicographical_topological_sort(self._graph, key=rank.__getitem__))
        number = {vertex: i for i, vertex in enumerate(vertices, 1)}
        self.stages = [Stage(number[v], v.pair, v.job, v.task, v.side, _effect(v)) for v in vertices]
        edges = {(number[a], number[b], how) for a, b, how in self._graph.edges(keys=True)}
        edges |= {(number[vertex], number[vertex], how) for vertex, how in self._within}
        self.bindings = [Binding(*edge) for edge in sorted(edges)]

    def _edge(self, before: _Vertex, after: _Vertex, how: str) -> None:
        if before == after:
            self._within.append((after, how))  # between paths of one stage: a tree, so never a circle
        else:
            self._graph.add_edge(before, after, key=how)


def _effect(vertex: _Vertex) -> Literal["read", "write"]:
    return task(vertex.task).effect


def _waves(jobs: Sequence[Job]) -> list[list[Job]]:
    """Jobs in generations: each needs only jobs of earlier ones."""
    needs: networkx.DiGraph[str] = networkx.DiGraph()
    needs.add_nodes_from(job.name for job in jobs)
    needs.add_edges_from((needed, job.name) for job in jobs for needed in job.needs)
    by_name = {job.name: job for job in jobs}
    return [[by_name[name] for name in wave] for wave in networkx.topological_generations(needs)]
