"""A refused plan is carried out when a person accepts just that plan, and no other."""

from pathlib import Path

import pytest

from runner.model.exits import Exit
from tests.lab.worlds import Ended, World

ANYWHERE = {"no_history": "allow"}
TWELVE = {f"f{number:02}": "x" for number in range(12)}


@pytest.fixture
def mark(world: World) -> str:
    """The fingerprint of a plan that is refused: it would trash 12 of 13 files."""
    world.write("src", {"a": "1"})
    world.write("dst", {"a": "1", **TWELVE})
    ended = world.run()
    assert ended.code == 4
    (found,) = ended.refused
    return found


def accept(world: World, *marks: str) -> Ended:
    """Run the usual mirror with these plans accepted."""
    return world.run(accepted=frozenset(marks))


def test_an_accepted_plan_is_carried_out(world: World, mark: str) -> None:
    ended = accept(world, mark)

    assert ended.code == 0
    assert world.files("dst") == {"a": b"1"}
    assert sorted(world.trash("dst")) == sorted(TWELVE)
    assert "accepted" in {check.level for check in ended.checks("job")}


def test_a_plan_has_the_fingerprint_of_the_run(world: World, mark: str) -> None:
    assert world.plan().refused == world.plan().refused == [mark]


@pytest.mark.parametrize("change", ["more trash", "another size", "another generation", "one more upload"])
def test_a_plan_that_has_changed_is_refused_again_under_another_fingerprint(
    world: World, mark: str, change: str
) -> None:
    if change == "more trash":
        world.write("dst", {"g": "x"})
    elif change == "another size":
        world.write("dst", {"f00": "xx"})
    elif change == "another generation":
        world.write("dst", {"f00": "y"})
    else:
        world.write("src", {"b": "1"})

    ended = accept(world, mark)

    assert ended.code == 4
    assert "it has changed" in ended.stage("accept", "", "job").why
    assert ended.refused != [mark]
    assert len(world.files("dst")) >= 13
    assert world.trash("dst") == {}


def test_another_manifest_is_another_plan(world: World, mark: str) -> None:
    other = world.run(world.pair(guard={"trash": {"max": "11%"}}), accepted=frozenset({mark}))

    assert other.code == 4


def test_a_plan_that_no_guard_refuses_any_more_is_not_the_accepted_one(world: World, mark: str) -> None:
    world.write("src", TWELVE | {"b": "1"})

    assert accept(world, mark).code == 4
    assert "b" not in world.files("dst")


def test_accepting_what_was_done_already_does_nothing(world: World, mark: str) -> None:
    assert (accept(world, mark).code, accept(world, mark).code) == (0, 0)


def test_no_fingerprint_accepts_a_source_that_is_missing_or_has_no_sentinel(world: World) -> None:
    world.write("dst", TWELVE)
    missing = world.run(world.pair(source="src:nowhere"))
    world.write("src", {"a": "1"})
    bare = world.run(world.pair(guard={"source": {"sentinel": ".here"}}))

    assert (missing.code, bare.code) == (4, 4)
    assert missing.refused == bare.refused == []


def test_an_accepted_plan_can_be_saved_and_applied(world: World, mark: str) -> None:
    out = world.folder / "saved.plan"
    planned = world.plan(out=out, accepted=frozenset({mark}))

    applied = world.apply(out)

    assert (planned.code, applied.code) == (0, 0)
    assert world.files("dst") == {"a": b"1"}


def test_each_wave_is_accepted_by_itself(world: World, tmp_path: Path) -> None:
    world.fields["far"] = {}
    world.write("src", {"a": "1"})
    world.write("far", TWELVE)
    jobs = {
        "one": {"pairs": [World.ends()]},
        "two": {"needs": ["one"], "pairs": [World.ends(destination="far:")]},
    }
    manifest = world.manifest(jobs)
    planned = world.plan(manifest)
    first = world.run(manifest)
    (mark,) = first.refused

    ended = world.run(manifest, accepted=frozenset({mark}))

    assert (first.code, ended.code) == (4, Exit.CONVERGED)
    assert ended.refused == []
    assert planned.refused == [mark]
    assert world.files("dst") == world.files("far") == {"a": b"1"}


@pytest.mark.torture
def test_G8_most_files_changed_since_the_last_run_need_acceptance(world: World) -> None:
    world.write("src", {f"f{number:03}": "x" for number in range(300)})
    world.run()
    world.write("src", {f"f{number:03}": "y" for number in range(180)})

    first = world.run()
    untouched = set(world.files("dst").values())
    second = accept(world, *first.refused)

    assert (first.code, untouched, second.code) == (4, {b"x"}, 0)
    assert list(world.files("dst").values()).count(b"y") == 180


@pytest.mark.torture
@pytest.mark.parametrize(("number", "code"), [(1000, 0), (1001, 4)])
def test_G3_a_thousand_files_may_be_trashed_and_one_more_may_not(
    world: World, number: int, code: int
) -> None:
    kept = {f"k{i}": None for i in range(1)}
    world.write("src", {"big": "x" * 100_000, **kept})
    world.write("dst", {"big": "x" * 100_000, **kept, **{f"f{i:04}": "" for i in range(number)}})

    assert world.run(world.pair(guard={"trash": {"max": "100%", **ANYWHERE}})).code == code


@pytest.mark.torture
@pytest.mark.parametrize(("number", "code"), [(10, 0), (11, 4)])
@pytest.mark.parametrize("by", ["count", "bytes"])
def test_G3_ten_files_may_be_trashed_whatever_their_share(
    world: World, number: int, code: int, by: str
) -> None:
    kept = {f"k{i:03}": "x" for i in range(200 if by == "bytes" else 10)}
    world.write("src", kept)
    world.write("dst", kept | {f"f{i:02}": "x" * (10 if by == "bytes" else 1) for i in range(number)})

    assert world.run(world.pair(guard={"trash": ANYWHERE})).code == code


@pytest.mark.torture
@pytest.mark.parametrize(("number", "code"), [(20, 0), (21, 4)])
def test_G3_a_tenth_of_the_entries_may_be_trashed(world: World, number: int, code: int) -> None:
    kept = {f"k{i:03}": "x" for i in range(200 - number)}
    world.write("src", kept)
    world.write("dst", kept | {f"f{i:02}": "x" for i in range(number)})

    assert world.run(world.pair(guard={"trash": ANYWHERE})).code == code


@pytest.mark.parametrize(("most", "code"), [("20B", 0), ("19B", 4)])
def test_bytes_that_may_be_trashed_can_be_limited(world: World, most: str, code: int) -> None:
    world.write("src", {"a": "1"})
    world.write("dst", {"a": "1", "b": "x" * 20})

    assert world.run(world.pair(guard={"trash": {"max_bytes": most}})).code == code


def test_the_plan_of_an_early_wave_is_accepted_whatever_the_later_ones_do(world: World) -> None:
    world.fields["far"] = {}
    world.write("src", {"a": "1"})
    world.write("dst", TWELVE)
    jobs = {
        "one": {"pairs": [World.ends()]},
        "two": {"needs": ["one"], "pairs": [World.ends(destination="far:")]},
    }
    manifest = world.manifest(jobs)
    (mark,) = world.plan(manifest).refused

    planned = world.plan(manifest, accepted=frozenset({mark}))
    ended = world.run(manifest, accepted=frozenset({mark}))

    assert (planned.code, ended.code) == (0, 0)
    assert world.files("dst") == world.files("far") == {"a": b"1"}
