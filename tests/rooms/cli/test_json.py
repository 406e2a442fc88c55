import json
from pathlib import Path
from typing import Any

import pytest

from tests.rooms.cli.conftest import Acdrun, Ended, manifest, write


def records(ended: Ended) -> list[dict[str, Any]]:
    """The lines of stdout, each of which is a record of version 1."""
    found = [json.loads(line) for line in ended.out.splitlines()]
    assert all(record["v"] == 1 for record in found)
    return found


def test_a_plan_is_its_run_its_pairs_its_changes_its_sum_and_the_outcome(acdrun: Acdrun) -> None:
    found = records(acdrun("--json", "--plan", "m.yaml"))

    assert [record["record"] for record in found] == ["run", "plan", *["change"] * 6, "summary", "outcome"]
    assert found[1]["new"] == {"files": 3, "bytes": 3010}
    assert found[1]["place"] == "m.yaml:6:9"
    assert found[-2]["bytes_to_send"] == 3010
    assert found[-1] == {"v": 1, "record": "outcome", "exit": 0, "meaning": "converged, or a plan was made"}


def test_a_run_tells_what_became_of_every_path(acdrun: Acdrun) -> None:
    ended = acdrun("--json", "m.yaml")

    found = records(ended)
    sent = {r["path"]: (r["state"], r["proof"], r["size"]) for r in found if r.get("task") == "upload"}
    assert sent["sub/two.txt"] == ("done", "md5", 7)
    assert next(r for r in found if r["record"] == "pair")["done"]["sent"] == {
        "md5": {"files": 3, "bytes": 3010}
    }
    assert ended.err == ""


def test_every_file_has_its_records_and_the_outcome_is_one(acdrun: Acdrun, place: Path) -> None:
    write(place / "other.yaml", manifest("guard: { source: { min_files: 9 } }"))

    found = records(acdrun("--json", "m.yaml", "other.yaml"))

    assert [r["record"] for r in found].count("summary") == 2
    assert [r["exit"] for r in found if r["record"] == "outcome"] == [4]


@pytest.mark.parametrize(
    ("line", "kind"),
    [("nope.yaml", "usage error"), ("log nope", "usage error"), ("bad.yaml", "manifest error")],
)
def test_an_error_is_an_outcome_too(line: str, kind: str, acdrun: Acdrun, place: Path) -> None:
    write(place / "bad.yaml", "version: 1\nnames: x\n")

    ended = acdrun(*line.split(), "--json")

    found = records(ended)
    assert found[-1]["exit"] == ended.code == 2
    assert found[-1]["error"]["kind"] == kind
    assert "acdrun: error: " in ended.err


def test_problems_of_a_manifest_are_records_with_their_line(acdrun: Acdrun, place: Path) -> None:
    write(place / "bad.yaml", manifest("colour: red"))

    first, *_ = records(acdrun("bad.yaml", "--json"))

    assert (first["record"], first["kind"], first["line"], first["column"]) == (
        "problem",
        "unknown-key",
        9,
        9,
    )


@pytest.mark.parametrize(
    "line", ["validate m.yaml", "show m.yaml", "graph m.yaml", "history", "log last", "ls src", "lsd src"]
)
def test_every_answer_ends_with_the_outcome(line: str, acdrun: Acdrun) -> None:
    acdrun("m.yaml")

    found = records(acdrun(*line.split(), "--json"))

    assert found[-1]["record"] == "outcome"
    assert len(found) > 1
