from pathlib import Path

import pytest

from tests.rooms.cli.conftest import Acdrun, write

MISTAKES = {
    "--bogus m.yaml": "unrecognized arguments: --bogus",
    "m.yaml --out": "expected one argument",
    "--plan": "no manifest is named",
    "-q": "no manifest is named",
    "nope.yaml": 'there is no manifest "nope.yaml"',
    "src": '"src" is a folder, not a manifest',
    "validte": "did you mean the verb `validate`?",
    "--plan validate": "a verb comes first: acdrun validate ...",
    "run": "no verb is needed: acdrun FILE",
    "--out p m.yaml": "--out goes with --plan",
    "--detailed-exitcode m.yaml": "--detailed-exitcode goes with --plan",
    "--plan --out p m.yaml m.yaml": "--out saves the plan of one manifest",
    "--wait soon m.yaml": '--wait: not a duration: "soon"',
    "--max-duration 1y m.yaml": "--max-duration",
    "--max-transfer lots m.yaml": "--max-transfer",
    "apply": "the following arguments are required: PLAN",
    "apply nope.plan": "there is no plan 'nope.plan'",
    "ls cloud:x": "there is no remote 'cloud'",
    "graph --format svg m.yaml": "invalid choice: 'svg'",
    "log nope": "there is no run 'nope'",
    "history -n 0": "-n is at least 1",
    "history -n many": "invalid int value: 'many'",
    "validate": "the following arguments are required: FILE",
    "show nope.yaml": 'there is no manifest "nope.yaml"',
}


@pytest.mark.parametrize("line", MISTAKES)
def test_a_mistake_is_named_and_changes_nothing(line: str, acdrun: Acdrun, place: Path) -> None:
    ended = acdrun(*line.split())

    assert ended.code == 2, ended
    assert ended.out == ""
    assert "acdrun: error: " in ended.err
    assert MISTAKES[line] in ended.err
    assert "Traceback" not in ended.err
    assert not (place / "dst").exists()


def test_everything_wrong_with_a_manifest_is_told_at_once_with_its_line(acdrun: Acdrun, place: Path) -> None:
    broken = (place / "m.yaml").read_text().replace("mode: mirror", "mode: miror\n        chcksum: quick")
    write(place / "bad.yaml", broken)

    ended = acdrun("bad.yaml")

    assert ended.code == 2
    assert "bad.yaml:8:15: " in ended.err
    assert "bad.yaml:9:9: unknown-key: " in ended.err
    assert "acdrun: error: 2 problems in bad.yaml; nothing was contacted" in ended.err
    assert not (place / "state").exists()


def test_a_bad_manifest_stops_the_good_ones_before_it_too(acdrun: Acdrun, place: Path) -> None:
    write(place / "bad.yaml", "version: 1\n")

    ended = acdrun("m.yaml", "bad.yaml")

    assert ended.code == 2
    assert not (place / "dst").exists()


def test_a_file_named_like_a_verb_is_reached_by_its_path(acdrun: Acdrun, place: Path) -> None:
    write(place / "graph", (place / "m.yaml").read_text())

    ended = acdrun("./graph")

    assert ended.code == 0
    assert (place / "dst/one.txt").read_text() == "one"


def test_a_state_directory_that_cannot_be_made_is_named(
    acdrun: Acdrun, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACDRUN_STATE", str(place / "m.yaml" / "state"))

    ended = acdrun("m.yaml")

    assert ended.code == 2
    assert "the state directory" in ended.err
    assert "hint: set ACDRUN_STATE" in ended.err
