"""Claims about files whose content is not complete, which the service left behind (acd-api §4, §7.6 and §12)."""

import pytest

from tests.emulator.conftest import Drive


def pending(drive: Drive, folder: str, name: str = "half.txt", content: bytes = b"half") -> str:
    """Upload a file that stays PENDING; return its id."""
    drive.fault(match={"method": "POST", "path": "/cdproxy/nodes"}, do="pending", times=1)
    return drive.put(name, content, folder)


def test_a_pending_file_is_listed_without_its_content(drive: Drive, folder: str) -> None:
    node = pending(drive, folder)

    listed = drive.all(f"drive/v1/nodes/{folder}/children")

    assert [(entry["id"], entry["status"]) for entry in listed] == [(node, "PENDING")]
    assert "contentProperties" not in listed[0]
    assert drive.node(node) == listed[0]
    assert drive.get(f"cdproxy/nodes/{node}/content").status_code == 404


def test_a_pending_file_is_found_by_its_status_and_in_the_changes(drive: Drive, folder: str) -> None:
    node = pending(drive, folder)

    found = drive.all(filters=f"status:PENDING AND parents:{folder}")
    changes = drive.send("POST", "drive/v1/changes", {}).text

    assert [entry["id"] for entry in found] == [node]
    assert '"status":"PENDING"' in changes


def test_a_pending_file_does_not_hold_its_name(drive: Drive, folder: str) -> None:
    node = pending(drive, folder)

    again = drive.put("HALF.txt", b"whole", folder)

    looked_up = drive.all(filters=f'parents:"{folder}" AND name:"HALF.txt"')
    assert again != node
    assert [entry["id"] for entry in looked_up] == [again]


def test_a_patch_of_the_status_completes_it(drive: Drive, folder: str) -> None:
    node = pending(drive, folder)

    answer = drive.send("PATCH", f"drive/v1/nodes/{node}", {"status": "AVAILABLE"})

    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["contentProperties"]["size"]) == ("AVAILABLE", 4)
    assert drive.content(node) == b"half"


def test_an_overwrite_completes_it(drive: Drive, folder: str) -> None:
    node = pending(drive, folder)

    answer = drive.overwrite(node, b"whole")

    assert answer.json()["status"] == "AVAILABLE"
    assert drive.content(node) == b"whole"


@pytest.mark.parametrize("way", ["patch", "overwrite", "restore"])
def test_it_cannot_take_a_name_that_was_taken_meanwhile(drive: Drive, folder: str, way: str) -> None:
    node = pending(drive, folder)
    drive.put("half.txt", b"other", folder)
    before = drive.node(node)

    if way == "patch":
        answer = drive.send("PATCH", f"drive/v1/nodes/{node}", {"status": "AVAILABLE"})
    elif way == "overwrite":
        answer = drive.overwrite(node, b"whole")
    else:
        answer = drive.send("POST", f"drive/v1/trash/{node}/restore")

    assert answer.status_code == 409
    assert drive.node(node) == before


def test_it_takes_a_free_name_and_another_parent_in_one_patch(drive: Drive, folder: str) -> None:
    node, elsewhere = pending(drive, folder), drive.mkdir("elsewhere", folder)
    drive.put("half.txt", b"other", folder)

    body = {"status": "AVAILABLE", "name": "free.txt", "parents": [elsewhere]}
    answer = drive.send("PATCH", f"drive/v1/nodes/{node}", body)

    assert answer.status_code == 200
    assert drive.names(elsewhere) == ["free.txt"]
    assert drive.upload("FREE.txt", b"x", elsewhere).status_code == 409


def test_a_pending_file_can_be_trashed(drive: Drive, folder: str) -> None:
    node = pending(drive, folder)

    answer = drive.send("PUT", f"drive/v1/trash/{node}")

    assert answer.json()["status"] == "TRASH"
    assert drive.all(f"drive/v1/nodes/{folder}/children") == []
