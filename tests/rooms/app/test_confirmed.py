"""What a run does, its journal has on disk before; what is only read and planned may be lost in a power cut.

The levels are SQLite's own: at FULL each commit is confirmed by the disk, at NORMAL a few may be lost together.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner.backends.memory import Memory
from runner.state.journal import Journal
from tests.lab.worlds import World

NORMAL, FULL = 1, 2


class Watched:
    """The journals that were made, and the level of the last one whenever something was done."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.seen: list[tuple[str, int]] = []
        self._journal: Journal | None = None
        begin = Journal.__init__

        def remember(journal: Journal, *args: Any, **more: Any) -> None:
            begin(journal, *args, **more)
            self._journal = journal

        patch.setattr(Journal, "__init__", remember)
        for effect in ("put", "mkdir", "move", "trash"):
            patch.setattr(Memory, effect, self._telling(effect, getattr(Memory, effect)))

    def level(self) -> int:
        assert self._journal is not None
        return int(str(self._journal.database.rows("PRAGMA synchronous")[0][0]))

    def _telling(self, name: str, verb: Callable[..., Any]) -> Callable[..., Any]:
        async def told(*args: Any, **more: Any) -> Any:
            if self._journal is not None:
                self.seen.append((name, self.level()))
            return await verb(*args, **more)

        return told


@pytest.mark.parametrize("mode", ["copy", "mirror"])
def test_nothing_is_done_before_the_disk_confirms_each_commit(
    world: World, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    world.write("src", {"new": "1", "below/it": "2", "changed": "long"})
    world.write("dst", {"changed": "s", "extra": "3"})
    watched = Watched(monkeypatch)

    ended = world.run(world.pair(mode, guard={"trash": {"max": "100%"}, "overwrite": {"max": "100%"}}))

    assert ended.code == 0
    assert {name for name, _ in watched.seen} >= {"put", "mkdir"} | ({"trash"} if mode == "mirror" else set())
    assert {level for _, level in watched.seen} == {FULL}


def test_a_run_with_nothing_to_do_asks_for_it_at_its_end_alone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write("src", {"a": "1"})
    world.write("dst", {"a": "1"})
    watched = Watched(monkeypatch)
    levels: list[int] = []
    end = Journal.end

    def ended(journal: Journal, code: int) -> None:
        levels.append(watched.level())
        end(journal, code)
        levels.append(watched.level())

    monkeypatch.setattr(Journal, "end", ended)

    assert world.run(world.pair("mirror")).code == 0
    assert levels == [NORMAL, FULL]


def test_a_hook_runs_when_the_disk_has_confirmed_the_run(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from runner.engine import scheduler

    world.write("src", {"a": "1"})
    watched, levels = Watched(monkeypatch), list[int]()
    real = scheduler.Hooks.__init__

    def telling(hooks: scheduler.Hooks, run: Callable[[str, str], Any]) -> None:
        async def told(job: str, side: str) -> None:
            levels.append(watched.level())
            await run(job, side)

        real(hooks, told)

    monkeypatch.setattr(scheduler.Hooks, "__init__", telling)
    words = [sys.executable, "-c", "pass"]

    ended = world.run(world.manifest({"job": {"pairs": [World.ends()], "before": words}}))

    assert ended.code == 0
    assert levels == [FULL]


def test_what_goes_on_with_a_journal_is_confirmed_from_its_first_commit(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write("src", {"a": "1"})
    world.plan(world.pair("mirror"), tmp_path / "saved.plan")
    watched, levels = Watched(monkeypatch), list[int]()
    mark = Journal.mark

    def marked(journal: Journal, *args: Any, **more: Any) -> None:
        levels.append(watched.level())
        mark(journal, *args, **more)

    monkeypatch.setattr(Journal, "mark", marked)

    assert world.apply(tmp_path / "saved.plan").code == 0
    assert levels[:1] == [FULL]
    assert watched.seen == [("put", FULL)]
