"""Clocks and times that make no sense: nothing is sent or trashed for them, and the order of runs stays."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from runner import app
from runner.model.errors import PlanStale
from tests.lab.worlds import Ended, World, steps

DAY = 86_400.0
JUMPS = {"a year back": -365 * DAY, "a day forward": DAY, "to the epoch": -(10**9), "to 2100": 75 * 365 * DAY}

Shift = Callable[[float], None]


@pytest.fixture
def shift(monkeypatch: pytest.MonkeyPatch) -> Shift:
    """The clock of this machine is off by so many seconds from now on."""
    real, off = time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: real() + off[0])
    monkeypatch.setattr(time, "time_ns", lambda: int((real() + off[0]) * 1e9))
    return lambda by_s: off.__setitem__(0, by_s)


def changed(ended: Ended) -> list[tuple[str, str, str]]:
    """What was written."""
    return [step for step in steps(ended) if step[2] != "same"]


@pytest.mark.torture
@pytest.mark.parametrize(("jump", "compare"), list(zip(JUMPS, ("auto", "time", "hash", "time"), strict=True)))
def test_C3_a_clock_that_jumps_changes_nothing_in_a_mirror(
    world: World, shift: Shift, jump: str, compare: str
) -> None:
    world.write("src", {"a": "1", "b/c": "2"})
    manifest = world.pair(checksum={"compare": compare})
    world.run(manifest)
    shift(JUMPS[jump])

    ended = world.run(manifest)

    assert ended.code == 0
    assert changed(ended) == []
    assert world.trash("dst") == {}


@pytest.mark.torture
@pytest.mark.parametrize("jump", ["a year back", "a day forward"])
def test_C3_the_latest_run_is_the_last_one_that_was_made_whatever_the_clock_says(
    world: World, shift: Shift, jump: str
) -> None:
    world.write("src", {"a": "1"})
    first = world.run()
    shift(JUMPS[jump])
    world.write("src", {"a": "22"})
    second = world.run()
    shift(0.0)
    world.write("src", {"a": "333"})
    third = world.run()

    assert [header.id for header in app.history(world.state)] == [
        ended.header.id for ended in (third, second, first)
    ]
    assert world.undo_run("last").code == 0
    assert world.files("dst") == {"a": b"22"}, "the last run was taken back, and no other"


@pytest.mark.torture
@pytest.mark.parametrize("jump", ["a year back", "to 2100"])
def test_C3_a_plan_is_not_applied_by_a_clock_that_is_far_off(
    world: World, shift: Shift, tmp_path: Path, jump: str
) -> None:
    world.write("src", {"a": "1"})
    plan = world.plan(out=tmp_path / "saved.plan").path
    shift(JUMPS[jump])

    with pytest.raises(PlanStale, match="clock is wrong" if "back" in jump else "expired"):
        world.apply(plan)

    assert world.files("dst") == {}
    shift(0.0)
    assert world.apply(plan).code == 0


TIMES = {
    "before 1970": -(10**18) - 1,
    "the epoch": 0,
    "one ns": 1,
    "after 2106": 2**32 * 10**9 + 123_456_789,
    "every ns counts": 1_700_000_000_123_456_789,
}


@pytest.mark.torture
@pytest.mark.parametrize("step_ns", [1, 1000, 10**9, 2 * 10**9, None])
def test_C4_times_out_of_the_ordinary_and_times_cut_short_send_nothing_again(
    world: World, step_ns: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = world.folder / "here"
    here.mkdir()
    for name, mtime_ns in TIMES.items():
        (here / name).write_text(name)
        try:
            os.utime(here / name, ns=(0, mtime_ns))
        except OSError:
            (here / name).unlink()  # this disk does not know such a time
    world.fields["dst"] = {"mtime_ns": step_ns, "algorithms": []}
    manifest = world.pair(source=str(here))

    first = world.run(manifest)
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    time.tzset()
    again = world.run(manifest)
    monkeypatch.setenv("TZ", "Pacific/Marquesas")
    time.tzset()
    third = world.run(manifest)
    monkeypatch.undo()
    time.tzset()

    assert len(changed(first)) == len(list(here.iterdir())) >= 4
    assert (first.code, again.code, third.code) == (0, 0, 0)
    assert changed(again) == changed(third) == []


@pytest.mark.torture
def test_C4_a_local_copy_keeps_times_to_the_ns(world: World) -> None:
    here, there = world.folder / "here", world.folder / "there"
    here.mkdir()
    (here / "file").write_text("x")
    os.utime(here / "file", ns=(0, TIMES["every ns counts"]))
    manifest = world.pair(source=str(here), destination=str(there), checksum={"compare": "time"})

    assert world.run(manifest).code == 0
    assert (there / "file").stat().st_mtime_ns == TIMES["every ns counts"]
    assert changed(world.run(manifest)) == []
