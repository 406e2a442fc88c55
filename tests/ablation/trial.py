"""Tries ablations, each in a process of its own, and tells which tests did not miss the rule.

`python -m tests.ablation.trial NAME ...` prints a line of JSON for each: its name, survivors, seconds.
The processes are forked from one that has loaded the program, so that a trial costs its tests and no more.
"""

import contextlib
import io
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import tests.lab.worlds  # noqa: F401  (what the trials need is loaded once)
from tests.ablation.plugin import Recorder
from tests.ablation.switch import Ablation
from tests.ablation.table import ABLATIONS

_MEMORY = Path("/dev/shm")
_MOST_S = 60.0


def trial(ablation: Ablation) -> list[str]:
    """Node ids of tests that pass without the rule, or were not found."""
    if not ablation.missed:
        return ["no test is named"]
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(ablation, theirs))
    process.start()
    theirs.close()
    try:
        if not ours.poll(_MOST_S):
            return []  # a test that hangs without the rule misses it, if dearly
        survivors: list[str] = ours.recv()
        return survivors
    except EOFError:
        return [f"the process ended with {process.exitcode}", *ablation.missed]
    finally:
        process.join(timeout=5)
        if process.is_alive():
            process.kill()
            process.join()


def _run(ablation: Ablation, answer: "multiprocessing.connection.Connection") -> None:
    os.environ["ACDRUN_ABLATION"] = ablation.name
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    recorder, said = Recorder(), io.StringIO()
    folder = tempfile.mkdtemp(prefix="acdrun-ablation-", dir=_MEMORY if _MEMORY.is_dir() else None)
    options = [
        "-p",
        "tests.ablation.plugin",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "-q",
        "-W",
        "ignore",
    ]
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            pytest.main([*options, f"--basetemp={folder}/t", *ablation.missed], plugins=[recorder])
    except BaseException:
        answer.send([f"it ended with {traceback.format_exc()}", *ablation.missed])
        raise
    shutil.rmtree(folder, ignore_errors=True)
    survivors = []
    for name in ablation.missed:
        ran = {one for one in recorder.ran if one == name or one.startswith(f"{name}[")}
        if not ran:
            survivors.append(f"{name} was not run: {said.getvalue()[-2000:]}")
        elif not ran & recorder.failed:
            survivors.append(name)
    answer.send(survivors)
    answer.close()


def tried(names: Sequence[str]) -> list[dict[str, Any]]:
    """Try these in a process of their own; one dict for each, as `main` prints it."""
    said = subprocess.run(
        [sys.executable, "-m", "tests.ablation.trial", *names],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    found = [json.loads(line) for line in said.stdout.splitlines()]
    assert len(found) == len(names), said.stderr
    return found


def main(names: list[str]) -> int:
    """Return 1 when a rule was not missed."""
    chosen = [one for one in ABLATIONS if one.name in names] if names else list(ABLATIONS)
    missing = set(names) - {one.name for one in chosen}
    if missing:
        raise SystemExit(f"no such ablation: {sorted(missing)}")
    survived = False
    for ablation in chosen:
        began = time.monotonic()
        survivors = trial(ablation)
        survived |= bool(survivors)
        took_s = round(time.monotonic() - began, 2)
        print(json.dumps({"name": ablation.name, "survivors": survivors, "took_s": took_s}), flush=True)
    return int(survived)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
