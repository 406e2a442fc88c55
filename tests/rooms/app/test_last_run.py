"""Guards that compare with the last good run, and what is remembered of one."""

from typing import Any

import pytest

from runner.model.errors import Denied
from tests.lab import Fault
from tests.lab.worlds import Ended, World


def some(number: int, content: str = "x", name: str = "f") -> dict[str, str]:
    """So many files."""
    return {f"{name}{i:05}": content for i in range(number)}


def said(ended: Ended) -> str:
    """What the door of the only job was told."""
    return ended.stage("accept", "", "job").why


def less(world: World, number: int, **more: Any) -> Ended:
    """A copy, after one that found that many files more."""
    world.write("src", some(300))
    assert world.run(world.pair("copy")).code == 0
    world.remove("src", *list(some(300))[:number])
    return world.run(world.pair("copy", **more))


def test_a_source_that_lost_most_of_what_the_last_good_run_found_is_refused(world: World) -> None:
    ended = less(world, 200)

    assert ended.code == 4
    assert "shrink.max is 50% (default, for the pair at " in said(ended)
    assert "), but the source holds 100 files" in said(ended)
    assert "300 files (300B) of the last good run" in said(ended)


@pytest.mark.parametrize(
    ("number", "limit", "code"),
    [(150, {}, 0), (151, {}, 4), (20, {"max": "1%", "always": 20}, 0), (21, {"max": "1%", "always": 20}, 4),
     (299, {"max": "100%"}, 0)],
)  # fmt: skip
def test_a_source_may_shrink_to_the_limit_and_no_further(
    world: World, number: int, limit: dict[str, Any], code: int
) -> None:
    assert less(world, number, guard={"shrink": limit}).code == code


def test_a_source_shrinks_in_bytes_too(world: World) -> None:
    world.write("src", some(200) | some(20, "x" * 1000, "big"))
    world.run(world.pair("copy"))
    world.remove("src", *some(20, name="big"))

    ended = world.run(world.pair("copy", guard={"shrink": {"always": 10}}))

    assert ended.code == 4
    assert "shrink.max" in said(ended)


def test_nothing_is_compared_without_a_good_run(world: World) -> None:
    world.write("src", some(300))
    world.spoil("src", Fault("list", 0, path="", error=Denied("no")))
    assert world.run(world.pair("copy")).code == 6
    world.spoil("src")
    world.remove("src", *list(some(300))[:250])

    assert world.run(world.pair("copy")).code == 0


def test_another_destination_is_another_pair(world: World) -> None:
    world.fields["far"] = {}
    world.write("src", some(300))
    world.run(world.pair("copy"))
    world.remove("src", *list(some(300))[:250])

    assert world.run(world.pair("copy", destination="far:")).code == 0


def test_a_refused_run_is_not_what_the_next_one_is_compared_with(world: World) -> None:
    first = less(world, 200)

    assert (first.code, world.run(world.pair("copy")).code) == (4, 4)


def test_a_listing_with_gaps_is_neither_compared_nor_remembered(world: World) -> None:
    world.write("src", {f"shut/{name}": text for name, text in some(300).items()})
    world.write("src", {"a": "1"})
    world.run(world.pair("copy"))
    world.spoil("src", Fault("list", 0, path="shut", error=Denied("no")))
    assert world.run(world.pair("copy")).code == 3
    world.spoil("src")
    world.remove("src", *(f"shut/{name}" for name in list(some(300))[:200]))

    assert world.run(world.pair("copy")).code == 4


@pytest.mark.torture
@pytest.mark.parametrize("mode", ["copy", "mirror"])
def test_G2_N14_an_empty_listing_where_the_last_run_found_something_is_refused(
    world: World, mode: str
) -> None:
    world.write("src", {"a": "1"})
    world.run(world.pair(mode))
    world.remove("src", "a")
    world.remove("dst", "a")

    ended = world.run(world.pair(mode))

    assert ended.code == 4
    assert "the source is empty, while the last good run found 1 file (1B) in it" in said(ended)


@pytest.mark.torture
def test_N14_a_destination_that_is_empty_though_the_last_run_left_something_is_told(world: World) -> None:
    world.write("src", some(12))
    world.run()
    world.remove("dst", *some(12))

    ended = world.run()

    assert ended.code == 0
    (warning,) = [check for check in ended.checks("job") if check.level == "warn"]
    assert "the destination is empty, though the last good run left 12 files (12B) there" in warning.text


@pytest.mark.torture
@pytest.mark.parametrize("mode", ["copy", "mirror"])
def test_G7_names_that_a_new_filter_hides_are_no_trash_and_need_a_look_at_the_plan(
    world: World, mode: str
) -> None:
    world.write("src", some(1000) | {"stays": "1"})
    world.run(world.pair(mode))
    pair = world.pair(mode, filter=[{"exclude": "f*"}])

    ended = world.run(pair)

    assert ended.code == 4
    assert "the filter has changed since the last good run: 1,000 files (1000B) of that run" in said(ended)
    assert ended.ops("trash") == []
    (mark,) = ended.refused
    assert world.run(pair, accepted=frozenset({mark})).code == 0
    assert len(world.files("dst")) == 1001
    assert world.trash("dst") == {}


@pytest.mark.parametrize(("number", "code"), [(10, 0), (11, 4)])
def test_a_filter_that_hides_little_is_told_and_no_more(world: World, number: int, code: int) -> None:
    world.write("src", some(number) | {"stays": "1"})
    world.run()

    ended = world.run(world.pair(filter=[{"exclude": "f*"}]))

    assert ended.code == code
    assert {check.level for check in ended.checks("job") if "filter has changed" in check.text} == (
        {"refused"} if code else {"warn"}
    )


def test_new_files_do_not_hide_those_that_a_new_filter_hides(world: World) -> None:
    world.write("src", some(20))
    world.run()
    world.write("src", some(100, name="new"))

    assert world.run(world.pair(filter=[{"exclude": "f*"}])).code == 4


@pytest.mark.parametrize(("number", "code"), [(10, 0), (11, 4)])
def test_a_wider_filter_that_trashes_more_than_a_little_needs_a_look_at_the_plan(
    world: World, number: int, code: int
) -> None:
    world.write("src", some(500, name="ours"))
    world.write("dst", some(number, name="theirs"))
    world.run(world.pair(filter=[{"exclude": "theirs*"}]))

    ended = world.run()

    assert ended.code == code
    assert len(ended.ops("trash")) == number


def test_the_same_filter_is_no_news(world: World) -> None:
    pair = world.pair(filter=[{"exclude": "f*"}])
    world.write("src", some(300) | {"stays": "1"})
    world.run(pair)
    world.write("src", {"stays": "2"})

    ended = world.run(pair)

    assert ended.code == 0
    assert not [check for check in ended.checks("job") if "filter" in check.text]


def test_a_saved_plan_that_was_applied_is_remembered(world: World) -> None:
    world.write("src", some(300))
    out = world.folder / "saved.plan"
    world.plan(world.pair("copy"), out)
    world.apply(out)
    world.remove("src", *list(some(300))[:200])

    assert world.run(world.pair("copy")).code == 4


def test_without_its_history_a_run_compares_nothing(world: World) -> None:
    world.write("src", some(300))
    world.run(world.pair("copy"))
    (world.state / "pairs.db").unlink()
    world.remove("src", *list(some(300))[:200])

    assert world.run(world.pair("copy")).code == 0
