"""One writer per destination, whichever process it is in."""

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from runner.model.errors import Locked
from runner.state.locks import Scope, locked

HOLD = """
import sys, time
from pathlib import Path
from runner.state.locks import Scope, locked
with locked(Path(sys.argv[1]), [Scope("disk", folder) for folder in sys.argv[3:]], sys.argv[2]):
    print("held", flush=True)
    sys.stdin.readline()
"""


@contextlib.contextmanager
def held(state: Path, *folders: str, run: str = "other-run") -> Iterator[subprocess.Popen[str]]:
    """Another process that holds these folders of the disk until its standard input says something."""
    command = [sys.executable, "-c", HOLD, str(state), run, *folders]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def take(state: Path, folders: Sequence[str], wait_s: float = 0.0) -> None:
    """Hold them for a moment."""
    with locked(state, [Scope("disk", folder) for folder in folders], "our-run", wait_s=wait_s):
        pass


@pytest.mark.torture
@pytest.mark.parametrize("ours", ["a/b", "a", "a/b/c", ""])
def test_L1_a_scope_that_overlaps_is_refused_at_once_and_the_holder_is_named(
    tmp_path: Path, ours: str
) -> None:
    with held(tmp_path, "a/b") as process:
        start = time.monotonic()
        with pytest.raises(Locked) as caught:
            take(tmp_path, [ours])

        assert time.monotonic() - start < 0.4
        assert caught.value.exit == 8
        for fact in ("'a/b'", "run other-run", f"process {process.pid}"):
            assert fact in str(caught.value)


@pytest.mark.parametrize("ours", ["b", "a-b", "ab"])
def test_scopes_that_do_not_overlap_do_not_meet(tmp_path: Path, ours: str) -> None:
    with held(tmp_path, "a"):
        take(tmp_path, [ours])


def test_the_same_folder_of_another_place_does_not_meet(tmp_path: Path) -> None:
    with held(tmp_path, "a"), locked(tmp_path, [Scope("cloud", "a")], "our-run"):
        pass


def test_all_scopes_are_held_or_none(tmp_path: Path) -> None:
    with held(tmp_path, "b"):
        with pytest.raises(Locked):
            take(tmp_path, ["a", "b"])

        take(tmp_path, ["a"])


@pytest.mark.torture
def test_L3_the_lock_of_a_killed_holder_is_free_at_once(tmp_path: Path) -> None:
    with held(tmp_path, "a") as process:
        process.kill()
        process.wait()

        take(tmp_path, ["a"])


def test_waiting_ends_when_the_holder_does(tmp_path: Path) -> None:
    with held(tmp_path, "a") as process:
        assert process.stdin is not None
        timer = threading.Timer(0.3, process.communicate, ["done\n"])
        timer.start()

        take(tmp_path, ["a"], wait_s=20.0)

        timer.join()
        assert process.returncode == 0


def test_waiting_is_bounded(tmp_path: Path) -> None:
    with held(tmp_path, "a"):
        start = time.monotonic()
        with pytest.raises(Locked):
            take(tmp_path, ["a"], wait_s=0.6)

        assert 0.6 <= time.monotonic() - start < 5


def test_the_same_process_excludes_itself_too(tmp_path: Path) -> None:
    with locked(tmp_path, [Scope("disk", "a")], "one"), pytest.raises(Locked, match="run one"):
        take(tmp_path, ["a/b"])


@pytest.mark.torture
def test_L1_a_folder_in_other_letters_is_the_same_to_the_lock(tmp_path: Path) -> None:
    """Whether the place folds names is not known before it is opened: to wait once too often loses nothing."""
    with (
        locked(tmp_path, [Scope("cloud", "Photos/2015")], "one"),
        pytest.raises(Locked, match="run one"),
        locked(tmp_path, [Scope("cloud", "photos")], "two"),
    ):
        pass
