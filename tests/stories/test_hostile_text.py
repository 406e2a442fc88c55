"""Names that are made to be believed: no byte of them reaches a terminal or a log as anything but text (X8)."""

import json
import re
from collections.abc import Iterator

import pytest

from tests.stories.conftest import Machine

JOB = """\
version: 1
name: local
jobs:
  photos:
    pairs: [{source: ../photos, destination: ../copy, mode: mirror, guard: {trash: {max: 100%}}}]
"""

HOSTILE = {
    "escape \x1b[2J\x1b[31mred": "1",
    "title \x1b]0;owned\x07": "2",
    "newline\n+   forged.txt  1B": "3",
    "return\rconverged: nothing to do": "4",
    "folder\x1b[1A\n/inner\x9b31m": "5",
    "bidi \u202egnp.exe": "6",
    "line\u2028separator": "7",
    "backspace\b\b\bx": "8",
    "[red]markup[/red] [/] [link=file:x]x[/link]": "9",
    "{braces} %s %(x)s \\x1b": "10",
}
RAW = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""What may never be printed; a line's own end may."""


def printed(machine: Machine, job: str) -> Iterator[tuple[str, str]]:
    """Everything a user has shown, by what was called."""
    for words in (
        ("--plan", job),
        ("--plan", "--out", "saved.plan", job),
        ("show", "saved.plan"),
        ("-vv", job),
        ("log", "-v", "last"),
        ("ls", "-R", "copy"),
        ("why", job, "photos/" + next(iter(HOSTILE))),
    ):
        said = machine.acdrun(*words)
        assert "Traceback" not in said.err, words
        yield " ".join(words), said.out + said.err


@pytest.mark.torture
def test_X8_names_with_terminal_escapes_and_line_ends_are_shown_and_change_nothing(machine: Machine) -> None:
    (machine.jobs / "local.yaml").write_text(JOB)
    machine.write(dict(HOSTILE))
    machine.write({f"gone {name}": "0" for name in HOSTILE if "/" not in name}, machine.home / "copy")

    shown = dict(printed(machine, "jobs/local.yaml"))

    for words, text in shown.items():
        found = RAW.search(text)
        assert found is None, f"acdrun {words} prints {found.group()!r}"
        assert not re.search(r"^\s*\+\s+forged", text, re.M), f"acdrun {words} lets a name make a line"
        assert not re.search(r"^converged: nothing", text, re.M)
    assert "\\x1b[2J" in shown["--plan jobs/local.yaml"]
    assert "newline\\n+   forged.txt" in shown["--plan jobs/local.yaml"]
    assert "[red]markup[/red]" in shown["--plan jobs/local.yaml"]
    copied = {
        path.relative_to(machine.home / "copy").as_posix(): path.read_text()
        for path in (machine.home / "copy").rglob("*")
        if path.is_file() and ".acdrun-trash" not in path.parts
    }
    assert copied == HOSTILE, "as files they are names like any other"


@pytest.mark.torture
def test_X8_records_for_programs_hold_the_names_as_they_are_one_to_a_line(machine: Machine) -> None:
    (machine.jobs / "local.yaml").write_text(JOB)
    machine.write(dict(HOSTILE))

    said = machine.acdrun("--json", "jobs/local.yaml")
    log = machine.acdrun("--json", "log", "last")

    assert said.code == log.code == 0
    for text in (said.out, log.out):
        assert RAW.search(text) is None
        records = [json.loads(line) for line in text.splitlines()]
        uploads = {record["path"] for record in records if record.get("task") == "upload"}
        assert uploads == set(HOSTILE)
