"""Claims about the change feed (acd-api §10)."""

import json
from typing import Any

import pytest

from tests.emulator.conftest import Drive, Json, Launch


def feed(drive: Drive, **body: Any) -> list[Json]:
    """Read the feed as node-clouddrive does: split at newlines, parse each piece."""
    answer = drive.send("POST", "drive/v1/changes", body)
    assert answer.status_code == 200, answer.text
    return [json.loads(piece) for piece in answer.text.split("\n")]


def test_a_first_call_tells_everything_with_one_reset(launch: Launch) -> None:
    drive = launch()
    made = {drive.mkdir(name) for name in "abcd"}

    lines = feed(drive, chunkSize=2)

    assert lines[-1] == {"end": True}
    assert [line["reset"] for line in lines[:-1]] == [True, False, False]
    assert [len(line["nodes"]) for line in lines[:-1]] == [2, 2, 1]
    assert {node["id"] for line in lines[:-1] for node in line["nodes"]} == made | {drive.root}
    assert all(line["statusCode"] == 200 and line["checkpoint"] for line in lines[:-1])


def test_a_checkpoint_leads_to_what_came_after(drive: Drive, folder: str) -> None:
    kept = drive.put("kept", b"x", folder)
    trashed = drive.put("trashed", b"x", folder)
    checkpoint = feed(drive)[-2]["checkpoint"]

    nothing = feed(drive, checkpoint=checkpoint, includePurged="true")
    drive.send("PUT", f"drive/v1/trash/{trashed}")
    drive.send("PATCH", f"drive/v1/nodes/{kept}", {"name": "kept 2"})
    drive.overwrite(kept, b"y")
    something = feed(drive, checkpoint=checkpoint, includePurged=True)

    assert nothing == [
        {"checkpoint": checkpoint, "reset": False, "nodes": [], "statusCode": 200},
        {"end": True},
    ]
    assert [(node["id"], node["status"]) for node in something[0]["nodes"]] == [
        (trashed, "TRASH"),
        (kept, "AVAILABLE"),
    ]
    assert something[0]["reset"] is False
    assert len(something) == 2


def test_an_unknown_checkpoint_starts_again(drive: Drive) -> None:
    lines = feed(drive, checkpoint="CMaFjdTWKRoA")

    assert lines[0]["reset"] is True
    assert drive.root in [node["id"] for node in lines[0]["nodes"]]


def test_most_nodes_stop_the_feed_where_it_can_go_on(drive: Drive, folder: str) -> None:
    checkpoint = feed(drive)[-2]["checkpoint"]
    made = [drive.mkdir(name, folder) for name in "abcde"]

    first = feed(drive, checkpoint=checkpoint, maxNodes=3, chunkSize=2)
    rest = feed(drive, checkpoint=first[-2]["checkpoint"])

    told = [node["id"] for line in first[:-1] + rest[:-1] for node in line["nodes"]]
    assert told == made
    assert first[-1] == {"end": True}


def test_an_empty_body_is_an_empty_wish(drive: Drive) -> None:
    answer = drive.http.post("drive/v1/changes")

    assert answer.status_code == 200
    assert answer.text.endswith('\n{"end":true}')


@pytest.mark.parametrize(
    "body",
    [{"chunkSize": 0}, {"chunkSize": "x"}, {"maxNodes": -1}, {"checkpoint": 5}, {"includePurged": "maybe"}],
)
def test_a_bad_wish_is_refused(drive: Drive, body: Json) -> None:
    answer = drive.send("POST", "drive/v1/changes", body)

    assert answer.status_code == 400
