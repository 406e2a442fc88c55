"""The stage graph: one vertex per task and pair, whatever the number of files."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from heapq import heappop, heappush
from typing import Literal, NamedTuple, Protocol, TypeVar

from runner.model.errors import UsageError
from runner.model.pair import Pair
from runner.model.stage import Binding, Stage
from runner.model.task import How
from runner.tasks import NAMES, task

T = TypeVar("T")

PER_PAIR = tuple(name for name in NAMES if name not in ("hook", "accept", "prove"))
PROVING = ("list", "match", "prove")
"""The stages of a verification: all of them read."""

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
    operation waits. tasks: those that each pair has.
    """

    def __init__(
        self,
        jobs: Iterable[Job],
        pairs: Sequence[Pair],
        *,
        planning: bool,
        tasks: Sequence[str] = PER_PAIR,
    ) -> None:
        self._vertices: dict[_Vertex, None] = {}  # each once, in the order in which they came
        self._edges: dict[tuple[_Vertex, _Vertex, How], None] = {}
        self._within: list[tuple[_Vertex, How]] = []
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
            self._vertices[before] = None
            self._before_all_of(job.name, [before])
        if job.after:
            after, stages = _Vertex(job.name, "", "hook", "after"), self._of(job.name)
            self._vertices[after] = None
            for stage in stages:
                self._edge(stage, after, "all")

    def _add_pair(self, pair: Pair) -> None:
        stages: dict[str, list[_Vertex]] = {}
        names = [name for name in self._tasks if pair.mode in task(name).modes]
        for name in names:
            sides = ("source", "destination") if name == "list" else ("",)
            stages[name] = [_Vertex(pair.job, pair.name, name, side) for side in sides]
            self._vertices.update(dict.fromkeys(stages[name]))
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
        self._vertices[door] = None
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
        return [vertex for vertex in self._vertices if vertex.job == job]

    def _cut(self) -> None:
        """A plan waits for no write: what a write would change for a later listing, the plan cannot show."""
        for edge in list(self._edges):
            if _effect(edge[0]) == "write" and _effect(edge[1]) == "read":
                del self._edges[edge]

    def _number(self) -> None:
        rank = {vertex: i for i, vertex in enumerate(self._vertices)}
        waits: dict[_Vertex, set[_Vertex]] = {vertex: set() for vertex in rank}
        for before, after, _ in self._edges:
            waits[after].add(before)
        sorter = _sorter(waits, "the stages")
        vertices = list(_in_order(sorter, rank))
        number = {vertex: i for i, vertex in enumerate(vertices, 1)}
        self.stages = [Stage(number[v], v.pair, v.job, v.task, v.side, _effect(v)) for v in vertices]
        edges = {(number[a], number[b], how) for a, b, how in self._edges}
        edges |= {(number[vertex], number[vertex], how) for vertex, how in self._within}
        self.bindings = [Binding(*edge) for edge in sorted(edges)]

    def _edge(self, before: _Vertex, after: _Vertex, how: How) -> None:
        if before == after:
            self._within.append((after, how))  # between paths of one stage: a tree, so never a circle
        else:
            self._edges[before, after, how] = None


def _effect(vertex: _Vertex) -> Literal["read", "write"]:
    return task(vertex.task).effect


def _waves(jobs: Sequence[Job]) -> list[list[Job]]:
    """Jobs in generations: each needs only jobs of earlier ones."""
    by_name = {job.name: job for job in jobs}
    sorter = _sorter({job.name: job.needs for job in jobs}, "the jobs")
    waves = []
    while wave := sorter.get_ready():
        waves.append([by_name[name] for name in by_name if name in wave])
        sorter.done(*wave)
    return waves


def _sorter(waits: Mapping[T, Iterable[T]], what: str) -> "TopologicalSorter[T]":
    """Ready to be asked. Raises UsageError for a circle."""
    sorter = TopologicalSorter(waits)
    try:
        sorter.prepare()
    except CycleError as error:
        raise UsageError(f"{what} wait for each other in a circle: {error.args[1]}") from error
    return sorter


def _in_order(sorter: "TopologicalSorter[_Vertex]", rank: dict[_Vertex, int]) -> Iterator[_Vertex]:
    """Of what may come next, always what came first."""
    vertices = list(rank)
    ready: list[int] = []
    while sorter.is_active():
        for vertex in sorter.get_ready():
            heappush(ready, rank[vertex])
        vertex = vertices[heappop(ready)]
        sorter.done(vertex)
        yield vertex
