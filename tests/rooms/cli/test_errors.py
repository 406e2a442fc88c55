import stat
from pathlib import Path

import pytest

from runner.cli.commands import run as run_command
from runner.model.errors import Denied, Place
from runner.model.exits import Exit
from runner.model.secret import Secret
from runner.remote.secrets import known
from tests.rooms.cli.conftest import Acdrun


def test_a_fault_of_the_program_leaves_its_details_in_a_private_file(
    acdrun: Acdrun, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known(Secret("s3cr3t-t0ken"))

    def broken(*_: object) -> Exit:
        hidden = "a value of a variable"
        raise RuntimeError(f"with s3cr3t-t0ken in it {len(hidden)}")

    monkeypatch.setattr(run_command, "run", broken)

    ended = acdrun("m.yaml", "--json")

    (file,) = (place / "state/crashes").iterdir()
    assert ended.code == 1
    assert ended.err.splitlines() == [
        "acdrun: error: acdrun itself failed: RuntimeError: with *** in it 21",
        f"  details in {file}",
        "  nothing is lost: run the same command again, and what was done is not done twice",
    ]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "Traceback" in file.read_text()
    assert "broken" in file.read_text()
    assert "s3cr3t" not in file.read_text() + ended.out
    assert '"error":{"kind":"crash","message":"RuntimeError: with *** in it 21"}' in ended.out


def test_a_crash_is_told_even_when_its_details_cannot_be_kept(
    acdrun: Acdrun, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Exit:
        raise RuntimeError("x")

    monkeypatch.setattr(run_command, "run", broken)
    monkeypatch.setenv("ACDRUN_STATE", str(place / "m.yaml/state"))

    ended = acdrun("m.yaml")

    assert ended.code == 1
    assert "acdrun itself failed: RuntimeError: x" in ended.err
    assert "the details could not be written down" in ended.err


def test_an_error_names_its_place_and_what_to_do_without_control_characters(
    acdrun: Acdrun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> Exit:
        raise Denied("no\x1b[31m", remote="cloud", path="a\nb", place=Place("n.yaml", 14, 7), hint="ask\x07")

    monkeypatch.setattr(run_command, "run", refused)

    ended = acdrun("m.yaml")

    assert ended == (6, "", "acdrun: error: n.yaml:14:7: cloud:a\\nb: no\\x1b[31m\n  hint: ask\\x07\n")
