"""Stopping early: by time, by bytes, by a signal. What is under way ends, and the next run finishes."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runner import app
from runner.engine.interrupt import Stop
from runner.manifest.load import loads
from runner.model.backend import Backend
from runner.model.content import Content
from runner.model.errors import NoSpace
from runner.model.events import Event, Note, silent
from runner.model.exits import Exit
from runner.model.node import Node
from runner.state.queue import BATCH_OPS
from tests.lab import Fault
from tests.lab.worlds import World

MANY = {f"f{number:03}": "x" * 10 for number in range(100)}

RUN = """
import asyncio, dataclasses, sys
from pathlib import Path
from runner import app
from runner.backends import registry
from runner.backends.local.backend import Local
from runner.manifest.load import load

put = Local.put
count = 0

async def slow(self, path, content, *, expect):
    global count
    count += 1
    if count == 20:
        print("going", flush=True)
    await asyncio.sleep(float(sys.argv[3]))
    return await put(self, path, content, expect=expect)

Local.put = slow
Local.can = dataclasses.replace(Local.can, copies="")
options = app.Options(Path(sys.argv[2]), signals=True)
sys.exit(int(asyncio.run(app.run(load(Path(sys.argv[1])), options)).code))
"""

MANIFEST = """
version: 1
name: stopping
jobs:
  job: { pairs: [{ source: here, destination: there, mode: copy }] }
"""


def slow_run(folder: Path, each_s: float) -> subprocess.Popen[str]:
    """A process that copies a hundred files from `here` to `there`, and is amid it when this returns."""
    state = folder / "state"
    state.mkdir(exist_ok=True)
    if not (folder / "here").exists():
        (folder / "here").mkdir()
        for name, text in MANY.items():
            (folder / "here" / name).write_text(text)
    (folder / "job.yaml").write_text(MANIFEST)
    command = [sys.executable, "-c", RUN, str(folder / "job.yaml"), str(state), str(each_s)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "going\n"
    return process


def copied(folder: Path) -> dict[str, str]:
    """What shows at the destination: names and content."""
    return {p.name: p.read_text() for p in (folder / "there").iterdir() if not p.name.startswith(".")}


@pytest.mark.torture
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_P11_the_first_signal_drains_and_the_next_run_finishes(
    tmp_path: Path, number: int, code: int
) -> None:
    with slow_run(tmp_path, 0.02) as process:
        os.kill(process.pid, number)
        first = process.wait(timeout=20)
    then = copied(tmp_path)

    with slow_run(tmp_path, 0.0) as process:
        second = process.wait(timeout=20)

    assert (first, second) == (code, 0)
    assert 0 < len(then) < 100
    assert then.items() <= MANY.items()
    assert copied(tmp_path) == MANY


@pytest.mark.torture
def test_P12_the_second_signal_leaves_at_once(tmp_path: Path) -> None:
    with slow_run(tmp_path, 20.0 / 20) as process:
        start = time.monotonic()
        os.kill(process.pid, signal.SIGINT)
        time.sleep(0.1)
        os.kill(process.pid, signal.SIGTERM)
        code = process.wait(timeout=20)

    assert code == 143
    assert time.monotonic() - start < 0.9


@pytest.mark.torture
def test_P4_a_killed_run_shows_nothing_half_and_the_next_one_finishes(tmp_path: Path) -> None:
    with slow_run(tmp_path, 0.02) as process:
        process.kill()
    then = copied(tmp_path)

    with slow_run(tmp_path, 0.0) as process:
        code = process.wait(timeout=20)

    assert code == 0
    assert then.items() <= MANY.items()
    assert copied(tmp_path) == MANY


def test_a_byte_budget_ends_the_run_and_the_next_one_goes_on(world: World) -> None:
    world.write("src", MANY)
    world.write("dst", {"lost": "0"})

    first = world.run(most_bytes=300)
    between = world.files("dst")
    second = world.run()

    assert (first.code, second.code) == (11, 0)
    assert 30 <= len(between) - 1 < 45
    assert "lost" in between
    assert world.files("dst").keys() == MANY.keys()
    assert len(second.ops("upload")) == 100 - (len(between) - 1)


@pytest.mark.torture
def test_P11_a_batch_that_waits_for_its_turn_is_not_begun_after_a_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first one ends, and is what stops the run; those that were taken meanwhile are put back."""
    here, state = tmp_path / "here", tmp_path / "state"
    here.mkdir()
    state.mkdir(mode=0o700)
    for number in range(3 * BATCH_OPS):
        (here / f"{number:04}").touch()
    manifest = loads(MANIFEST, str(tmp_path / "job.yaml"))

    def run() -> int:
        with asyncio.run(app.run(manifest, app.Options(state))) as result:
            return int(result.code)

    with monkeypatch.context() as patch:
        patch.setattr(Stop, "sent", lambda stop, size: stop._stop(Exit.TERMINATED, "stopped"))
        first = run()
    then = len(list((tmp_path / "there").iterdir()))
    second = run()

    assert (first, then) == (143, BATCH_OPS)
    assert (second, len(list((tmp_path / "there").iterdir()))) == (0, 3 * BATCH_OPS)


@pytest.mark.parametrize("why", ["budget", "hopeless"])
def test_who_waits_for_more_work_hears_that_there_will_be_none(world: World, why: str) -> None:
    """The last upload under way ends the run while all other workers are idle: it once waited for them for ever."""
    world.write("src", {"a": "1", "z": "x" * 100})

    def wrap(remote: str, inner: Backend) -> Backend:
        whole = inner.put

        async def put(path: str, content: Content, *, expect: str | None) -> Node:
            if path == "z":
                await asyncio.sleep(0.3)
                if why == "hopeless":
                    raise NoSpace("full")
            return await whole(path, content, expect=expect)

        vars(inner)["put"] = put
        return inner

    world.wrap = wrap

    ended = world.run(most_bytes=50 if why == "budget" else None)

    assert ended.code == (11 if why == "budget" else 7)


def test_a_deadline_that_is_over_starts_nothing(world: World) -> None:
    world.write("src", MANY)

    ended = world.run(deadline_s=0.0)

    assert ended.code == 11
    assert world.files("dst") == {}
    assert ended.changes == []


def test_a_deadline_ends_a_long_wait_for_another_try(world: World) -> None:
    world.write("src", MANY)
    world.spoil("dst", Fault("put", 0, path="f000"))
    retry = {"attempts": 5, "backoff": "1h..1h", "budget": "2d"}

    ended = world.run(world.pair("mirror", retry=retry), deadline_s=1.0)

    assert ended.code == 11
    assert ended.op("upload", "f000").state == "planned"
    assert len(world.files("dst")) == 99


def test_a_stop_ends_a_pause() -> None:
    async def stopped() -> float:
        stop = Stop(silent, most_bytes=1)
        start = time.monotonic()
        asyncio.get_running_loop().call_later(0.05, stop.sent, 1)
        await stop.pause(asyncio.sleep(60))
        return time.monotonic() - start

    assert asyncio.run(stopped()) < 20


def test_a_stop_is_told_once(world: World) -> None:
    world.write("src", MANY)

    ended = world.run(most_bytes=10)

    notes = [event.message for event in ended.told if isinstance(event, Note)]
    assert notes == ["the byte budget is used up; finishing what is under way"]


def test_a_deadline_counts_by_its_own_clock() -> None:
    now = [0.0]
    told: list[Event] = []
    stop = Stop(told.append, deadline_s=5.0, clock=lambda: now[0])

    before = stop.code
    now[0] = 5.0

    assert (before, stop.code, stop.code) == (None, 11, 11)
    assert len(told) == 1


def test_without_limits_nothing_stops() -> None:
    stop = Stop(silent)

    stop.sent(1 << 60)

    assert stop.code is None
