"""Jobs that read what others write: their plans rest on a prediction, which is kept or said to have failed."""

import contextlib
from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import pytest

from runner.app.memory import pair_key
from runner.backends.memory_keys import _STORES
from runner.manifest.manifest import Manifest
from runner.model.checksum import Checksum
from runner.model.exits import Exit
from runner.state.account import Account
from runner.state.hashes import Hashes
from runner.state.history import History
from runner.state.journal import Journal
from tests.lab.worlds import Ended, Files, World

WRITES = ("mkdir", "respell", "move", "upload", "trash")
SOURCE: Files = {"a/x": "1", "a/y": "22", "b": "3", "new/deep/z": "44444"}
MIDDLE: Files = {"a/x": "old", "gone/q": "5", "b": "3"}
NOTHING: Mapping[str, Any] = MappingProxyType({})
LAST: Files = {"b": "3", "gone/q": "5", "a/x": "older", "extra": "9"}


@pytest.fixture
def chain(world: World) -> World:
    """A world with three places, each with something in it."""
    world.fields["mid"] = {}
    world.write("src", SOURCE)
    world.write("dst", LAST, mtime_ns=10**18 + 10**10)
    return world


def jobs(first: Mapping[str, Any] = NOTHING, second: Mapping[str, Any] = NOTHING) -> dict[str, Any]:
    """A mirror of `src:` at `mid:`, and after that one of `mid:` at `dst:`."""
    one = World.ends(**{"destination": "mid:", **first})
    two = World.ends(**{"source": "mid:", **second})
    return {"one": {"pairs": [one]}, "two": {"needs": ["one"], "pairs": [two]}}


def rows(ended: Ended, *states: str) -> list[tuple[str, str, str, str]]:
    """What was to be written: pair, task, path and origin; of operations in these states, if some are given."""
    wanted = [c for c in ended.changes if c.task in WRITES and c.state != "same"]
    return sorted((c.pair, c.task, c.path, c.origin) for c in wanted if not states or c.state in states)


def predicted(ended: Ended, task: str = "upload") -> list[str]:
    """Paths of the operations that rest on what an earlier job is to do."""
    return [c.path for c in ended.changes if c.predicted and c.task == task]


def counted(ended: Ended, pair: str, what: str) -> int:
    """What the listing of a pair's source has counted."""
    with contextlib.closing(Journal(ended.path)) as journal:
        return Account(journal).counts(ended.stage("list", pair, "source").id)[what].number


def applied(world: World, manifest: Manifest) -> tuple[Ended, Ended]:
    """The plan, saved, and its apply."""
    plan = world.plan(manifest, world.folder / "saved.plan")
    return plan, world.apply(plan.path)


def test_the_later_job_is_planned_on_what_the_first_will_leave(chain: World) -> None:
    chain.write("mid", MIDDLE)

    plan, ended = applied(chain, chain.manifest(jobs()))

    assert (plan.code, ended.code) == (0, 0)
    assert rows(ended, "done") == rows(plan)
    assert predicted(plan) == ["a/x", "a/y", "new/deep/z"]
    assert predicted(plan, "trash") == ["gone/q", "gone"]
    assert chain.files("dst") == chain.files("mid") == chain.files("src")


def test_what_is_still_to_be_replaced_is_not_read_as_it_is(chain: World) -> None:
    chain.fields["mid"] = {"algorithms": []}
    chain.write("mid", {"a/x": "2"})
    chain.write("dst", {"a/x": "2"})

    plan, ended = applied(chain, chain.manifest(jobs()))

    assert "a/x" in predicted(plan), "both hold the same now, and will not then"
    assert ended.code == 0
    assert chain.files("dst") == chain.files("src")


def test_what_will_be_equal_is_found_by_reading_it_where_it_is(chain: World) -> None:
    chain.fields |= {"src": {"algorithms": []}, "mid": {"algorithms": []}, "dst": {"algorithms": []}}
    chain.write("src", {"a/x": "other"})
    chain.write("dst", {"a/x": "other"})

    plan = chain.plan(chain.manifest(jobs(NOTHING, {"checksum": {"compare": "hash"}})))

    assert plan.op("hash", "a/x").state == "same"
    assert "a/x" not in [path for _, _, path, _ in rows(plan) if _ == "two"]


def test_a_store_of_keys_in_the_middle_loses_the_folders_that_nothing_is_in(chain: World) -> None:
    chain.fields["mid"] = {"type": "memory keys"}
    chain.run(chain.manifest({"one": jobs()["one"]}))
    chain.remove("src", "new/deep/z", "new/deep", "new", "a/y")
    chain.write("src", {"a/w": "7"})
    allowed = {"guard": {"trash": {"no_history": "allow"}}}

    plan, ended = applied(chain, chain.manifest(jobs(allowed, allowed)))

    assert ended.code == 0
    assert rows(ended, "done") == rows(plan)
    assert set(_STORES[f"{chain.tag}-mid"].objects) == {"a/x", "a/w", "b"} == set(chain.files("dst"))


def test_where_names_fold_a_folder_is_met_in_its_new_spelling(chain: World) -> None:
    chain.fields["mid"] = {"folds": True}
    chain.write("mid", {"A/x": "1", "A/old": "2", "B": "3"})

    plan, ended = applied(chain, chain.manifest(jobs()))

    assert ended.code == 0
    assert rows(ended, "done") == rows(plan)
    assert chain.files("dst") == chain.files("mid") == chain.files("src")


@pytest.mark.parametrize("by", [{}, {"algorithms": []}])
def test_a_rename_goes_through_the_chain_as_one(chain: World, by: dict[str, Any]) -> None:
    chain.fields |= {"src": by, "mid": by, "dst": by}
    manifest = chain.manifest(jobs())
    chain.run(manifest)
    chain.remove("src", "new/deep/z")
    chain.write("src", {"elsewhere": "44444"})

    plan, ended = applied(chain, manifest)

    assert ("one", "move", "elsewhere", "new/deep/z") in rows(plan)
    assert (("two", "move", "elsewhere", "new/deep/z") in rows(plan)) == (by == {}), (
        "no digest tells it of the other"
    )
    assert (ended.code, rows(ended, "done")) == (0, rows(plan))
    assert chain.files("dst") == chain.files("src")


def test_several_jobs_fill_the_source_of_one(chain: World) -> None:
    chain.fields["far"] = {}
    chain.write("far", {"f": "6"})
    first = World.ends("copy", destination="mid:all/here")
    other = World.ends("copy", "far:", "mid:all/there")
    manifest = chain.manifest(
        {
            "one": {"pairs": [first]},
            "other": {"pairs": [other]},
            "two": {"needs": ["one", "other"], "pairs": [World.ends("copy", "mid:", "dst:new")]},
        }
    )

    plan, ended = applied(chain, manifest)

    assert ended.code == 0
    assert rows(ended, "done") == rows(plan)
    wanted = {f"all/here/{path}": data for path, data in chain.files("src").items()} | {"all/there/f": b"6"}
    assert chain.files("dst", "new") == wanted


def test_a_third_job_is_planned_on_what_the_second_will_leave(chain: World) -> None:
    chain.fields |= {"far": {"algorithms": []}}
    chain.write("mid", MIDDLE)
    chain.write("far", {"a/x": "9", "gone/q": "5"})
    three = {"needs": ["two"], "pairs": [World.ends(source="dst:", destination="far:")]}
    manifest = chain.manifest({**jobs(), "three": three})

    plan, ended = applied(chain, manifest)

    assert ended.code == 0
    assert rows(ended, "done") == rows(plan)
    assert chain.files("far") == chain.files("src")


def test_a_first_job_that_will_not_be_done_whole_holds_the_second_in_the_plan_as_in_the_run(
    chain: World,
) -> None:
    chain.write("mid", {**MIDDLE, "new": "is a file here"})
    manifest = chain.manifest(jobs())

    plan, ended = chain.plan(manifest), chain.run(manifest)

    assert plan.code == ended.code == Exit.INCOMPLETE
    assert (
        [row for row in rows(plan) if row[0] == "two"]
        == [row for row in rows(ended) if row[0] == "two"]
        == []
    )
    assert "job 'one' will not be done whole" in plan.stage("list", "two", "source").why


def test_a_limit_of_the_second_job_is_held_against_what_is_predicted(chain: World) -> None:
    chain.write("mid", {**SOURCE, **{f"lost/{number}": "x" for number in range(20)}})
    chain.write("dst", {f"lost/{number}": "x" for number in range(20)})
    manifest = chain.manifest(jobs({"guard": {"trash": {"no_history": "allow", "max": "100%"}}}))

    plan = chain.plan(manifest, chain.folder / "saved.plan")

    assert plan.code == Exit.REFUSED
    assert any("22 files" in check.text for check in plan.checks("two") if check.level == "refused")
    assert not (chain.folder / "saved.plan").exists()


@pytest.mark.parametrize("held", [{}, {"q": "5"}])
def test_a_source_that_the_first_job_takes_away_is_refused_in_the_plan_as_in_the_run(
    chain: World, held: Files
) -> None:
    chain.write("mid", {"b": "3"})
    chain.write("mid", {f"gone/{path}": text for path, text in held.items()})
    if not held:
        chain.write("mid", {"gone": None})
    manifest = chain.manifest(jobs(second={"source": "mid:gone"}))

    plan = chain.plan(manifest)
    ended = chain.run(manifest)

    assert plan.code == ended.code == Exit.REFUSED
    assert rows(plan) == rows(ended)
    assert "two" not in {pair for pair, *_ in rows(plan)}
    assert chain.files("dst").keys() == LAST.keys()


def test_times_that_nobody_can_foretell_are_said_and_kept_when_they_are_known(world: World) -> None:
    chain = world
    chain.fields |= {"src": {"mtime_ns": None}, "mid": {}, "dst": {}}
    chain.write("src", SOURCE)
    stamped = partial(_stamped, chain)
    chain.wrap = lambda name, backend: stamped(backend) if name == "mid" else backend

    plan, ended = applied(chain, chain.manifest(jobs()))

    assert counted(plan, "two", "untimed") == 4
    assert ended.code == 0
    times = {path: node.mtime_ns for path, node in chain.nodes("mid") if node.kind == "file"}
    assert times == {path: node.mtime_ns for path, node in chain.nodes("dst") if node.kind == "file"}
    assert set(times.values()) == {5 * 10**17}


def _stamped(chain: World, backend: Any) -> Any:
    """As a disk: what comes without a time gets one of its own."""
    put = backend.put

    async def stamp(path: str, content: Any, *, expect: str | None) -> Any:
        if content.mtime_ns is None:
            content.mtime_ns = 5 * 10**17
        return await put(path, content, expect=expect)

    backend.put = stamp
    return backend


def test_what_is_changed_between_two_jobs_is_left_out_and_the_rest_goes_on(chain: World) -> None:
    plan = chain.plan(chain.manifest(jobs()), chain.folder / "saved.plan")

    def meddle(event: Any) -> None:
        if (
            getattr(event, "task", "") == "mkdir"
            and event.pair == "two"
            and type(event).__name__ == "StageStarted"
        ):
            node = dict(chain.nodes("mid"))["a/y"]
            name = next(g for g in chain.tree("mid").contents if g == node.generation)
            children = chain.memory("mid")._children("a")
            chain.tree("mid").contents["someone"] = chain.tree("mid").contents.pop(name)
            children["y"] = node._replace(generation="someone")

    ended = chain.apply(plan.path, tell=meddle)

    assert ended.code != 0
    assert chain.files("dst")["a/x"] == b"1"
    assert "a/y" not in chain.files("dst")
    assert chain.files("dst")["extra"] == b"9", "nothing is trashed then"


def test_a_row_whose_prediction_failed_is_stale_and_the_rest_goes_on(world: World) -> None:
    chain = world
    chain.fields |= {"src": {"algorithms": []}, "mid": {}}
    chain.write("src", SOURCE)
    generation = dict(chain.nodes("src"))["a/y"].generation
    with contextlib.closing(Hashes(chain.state / "hashes.db")) as hashes:
        hashes.learn("src", generation, Checksum.of("md5", b"wrong"), 1, 10**19)
    plan = chain.plan(chain.manifest(jobs()), chain.folder / "saved.plan")

    ended = chain.apply(plan.path)

    (row,) = [c for c in ended.changes if (c.pair, c.task, c.path) == ("two", "upload", "a/y")]
    assert (row.state, row.kind) == ("stale", "stale")
    assert ended.code == Exit.STALE
    assert chain.files("mid") == chain.files("src")
    assert chain.files("dst")["a/x"] == b"1"
    assert "a/y" not in chain.files("dst")


def test_a_job_that_was_not_begun_leaves_the_history_of_its_last_good_run(chain: World) -> None:
    manifest = chain.manifest(jobs())
    chain.run(manifest)
    key = pair_key(manifest, manifest.pairs[1])
    chain.remove("mid", "new/deep/z", "new/deep", "new")
    chain.write("mid", {"new": "is a file here", "lost": "0"})

    held = chain.run(manifest)

    assert (held.code, held.stage("list", "two", "source").state) == (3, "held")
    with contextlib.closing(History(chain.state)) as history:
        last = history.last(key)
        assert last is not None
        assert last.source.number == 4
