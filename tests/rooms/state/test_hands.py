"""Who writes for a run that is gone keeps others out until it has ended."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.model.errors import Locked
from runner.state import locks
from runner.state.hands import held, sharing
from runner.state.locks import Scope, locked

PLACE = [Scope("disk", "a")]
RUN = """
import os, subprocess, sys
from pathlib import Path
from runner.state.hands import held
from runner.state.locks import Scope, locked
with locked(Path(sys.argv[1]), [Scope("disk", "a")], "run-that-dies"):
    writer = subprocess.Popen([sys.executable, "-c", sys.argv[2], str(os.getpid()), *held()], stdin=0, stdout=1)
    sys.stdin.read(1)
    writer.wait()
"""
WRITER = """
import sys
from runner.state.hands import sharing
with sharing(sys.argv[2:], int(sys.argv[1])):
    print("writes", flush=True)
    sys.stdin.readline()
"""


@contextlib.contextmanager
def orphaned(state: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that writes for a run that was killed, until its standard input says something."""
    command = [sys.executable, "-c", RUN, str(state), WRITER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "writes\n"
        process.kill()
        process.wait()
        yield process


@pytest.mark.torture
def test_L1_nobody_gets_the_place_before_the_writer_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with orphaned(tmp_path) as orphan:
        with monkeypatch.context() as patch:
            patch.setattr(locks, "_ENDING_S", 0.1)
            with pytest.raises(Locked, match="run run-that-dies"), locked(tmp_path, PLACE, "ours"):
                pass
        assert orphan.stdin is not None
        orphan.stdin.write("\n")
        orphan.stdin.flush()

        with locked(tmp_path, PLACE, "ours"):
            pass


def test_a_place_that_nobody_wrote_to_for_us_is_free_at_once(tmp_path: Path) -> None:
    with locked(tmp_path, PLACE, "first"):
        (path,) = held()
        assert Path(path).parent == tmp_path / "locks"

    assert held() == []
    with locked(tmp_path, PLACE, "second"):
        pass


def test_nothing_is_shared_with_one_that_is_not_our_parent(tmp_path: Path) -> None:
    with pytest.raises(EOFError), sharing([os.fspath(tmp_path / "place.hands")], os.getpid()):
        pass
