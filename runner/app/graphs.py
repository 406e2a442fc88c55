"""The stage graph of a manifest, compiled when something that it is made of has changed."""

import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from runner.app.named import file_of
from runner.manifest.manifest import Manifest
from runner.model.importing import importing
from runner.model.stage import Graph
from runner.state.graphs import Kept
from runner.tasks import task


def graph_of(manifest: Manifest, state: Path, *, planning: bool, tasks: Sequence[str]) -> Graph:
    """The graph that a run of the manifest works through. networkx alone takes a fifth of a start, so it is kept."""
    use = json.dumps([file_of(manifest), planning, tasks])
    kept = Kept(state, use, _made_of(manifest, planning=planning, tasks=tasks))
    graph = kept.find()
    if graph is None:
        graph = _compiled(manifest, planning=planning, tasks=tasks)
        kept.keep(graph)
    return graph


def _compiled(manifest: Manifest, *, planning: bool, tasks: Sequence[str]) -> Graph:
    with importing():
        from runner.plan.graph import StageGraph
    compiled = StageGraph(manifest.jobs, manifest.pairs, planning=planning, tasks=tasks)
    return Graph(compiled.stages, compiled.bindings)


def _made_of(manifest: Manifest, *, planning: bool, tasks: Sequence[str]) -> str:
    """All that the compiler is given, what every task waits for, and the compiler itself."""
    kinds = [task(name) for name in (*tasks, "hook", "accept")]
    return json.dumps([
        [[job.name, job.needs, bool(job.before), bool(job.after)] for job in manifest.jobs],
        [[pair.job, pair.name, pair.mode] for pair in manifest.pairs],
        [planning, tasks],
        [[kind.name, kind.effect, kind.after, kind.modes] for kind in kinds],
        resources.files("runner.plan").joinpath("graph.py").read_text(),
    ])  # fmt: skip
