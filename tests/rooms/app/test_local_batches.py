"""From disk to disk: what became of a plan meanwhile is told of each file, whether it goes in a batch or alone."""

import asyncio
import dataclasses
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner import app
from runner.backends.local.backend import Local
from runner.manifest.load import loads
from runner.model.content import CHUNK

SOURCE = {
    **{f"many/{number:02}": b"%d" % number for number in range(30)},
    **{name: name.encode() for name in ("vanishes", "grows", "link", "equal", "other", "below/x", "fine")},
    "large": b"x" * (3 * CHUNK),
}


def meddle(source: Path, destination: Path) -> None:
    """Whatever may happen between a plan and its turn."""
    (source / "vanishes").unlink()
    (source / "grows").write_bytes(b"grows and grows")
    (source / "link").unlink()
    (source / "link").symlink_to("fine")
    (destination / "equal").write_bytes(b"equal")
    (destination / "other").write_bytes(b"somebody's")
    (destination / "below").write_bytes(b"no folder any more")


def done(top: Path, durability: str) -> tuple[int, list[tuple[str, str, str, str, str]], dict[str, bytes]]:
    """Plan, meddle, apply: the exit code, how each operation ended, and what stands there then."""
    source, destination, state = top / "source", top / "destination", top / "state"
    state.mkdir(mode=0o700, parents=True)
    destination.mkdir()
    for name, data in SOURCE.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(data)
        os.utime(source / name, ns=(10**18, 10**18))
    pair = {"source": str(source), "destination": str(destination), "mode": "copy", "durability": durability}
    retry = {"attempts": 2, "backoff": "1ms..2ms"}
    text = {"version": 1, "name": "x", "jobs": {"job": {"pairs": [{**pair, "retry": retry}]}}}
    manifest, options = loads(json.dumps(text), str(top / "x.yaml")), app.Options(state)
    with asyncio.run(app.plan(manifest, options, top / "saved.plan")):
        pass
    meddle(source, destination)

    with asyncio.run(app.apply(top / "saved.plan", options)) as result:
        ends = sorted((c.task, c.path, str(c.state), c.proof, c.note) for c in result.account.changes())
    found = {
        path.relative_to(destination).as_posix(): path.read_bytes()
        for path in destination.rglob("*")
        if path.is_file()
    }
    return int(result.code), ends, found


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Files go one by one from here on."""
    with monkeypatch.context() as patch:
        patch.setattr(Local, "can", dataclasses.replace(Local.can, copies=""))
        yield patch


@pytest.mark.parametrize("durability", ["batch", "file"])
def test_a_batch_tells_of_each_file_what_it_would_have_told_alone(
    tmp_path: Path, durability: str, alone: pytest.MonkeyPatch
) -> None:
    expected = done(tmp_path / "alone", durability)
    alone.undo()

    told = done(tmp_path / "batch", durability)

    assert told == expected
    code, ends, found = told
    assert code == 5
    assert {path for _, path, state, *_ in ends if state not in ("done", "held")} == {
        "vanishes", "grows", "link", "other", "below",
    }  # fmt: skip
    assert found["other"] == b"somebody's"
    assert found["large"] == SOURCE["large"]
    assert {path for path in found if path.startswith("many/")} == {
        p for p in SOURCE if p.startswith("many/")
    }
