"""The clock of this machine against those of the services: a wrong one must not decide what is decided by time."""

from pathlib import Path
from typing import Any

import pytest

from runner.backends.memory import Memory
from runner.model.backend import Backend
from runner.model.errors import PlanStale
from tests.lab.worlds import Ended, World

HOUR = 3600.0
AGES: dict[str, Any] = {"filter": [{"exclude": {"newer_than": "1h"}}]}
BY_TIME: dict[str, Any] = {"checksum": {"compare": "time"}}
OLD_NS = 10**18


def ahead(world: World, remote: str, offset_s: float | None) -> None:
    """From now on that service's clock is so far ahead."""

    def wrap(name: str, inner: Backend) -> Backend:
        assert isinstance(inner, Memory)
        if name == remote:
            inner.clock_offset_s = offset_s
        return inner

    world.wrap = wrap


def told(ended: Ended) -> list[tuple[str, str]]:
    """What the guard said of clocks: level and text."""
    return [(check.level, check.text) for check in ended.checks("job") if check.limit == "clock"]


@pytest.mark.parametrize(
    ("offset_s", "level"), [(None, None), (300.0, None), (-300.0, None), (301.0, "warn"), (-301.0, "warn")]
)
def test_more_than_five_minutes_are_told(world: World, offset_s: float | None, level: str | None) -> None:
    world.write("src", {"a": "1"})
    ahead(world, "dst", offset_s)

    ended = world.run()

    assert ended.code == 0
    assert [said for said, _ in told(ended)] == ([level] if level else [])


@pytest.mark.torture
@pytest.mark.parametrize("remote", ["src", "dst"])
@pytest.mark.parametrize(
    ("by", "why"), [(BY_TIME, "the pair is compared by time"), (AGES, "the filter asks how old files are")]
)
@pytest.mark.parametrize("offset_s", [86_401.0, -86_401.0])
def test_C3_nothing_is_decided_by_time_when_the_clocks_are_more_than_a_day_apart(
    world: World, remote: str, by: dict[str, Any], why: str, offset_s: float
) -> None:
    world.write("src", {"a": "1"}, mtime_ns=OLD_NS)
    ahead(world, remote, offset_s)

    ended = world.run(world.pair(**by))
    untouched = world.files("dst")
    accepted = world.run(world.pair(**by), accepted=frozenset(ended.refused))

    assert (ended.code, untouched) == (4, {})
    way = "behind" if offset_s > 0 else "ahead of"
    ((level, text),) = told(ended)
    assert (level, text) == (
        "refused",
        f"the clock of this machine is 1d {way} that of {remote!r}: one of them is wrong, and {why}",
    )
    assert (accepted.code, world.files("dst")) == (0, {"a": b"1"})


@pytest.mark.parametrize("by", [BY_TIME, AGES])
def test_a_day_is_told_and_not_refused(world: World, by: dict[str, Any]) -> None:
    world.write("src", {"a": "1"}, mtime_ns=OLD_NS)
    ahead(world, "dst", 86_400.0)

    ended = world.run(world.pair(**by))

    assert ended.code == 0
    assert [level for level, _ in told(ended)] == ["warn"]


def test_what_is_not_decided_by_time_goes_on_by_any_clock(world: World) -> None:
    world.write("src", {"a": "1"})
    ahead(world, "dst", 10**9)

    ended = world.run(world.pair(checksum={"compare": "hash"}, filter=[{"exclude": {"larger_than": "1GiB"}}]))

    assert ended.code == 0
    assert [level for level, _ in told(ended)] == ["warn"]


def test_one_service_at_both_ends_is_told_of_once(world: World) -> None:
    world.write("src", {"in/a": "1"})
    ahead(world, "src", HOUR)

    ended = world.run(world.pair(source="src:in", destination="src:out"))

    assert told(ended) == [
        ("warn", "the clock of this machine is 1h behind that of 'src': one of them is wrong")
    ]


@pytest.mark.torture
@pytest.mark.parametrize("offset_s", [86_401.0, -86_401.0])
def test_C3_a_plan_is_not_applied_where_nobody_can_tell_whether_it_has_expired(
    world: World, tmp_path: Path, offset_s: float
) -> None:
    world.write("src", {"a": "1"})
    plan = world.plan(out=tmp_path / "saved.plan").path
    ahead(world, "dst", offset_s)

    with pytest.raises(PlanStale, match="nobody can tell whether the plan has expired"):
        world.apply(plan)

    assert world.files("dst") == {}
    ahead(world, "dst", 23 * HOUR)
    assert world.apply(plan).code == 0


def test_an_undo_goes_on_by_any_clock(world: World) -> None:
    world.write("src", {"a": "1"})
    ended = world.run(world.pair(**BY_TIME))
    ahead(world, "dst", 10**9)

    assert world.undo(ended, created=True).code == 0
    assert world.files("dst") == {}
