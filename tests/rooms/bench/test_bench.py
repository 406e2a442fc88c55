"""ci/bench and ci/profile: they check what they time, they end in time, and what they print can be read."""

import importlib
import json
import os
import runpy
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).parents[3]
sys.path.append(str(CHECKOUT / "ci"))


def module(name: str) -> Any:
    """A module behind the scripts; mypy does not look there."""
    return importlib.import_module(f"benches.{name}")


def script(name: str, data: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    """What a script says of acdrun alone, at small sizes."""
    words = [sys.executable, str(CHECKOUT / "ci" / name), *options, "--small", "--data", str(data)]
    return subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)


def runs(pid: int) -> bool:
    """Is there such a process, and not only what is left of it?"""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except ProcessLookupError:
        return False
    except FileNotFoundError:  # it went a moment ago, or there is no such folder on this system
        return True


def cost(wall_s: float, cpu_s: float = 1, peak_bytes: int = 0, requests: int | None = None) -> Any:
    """The cost of one turn."""
    return module("measure").Cost(wall_s, cpu_s, peak_bytes, requests)


def result(*goals: Any, **costs: list[Any]) -> Any:
    """The result of a contest between acdrun and `other`."""
    contest = module("contest")
    return contest.Result("case", "title", tuple(contest.Goal(*goal) for goal in goals), costs=costs)


def test_bench_measures_a_start_and_leaves_nothing(tmp_path: Path) -> None:
    said = script("bench", tmp_path, "--only", "help", "--rounds", "1", "--no-peers", "--json")

    told = json.loads(said.stdout)
    assert (said.returncode, told["case"], told["wrong"]) == (0, "help", "")
    assert told["sides"]["acdrun"]["median"]["wall_s"] > 0
    assert told["sides"]["acdrun"]["median"]["peak_bytes"] > 1_000_000
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_bench_plays_every_case_of_ours_and_leaves_nothing(tmp_path: Path) -> None:
    said = script("bench", tmp_path, "--rounds", "1", "--no-peers", "--json")

    told = [json.loads(line) for line in said.stdout.splitlines()]
    assert (said.returncode, said.stderr) == (0, "")
    assert [one["case"] for one in told] == list(module("cases").CASES)
    assert all(one["sides"]["acdrun"]["rounds"] for one in told)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_profile_names_the_rooms_where_the_time_went(tmp_path: Path) -> None:
    said = script("profile", tmp_path, "validate", "--with", "cProfile")

    assert said.returncode == 0, said.stderr
    assert "runner.manifest" in said.stdout
    assert "pydantic" in said.stdout


def test_the_tables_of_the_page_can_be_written_anew() -> None:
    bench = runpy.run_path(str(CHECKOUT / "ci/bench"))
    page = (CHECKOUT / "docs/performance.md").read_text()

    told = bench["written"](bench["written"](page, "| old |"), "| new |")

    assert told.count("| new |") == 1
    assert "| old |" not in told
    assert told.startswith(page.partition(bench["BEGIN"])[0])
    assert told.endswith(page.partition(bench["END"])[2])


def test_a_side_that_stores_other_bytes_has_no_time(tmp_path: Path) -> None:
    trees, lab = module("trees"), module("lab")
    trees.make(str(tmp_path / "a"), "120", "100")
    trees.copy(str(tmp_path / "a"), str(tmp_path / "b"))
    clock = module("measure").Clock(60)
    room = lab.Lab(tmp_path, clock, {}, peers=False)
    wanted = room.tree("digest", tmp_path / "a")
    lab.same(room.tree("digest", tmp_path / "b"), wanted, "copy")
    file = next((tmp_path / "b").rglob("*.dat"))
    stat = file.stat()

    file.write_bytes(b"y" * 100)
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))

    with pytest.raises(module("measure").Wrong, match="copy left 120"):
        lab.same(room.tree("digest", tmp_path / "b"), wanted, "copy")


def test_a_side_that_fails_has_no_time(tmp_path: Path) -> None:
    measure = module("measure")

    with pytest.raises(measure.Wrong, match="ended with 3"):
        measure.run([sys.executable, "-c", "exit(3)"], os.environ, tmp_path, measure.Clock(60))


def test_nothing_runs_longer_than_the_time_there_is(tmp_path: Path) -> None:
    measure = module("measure")
    command = ["sh", "-c", "echo $$ > pid; exec sleep 600"]

    with pytest.raises(measure.OutOfTime):
        measure.run(command, os.environ, tmp_path, measure.Clock(3))

    pid = int((tmp_path / "pid").read_text())
    for _ in range(3000):  # a process that was killed takes a moment to go
        if not runs(pid):
            break
        time.sleep(0.01)
    assert not runs(pid)


def test_what_a_child_of_the_measured_process_takes_is_counted(tmp_path: Path) -> None:
    measure = module("measure")
    child = "x = bytearray(b'x') * (64 << 20)\nfor _ in range(3_000_000): pass"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"

    took, _ = measure.run([sys.executable, "-c", parent], os.environ, tmp_path, measure.Clock(60))
    bare, _ = measure.run([sys.executable, "-c", "pass"], os.environ, tmp_path, measure.Clock(60))

    assert took.peak_bytes > 64 << 20 > bare.peak_bytes
    assert took.cpu_s > bare.cpu_s


def test_the_median_of_each_figure_stands_in_the_table() -> None:
    sides = {"acdrun": [cost(2, 4), cost(9, 1), cost(3, 2)], "other": [cost(10, 8)]}

    row = next(module("table").rows(result(("wall_s", 0.5, "other"), ("cpu_s", 0.2, "other"), **sides)))

    assert row[2:8] == ("3.00", "10.00", "0.30", "2.00", "8.00", "0.25")
    assert row[-2:] == ("wall 0.5x, CPU 0.2x", "yes, NO")


@pytest.mark.parametrize(
    ("goal", "mine", "met"),
    [
        (("requests", 3), cost(1, requests=3), True),
        (("requests", 3), cost(1, requests=4), False),
        (("requests", 3), cost(1), False),
        (("peak_bytes", 30e6, "+other"), cost(1, peak_bytes=120_000_000), True),
        (("peak_bytes", 30e6, "+other"), cost(1, peak_bytes=140_000_000), False),
        (("wall_s", 2, "absent"), cost(1), None),
    ],
)
def test_a_target_is_met_or_missed_or_cannot_be_told(goal: Any, mine: Any, met: bool | None) -> None:
    told = json.loads(
        module("table").records([result(goal, acdrun=[mine], other=[cost(1, peak_bytes=100_000_000)])])
    )

    assert [one["met"] for one in told["goals"]] == [met]


def test_a_side_that_is_slow_beyond_patience_plays_once() -> None:
    contest, turns = module("contest"), []

    def play(side: str, wall_s: float) -> Any:
        turns.append(side)
        return cost(wall_s)

    told = result()
    sides = {"acdrun": lambda: play("acdrun", 1), "other": lambda: play("other", 100)}
    list(contest.held(contest.Contest("title", sides, ()), told, 3, 60))

    assert turns == ["acdrun", "other", "acdrun", "acdrun"]
    assert told.notes == ["other: 1 round, as one takes 100 s"]


def test_samples_are_summed_by_room_and_each_room_counts_once_a_stack() -> None:
    lines = [
        "main (/x/runner/cli/main.py:1);take (/x/runner/state/queue.py:9);commit (/x/runner/state/database.py:3) 30",
        "main (/x/runner/cli/main.py:1);send (/x/lib/python3.11/site-packages/httpx/_client.py:7) 10",
        "main (/x/runner/cli/main.py:1);run (/x/lib/python3.11/asyncio/runners.py:7) 10",
    ]

    profile = module("profiles").sampled(lines, rate=10)

    assert profile.rooms() == {"runner.state": 3.0, "httpx": 1.0, "asyncio": 1.0}
    assert profile.within["runner.state"] == 3.0
    assert profile.within["runner.cli"] == profile.total == 5.0
