import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from runner.cli import progress
from runner.cli.output import colours, lively
from tests.rooms.cli.conftest import Acdrun, manifest, write

ROOT = Path(__file__).parents[3]


class Screen(io.StringIO):
    """A stream that may be a terminal."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.mark.parametrize(
    ("terminal", "environ", "coloured", "drawn"),
    [
        (True, {"TERM": "xterm"}, True, True),
        (False, {"TERM": "xterm"}, False, False),
        (True, {"TERM": "dumb"}, False, False),
        (True, {}, False, False),
        (True, {"TERM": "xterm", "CI": "true"}, True, False),
        (True, {"TERM": "xterm", "NO_COLOR": "1"}, False, True),
        (True, {"TERM": "xterm", "NO_COLOR": ""}, True, True),
        (False, {"FORCE_COLOR": "1"}, True, False),
        (False, {"FORCE_COLOR": "0"}, False, False),
        (True, {"TERM": "xterm", "FORCE_COLOR": "1", "NO_COLOR": "1"}, False, True),
    ],
)
def test_the_environment_says_what_a_stream_may_get(
    terminal: bool, environ: dict[str, str], coloured: bool, drawn: bool
) -> None:
    screen = Screen(terminal)

    assert (colours(screen, environ), lively(screen, environ)) == (coloured, drawn)


def test_colours_can_be_forced_and_change_no_letter(acdrun: Acdrun, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = acdrun("--plan", "m.yaml")
    monkeypatch.setenv("FORCE_COLOR", "1")

    painted = acdrun("--plan", "m.yaml")

    assert "\x1b[32m  +   one.txt  3B\x1b[0m" in painted.out
    assert "".join(part.partition("m")[2] for part in f"\x1b[0m{painted.out}".split("\x1b[")[1:]) == plain.out


def test_a_reader_that_goes_away_is_no_error(place: Path) -> None:
    read, write_end = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "runner", "schema"],
        stdout=write_end,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    os.close(write_end)
    os.close(read)

    _, err = process.communicate(timeout=20)

    assert err == b""
    assert process.returncode == 0


def test_a_name_that_the_terminal_cannot_show_is_escaped(place: Path) -> None:
    write(place / "src/naïve-日本", "x")

    done = subprocess.run(
        [sys.executable, "-m", "runner", "ls", "src"],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"},
        check=True,
    )

    assert b"na\\xefve-\\u65e5\\u672c" in done.stdout
    assert done.stderr == b""


def test_without_a_terminal_a_line_now_and_then_says_that_it_goes_on(
    acdrun: Acdrun, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "EVERY_S", 0.1)
    write(place / "m.yaml", manifest(job="before: [sleep, '0.5']"))

    ended = acdrun("m.yaml")
    quiet = acdrun("m.yaml", "-q")

    lines = ended.err.splitlines()
    assert lines
    assert all(line.startswith("acdrun: ") for line in lines)
    assert any(line.endswith(" so far") for line in lines)
    assert quiet.err == ""


def test_a_result_that_cannot_be_written_is_an_error(place: Path) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "runner", "ls", "src"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            check=False,
        )

    assert done.returncode == 1
    assert done.stderr == "acdrun: error: the result cannot be written: No space left on device\n"


def test_closed_streams_do_no_harm(place: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m runner m.yaml >&- 2>&-"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )

    assert done.returncode == 0
    assert (place / "dst/one.txt").exists()


def test_quiet_tells_only_what_is_wrong_below_its_heading(acdrun: Acdrun, place: Path) -> None:
    write(place / "dst/sub", "in the way")

    ended = acdrun("-q", "m.yaml")

    assert ended.out.splitlines() == [
        f"photos  {place}/src → {place}/dst  mirror",
        "  blocked 1 entry",
        "  ! sub: blocked: a folder here, a file there",
        "exit 3: some entries were unreadable, changed while read, or blocked; the rest is safe",
    ]
