"""Workers are called early where the last good run has shown that there is much for them, and nowhere else."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runner import app
from runner.app import hands
from runner.backends.local.crew import Crew
from runner.manifest.load import loads
from runner.manifest.manifest import Manifest
from runner.state.history import History


@pytest.fixture(autouse=True)
def crew(monkeypatch: pytest.MonkeyPatch) -> Crew:
    one = Crew(1)
    monkeypatch.setattr(hands, "CREW", one)
    monkeypatch.setattr(hands, "LONG", 3)
    return one


@pytest.fixture
def state(tmp_path: Path) -> Path:
    made = tmp_path / "state"
    made.mkdir(mode=0o700)
    return made


def manifest(top: Path, **remotes: Any) -> Manifest:
    """Three files to copy, to a disk or to the first of the remotes."""
    (top / "source").mkdir(exist_ok=True)
    (top / "to").mkdir(exist_ok=True)
    for number in range(3):
        (top / "source" / str(number)).write_text("text")
    goal = f"{next(iter(remotes))}:" if remotes else str(top / "to")
    pair = {"source": str(top / "source"), "destination": goal, "mode": "copy"}
    text = {"version": 1, "name": "x", "remotes": remotes, "jobs": {"job": {"pairs": [pair]}}}
    return loads(json.dumps(text), str(top / "x.yaml"))


def ran(manifest: Manifest, state: Path) -> None:
    with asyncio.run(app.run(manifest, app.Options(state))) as result:
        assert result.code == 0


def called(manifest: Manifest, state: Path, crew: Crew) -> Iterator[bool]:
    with hands.hands(manifest, state):
        yield crew.there
    yield crew.there


def test_workers_come_for_what_was_long_the_last_time_and_go_again(
    tmp_path: Path, state: Path, crew: Crew
) -> None:
    long = manifest(tmp_path)

    before = list(called(long, state, crew))
    ran(long, state)

    assert before == [False, False]
    assert list(called(long, state, crew)) == [True, False]


def test_none_come_for_what_was_short_or_where_nothing_is_remembered(
    tmp_path: Path, state: Path, crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = manifest(tmp_path)
    ran(short, state)
    monkeypatch.setattr(hands, "LONG", 4)

    assert list(called(short, state, crew)) == [False, False]

    monkeypatch.setattr(hands, "LONG", 1)
    (state / "pairs.db").write_bytes(b"no database at all" * 100)

    assert list(called(short, state, crew)) == [False, False]


def test_a_named_disk_is_a_disk_and_what_is_none_does_not_count(
    tmp_path: Path, state: Path, crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = manifest(tmp_path, disk={"type": "local", "path": str(tmp_path / "to")})
    far = manifest(tmp_path, far={"type": "memory"})
    monkeypatch.setattr(History, "files", lambda self, file: {disk.pairs[0].name: (0, 3)})

    assert list(called(disk, state, crew)) == [True, False]
    assert list(called(far, state, crew)) == [False, False]
