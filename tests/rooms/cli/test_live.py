import os
import pty
import re
import subprocess
import sys
import time
from pathlib import Path

from tests.rooms.cli.conftest import manifest, write

ROOT = Path(__file__).parents[3]


def on_a_terminal(folder: Path, *argv: str, **environ: str) -> tuple[int, str]:
    """Run acdrun with a pseudo-terminal for its output; return its exit code and what was drawn."""
    ours, theirs = pty.openpty()
    env = {
        "PATH": os.environ["PATH"],
        "TERM": "xterm",
        "COLUMNS": "80",
        "LINES": "24",
        "PYTHONPATH": str(ROOT),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "runner", *argv],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=folder,
        env={**env, "ACDRUN_STATE": str(folder / "state"), **environ},
    )
    os.close(theirs)
    drawn = b""
    ends = time.monotonic() + 20
    while time.monotonic() < ends:
        try:
            some = os.read(ours, 65536)
        except OSError:  # the other side was closed
            break
        if not some:
            break
        drawn += some
    os.close(ours)
    return process.wait(timeout=5), drawn.decode()


def test_a_terminal_gets_a_region_that_is_gone_when_the_summary_comes(place: Path) -> None:
    write(place / "m.yaml", manifest(job="before: [sleep, '0.8']"))
    write(place / "src/[bold]x[/bold]", "x")

    code, drawn = on_a_terminal(place, "m.yaml")

    assert code == 0
    assert re.search(r"job  hook", drawn)
    assert re.search(r"\ds so far|\dms so far", drawn)
    assert "\x1b[2K" in drawn
    assert "\x1b[?25l" not in drawn  # the cursor is never hidden
    assert "sent 4 files (2.94KiB), each confirmed by md5" in drawn[drawn.rindex("so far") :]


def test_problems_go_by_above_the_region_and_are_told_once(place: Path) -> None:
    write(
        place / "m.yaml", manifest("retry: { attempts: 1 }", job='before: [mkdir, -p, dst]\nafter: ["false"]')
    )

    code, drawn = on_a_terminal(place, "m.yaml")

    assert code == 1
    assert drawn.count("'false' ended with exit code 1") == 1


def test_in_ci_a_terminal_is_not_drawn_upon(place: Path) -> None:
    code, drawn = on_a_terminal(place, "m.yaml", CI="true", NO_COLOR="1")

    assert code == 0
    assert "\x1b" not in drawn
    assert "sent 3 files" in drawn


def test_colours_are_left_out_of_the_region_when_nobody_wants_them(place: Path) -> None:
    write(place / "m.yaml", manifest(job="before: [sleep, '0.4']"))

    code, drawn = on_a_terminal(place, "m.yaml", NO_COLOR="1")

    assert code == 0
    assert "so far" in drawn
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", drawn)
