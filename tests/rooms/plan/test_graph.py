"""The stage graph: small, acyclic, and with every edge that safety asks for."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import networkx
import pytest

from runner.model.errors import UsageError
from runner.model.stage import Binding, Stage
from runner.plan.graph import StageGraph
from tests.lab.worlds import World

PAIR = World.ends("mirror")
FAR = World.ends("mirror", destination="far:")


class Written:
    """A stage graph by names: "pair/task side" or, for what belongs to a job, "job/task side"."""

    def __init__(self, graph: StageGraph) -> None:
        self.stages: Mapping[int, Stage] = {stage.id: stage for stage in graph.stages}
        self.bindings: list[Binding] = graph.bindings
        self.waits: networkx.DiGraph[str] = networkx.DiGraph()
        self.waits.add_nodes_from(map(self.name, self.stages))
        for before, after, how in graph.bindings:
            if before != after:
                self.waits.add_edge(self.name(before), self.name(after), how=how)

    def name(self, id_: int) -> str:
        stage = self.stages[id_]
        return f"{stage.pair or stage.job}/{stage.title}"

    def before(self, name: str) -> set[str]:
        """Everything that comes before this stage."""
        return networkx.ancestors(self.waits, name)

    def held_by(self, name: str) -> set[str]:
        """Every stage that is held when this one does not succeed."""
        needed = [(self.name(a), self.name(b)) for a, b, how in self.bindings if how == "all"]
        strict: networkx.DiGraph[str] = networkx.DiGraph(needed)
        return networkx.descendants(strict, name) if name in strict else set()


def graph(world: World, jobs: Mapping[str, Any], *, planning: bool = False) -> Written:
    """The graph of these jobs."""
    world.fields["far"] = {}
    manifest = world.manifest(jobs)
    return Written(StageGraph(manifest.jobs, manifest.pairs, planning=planning))


def test_a_pair_has_thirteen_stages_and_a_wave_one_door(world: World) -> None:
    written = graph(world, {"one": {"pairs": [PAIR, FAR]}})

    assert len(written.stages) == 2 * 13 + 1
    assert sum(name.startswith("one#2/") for name in written.waits) == 13


def test_stages_are_numbered_so_that_each_comes_after_those_it_waits_for(world: World) -> None:
    written = graph(
        world, {"one": {"pairs": [PAIR], "before": ["x"]}, "two": {"needs": ["one"], "pairs": [FAR]}}
    )

    assert list(written.stages) == list(range(1, len(written.stages) + 1))
    assert all(before <= after for before, after, _ in written.bindings)
    assert networkx.is_directed_acyclic_graph(written.waits)


@pytest.mark.parametrize("task", ["mkdir", "move", "upload", "verify", "barrier", "trash"])
def test_every_write_is_held_by_its_guard_and_by_the_door(world: World, task: str) -> None:
    written = graph(world, {"one": {"pairs": [PAIR]}})

    assert f"one/{task}" in written.held_by("one/guard")
    assert f"one/{task}" in written.held_by("/accept one")


@pytest.mark.torture
@pytest.mark.parametrize(
    "cause", ["list source", "list destination", "match", "guard", "mkdir", "move", "upload", "verify"]
)
def test_i6_trash_is_held_by_everything_that_did_not_succeed(world: World, cause: str) -> None:
    written = graph(world, {"one": {"pairs": [PAIR]}})

    assert "one/trash" in written.held_by(f"one/{cause}")


def test_a_gap_in_a_listing_holds_the_trash_alone(world: World) -> None:
    written = graph(world, {"one": {"pairs": [PAIR]}})

    assert written.held_by("one/list source") == {"one/barrier", "one/trash"}


def test_one_pair_is_not_held_by_anothers_listing_or_upload(world: World) -> None:
    written = graph(world, {"one": {"pairs": [PAIR, FAR]}})

    for cause in ("match", "upload", "guard"):
        assert not any(name.startswith("one#2/") for name in written.held_by(f"one/{cause}"))


def test_every_guard_of_a_wave_speaks_before_its_door_opens(world: World) -> None:
    written = graph(world, {"one": {"pairs": [PAIR]}, "two": {"pairs": [FAR]}})

    assert {"one/guard", "two/guard"} <= written.before("/accept one+two")
    assert {"two/guard"} <= written.before("one/upload")


def test_needs_put_all_of_a_job_before_the_reading_of_the_next_and_hold_it(world: World) -> None:
    written = graph(
        world, {"one": {"pairs": [PAIR], "after": ["y"]}, "two": {"needs": ["one"], "pairs": [FAR]}}
    )

    ones = {name for name in written.waits if name.startswith("one/")}
    twos = {name for name in written.waits if name.startswith("two/")}
    assert ones <= written.before("two/list source") & written.before("two/match")
    assert all(twos - {"two/verify"} <= written.held_by(name) for name in ones)


def test_hooks_stand_around_all_of_their_job(world: World) -> None:
    written = graph(world, {"one": {"pairs": [PAIR], "before": ["x"], "after": ["y"]}})

    mine = {name for name in written.waits if name.startswith("one/")} - {"one/hook before", "one/hook after"}
    assert mine <= written.held_by("one/hook before")
    assert mine | {"one/hook before"} <= written.before("one/hook after")
    assert all("one/hook after" in written.held_by(name) for name in mine)


def test_a_job_of_hooks_alone_has_its_hooks_and_is_waited_for(world: World) -> None:
    written = graph(
        world, {"one": {"before": ["x"], "after": ["y"]}, "two": {"needs": ["one"], "pairs": [FAR]}}
    )

    assert "one/hook after" in written.held_by("one/hook before")
    assert {"one/hook before", "one/hook after"} <= written.before("two/match")


def test_a_plan_waits_for_no_write(world: World) -> None:
    jobs = {"one": {"pairs": [PAIR], "before": ["x"]}, "two": {"needs": ["one"], "pairs": [FAR]}}

    written = graph(world, jobs, planning=True)

    effects = {written.name(id_): stage.effect for id_, stage in written.stages.items()}
    assert not [(a, b) for a, b in written.waits.edges if (effects[a], effects[b]) == ("write", "read")]
    assert "two/upload" in written.held_by("one/upload")
    assert "one/upload" in written.held_by("one/hook before")


def test_a_circle_of_stages_is_refused(world: World, tmp_path: Path) -> None:
    class Job:
        needs: tuple[str, ...] = ("one",)
        before = ("x",)
        after = ("y",)
        name = "one"

    with pytest.raises((UsageError, networkx.NetworkXUnfeasible)):
        StageGraph([Job()], [], planning=False)
