"""The stage graph is compiled when something that it is made of has changed, and otherwise as it was kept."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.app.graphs import graph_of
from runner.manifest.manifest import Manifest
from runner.model.stage import Graph
from runner.plan.graph import StageGraph
from runner.tasks import PER_PAIR, PROVING, UNDO, task
from tests.lab.worlds import World

MIRROR, COPY = World.ends("mirror"), World.ends("copy", destination="far:")
ONE: dict[str, Any] = {"one": {"pairs": [MIRROR]}}
TWO: dict[str, Any] = {"one": {"pairs": [MIRROR]}, "two": {"pairs": [COPY]}}
OTHERS: dict[str, dict[str, Any]] = {
    "a pair more": {"one": {"pairs": [MIRROR, COPY]}},
    "another job": {"other": {"pairs": [MIRROR]}},
    "another mode": {"one": {"pairs": [World.ends("copy")]}},
    "a hook before": {"one": {"pairs": [MIRROR], "before": ["x"]}},
    "a hook after": {"one": {"pairs": [MIRROR], "after": ["x"]}},
    "two jobs": TWO,
    "one that needs the other": {"one": {"pairs": [MIRROR]}, "two": {"needs": ["one"], "pairs": [COPY]}},
}


@pytest.fixture
def compiled() -> Iterator[mock.Mock]:
    """The compiler, which counts how often it is asked."""
    with mock.patch("runner.plan.graph.StageGraph", side_effect=StageGraph) as asked:
        yield asked


def manifest(world: World, jobs: dict[str, Any]) -> Manifest:
    """The manifest of these jobs."""
    world.fields["far"] = {}
    return world.manifest(jobs)


def graph(world: World, jobs: dict[str, Any], *, planning: bool = False) -> Graph:
    """The graph of a run of these jobs."""
    return graph_of(manifest(world, jobs), world.state, planning=planning, tasks=PER_PAIR)


def fresh(world: World, jobs: dict[str, Any], *, planning: bool = False) -> Graph:
    """The same, compiled for this alone."""
    made = manifest(world, jobs)
    by_hand = StageGraph(made.jobs, made.pairs, planning=planning)
    return Graph(by_hand.stages, by_hand.bindings)


@pytest.mark.parametrize("planning", [False, True])
def test_a_graph_is_compiled_once_and_kept_as_it_was(
    world: World, compiled: mock.Mock, *, planning: bool
) -> None:
    jobs = OTHERS["one that needs the other"]

    found = [graph(world, jobs, planning=planning) for _ in range(3)]

    assert found == [fresh(world, jobs, planning=planning)] * 3
    assert compiled.call_count == 1


@pytest.mark.parametrize("change", OTHERS)
def test_what_changes_a_graph_has_it_compiled_anew(world: World, compiled: mock.Mock, change: str) -> None:
    graph(world, ONE)

    found = graph(world, OTHERS[change])

    assert found == fresh(world, OTHERS[change])
    assert compiled.call_count == 2


def test_another_edge_of_a_task_has_it_compiled_anew(world: World) -> None:
    before = graph(world, ONE)

    with mock.patch.object(task("trash"), "after", ()):
        found = graph(world, ONE)
        wanted = fresh(world, ONE)

    assert found == wanted != before


def test_a_plan_a_verification_and_an_undo_have_their_own(world: World, compiled: mock.Mock) -> None:
    made = manifest(world, ONE)
    uses: list[dict[str, Any]] = [
        {"planning": False, "tasks": PER_PAIR},
        {"planning": True, "tasks": PER_PAIR},
        {"planning": False, "tasks": PROVING},
        {"planning": False, "tasks": UNDO},
    ]

    for _ in range(2):
        for use in uses:
            by_hand = StageGraph(made.jobs, made.pairs, **use)
            assert graph_of(made, world.state, **use) == Graph(by_hand.stages, by_hand.bindings)

    assert compiled.call_count == len(uses)


@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), cut=st.booleans())
def test_a_damaged_file_is_never_believed(where: float, bit: int, *, cut: bool) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        wanted = graph(world, ONE)
        (file,) = (world.state / "graphs").iterdir()
        data = bytearray(file.read_bytes())
        place = int(where * len(data))
        data[place] ^= 1 << bit
        file.write_bytes(data[:place] if cut else data)

        assert graph(world, ONE) == wanted
        assert file.read_bytes() != data


def test_where_nothing_can_be_kept_it_is_compiled_each_time(world: World, compiled: mock.Mock) -> None:
    (world.state / "graphs").write_text("in the way")

    assert graph(world, ONE) == graph(world, ONE) == fresh(world, ONE)
    assert compiled.call_count == 2
