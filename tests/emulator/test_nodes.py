"""Claims about nodes, names, parents, properties and the trash (acd-api §4, §5, §7, §9)."""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.emulator.conftest import Drive


def test_the_root_has_no_name_and_no_parents(drive: Drive) -> None:
    found = drive.get("drive/v1/nodes", filters="kind:FOLDER AND isRoot:true").json()

    root = found["data"][0]

    assert found["count"] == 1
    assert "name" not in root
    assert root["isRoot"] is True
    assert root["parents"] == []


def test_a_file_carries_everything_that_clients_read(drive: Drive, folder: str) -> None:
    answer = drive.upload("notes.txt", b"a", folder)

    node = answer.json()

    assert answer.status_code == 201
    assert re.fullmatch(r"[A-Za-z0-9_-]{22}", node["id"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", node["createdDate"])
    assert node["modifiedDate"] == node["createdDate"]
    assert (node["kind"], node["status"], node["version"], node["parents"]) == (
        "FILE",
        "AVAILABLE",
        1,
        [folder],
    )
    assert (node["labels"], node["restricted"], node["isShared"]) == ([], False, False)
    assert node["createdBy"]
    assert len(node["eTagResponse"]) in (11, 12)
    assert node["contentProperties"] == {
        "version": 1,
        "size": 1,
        "md5": "0cc175b9c0f1b6a831c399e269772661",
        "contentType": "text/plain",
        "extension": "txt",
    }
    assert drive.node(node["id"]) == node


def test_a_name_taken_in_another_case_is_a_conflict(drive: Drive, folder: str) -> None:
    first = drive.put("STRASSE.txt", b"1", folder)

    answer = drive.upload("straße.TXT", b"2", folder)

    assert answer.status_code == 409
    assert answer.json()["code"] == "NAME_ALREADY_EXISTS"
    assert answer.json()["info"] == {"nodeId": first}
    assert f"the name straße.txt already exists under parentId {folder}" in answer.json()["message"]


def test_a_file_and_a_folder_cannot_share_a_name(drive: Drive, folder: str) -> None:
    drive.mkdir("same", folder)

    answer = drive.upload("Same", b"", folder)

    assert answer.status_code == 409


def test_one_of_many_simultaneous_uploads_of_a_name_wins(drive: Drive, folder: str) -> None:
    names = ["race", "Race", "RACE", "rAce"] * 6

    with ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(lambda name: drive.upload(name, name.encode(), folder), names))

    winners = [answer.json()["id"] for answer in answers if answer.status_code == 201]
    assert len(winners) == 1
    assert {answer.status_code for answer in answers} == {201, 409}
    assert [node["id"] for node in drive.all(f"drive/v1/nodes/{folder}/children")] == winners


@pytest.mark.parametrize("name", ["", "a/b", "a\0b", None, 7, "x" * 281, "😀" * 141])
def test_an_impossible_name_is_refused(drive: Drive, folder: str, name: Any) -> None:
    body = {"name": name, "kind": "FOLDER", "parents": [folder]}

    answers = [drive.send("POST", "drive/v1/nodes", body), drive.upload(name, b"x", folder)]

    assert [answer.status_code for answer in answers] == [400, 400]
    assert drive.names(folder) == []


@pytest.mark.parametrize(
    "name", ["x" * 280, "😀" * 140, " a ", "...", "e\u0301", "\u00e9", "a&%\\':*?\"|", "-"]
)
def test_any_other_name_is_kept_unchanged(drive: Drive, folder: str, name: str) -> None:
    drive.put(name, b"x", folder)

    names = drive.names(folder)

    assert names == [name]


def test_a_lone_surrogate_is_refused(drive: Drive, folder: str) -> None:
    body = b'{"name":"a\\ud800","kind":"FOLDER","parents":["%s"]}' % folder.encode()

    answer = drive.http.post("drive/v1/nodes", content=body)

    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "a", "kind": "FOLDER", "parents": ["PPPPPPPPPPPPPPPPPPPPPP"]}, 400),
        ({"name": "a", "kind": "FOLDER", "parents": "x"}, 400),
        ({"name": "a", "kind": "FILE"}, 400),
        ({"kind": "FOLDER"}, 400),
        ([], 400),
        ({"name": "a", "kind": "FOLDER", "labels": ["x"] * 11}, 400),
        ({"name": "a", "kind": "FOLDER", "description": "x" * 501}, 400),
        ({"name": "a", "kind": "FOLDER", "properties": {"stranger": {"k": "v"}}}, 403),
    ],
)
def test_a_folder_that_cannot_be_is_refused(drive: Drive, body: Any, status: int) -> None:
    answer = drive.send("POST", "drive/v1/nodes", body)

    assert answer.status_code == status


def test_a_file_is_no_parent(drive: Drive, folder: str) -> None:
    file = drive.put("file", b"x", folder)

    answer = drive.upload("below", b"x", file)

    assert answer.status_code == 400


def test_nothing_can_be_added_to_a_trashed_folder(drive: Drive, folder: str) -> None:
    drive.send("PUT", f"drive/v1/trash/{folder}")

    answer = drive.upload("late", b"x", folder)

    assert answer.status_code == 400
    assert answer.json()["message"] == "A node cannot be added to trashed parent"


def test_a_local_id_serves_once(drive: Drive, folder: str) -> None:
    first = drive.upload("one", b"x", folder, f"suppress=deduplication&localId={folder}").json()["id"]

    answer = drive.upload("two", b"x", folder, f"suppress=deduplication&localId={folder}")

    assert answer.status_code == 409
    assert answer.json()["info"] == {"nodeId": first}


def test_a_rename_moves_version_and_date_on(drive: Drive, folder: str) -> None:
    before = drive.node(drive.put("old.txt", b"x", folder))

    after = drive.send("PATCH", f"drive/v1/nodes/{before['id']}", {"name": "NEW.md"}).json()

    assert (after["name"], after["version"]) == ("NEW.md", 2)
    assert after["contentProperties"]["extension"] == "md"
    assert after["modifiedDate"] >= before["modifiedDate"]
    assert after["eTagResponse"] != before["eTagResponse"]


def test_a_name_may_change_its_case_only(drive: Drive, folder: str) -> None:
    node = drive.put("case", b"x", folder)

    answer = drive.send("PATCH", f"drive/v1/nodes/{node}", {"name": "CASE"})

    assert answer.status_code == 200
    assert drive.names(folder) == ["CASE"]


def test_a_new_name_must_be_free_in_every_parent(drive: Drive, folder: str) -> None:
    other = drive.mkdir("other", folder)
    drive.put("taken", b"x", other)
    node = drive.put("free", b"x", folder)
    drive.send("PUT", f"drive/v1/nodes/{other}/children/{node}")

    answer = drive.send("PATCH", f"drive/v1/nodes/{node}", {"name": "Taken"})

    assert answer.status_code == 409
    assert drive.node(node)["name"] == "free"


def test_patch_moves_by_parents(drive: Drive, folder: str) -> None:
    target = drive.mkdir("target", folder)
    node = drive.put("a", b"x", folder)

    answer = drive.send("PATCH", f"drive/v1/nodes/{node}", {"parents": [target], "name": "b"})

    assert answer.json()["parents"] == [target]
    assert drive.names(target) == ["b"]
    assert drive.names(folder) == ["target"]


@pytest.mark.parametrize(
    ("body", "status"),
    [({"contentProperties": {"size": 1}}, 403), ({"status": "PURGED"}, 400), ({"name": ""}, 400)],
)
def test_patch_refuses_what_it_cannot_change(drive: Drive, folder: str, body: Any, status: int) -> None:
    answer = drive.send("PATCH", f"drive/v1/nodes/{folder}", body)

    assert answer.status_code == status


def test_parents_can_be_added_replaced_and_removed(drive: Drive, folder: str) -> None:
    a, b, c = (drive.mkdir(name, folder) for name in "abc")
    node = drive.put("x", b"x", a)

    added = drive.send("PUT", f"drive/v1/nodes/{b}/children/{node}").json()["parents"]
    replaced = drive.send("POST", f"drive/v1/nodes/{c}/children", {"fromParent": a, "childId": node}).json()
    removed = drive.send("DELETE", f"drive/v1/nodes/{b}/children/{node}").json()["parents"]

    assert added == [a, b]
    assert replaced["parents"] == [b, c]
    assert removed == [c]


def test_a_node_without_a_last_parent_falls_to_the_root(drive: Drive, folder: str) -> None:
    node = drive.put(f"orphan {folder}", b"x", folder)

    answer = drive.send("DELETE", f"drive/v1/nodes/{folder}/children/{node}")

    assert answer.json()["parents"] == [drive.root]


def test_a_folder_cannot_become_its_own_descendant(drive: Drive, folder: str) -> None:
    inner = drive.mkdir("inner", folder)
    deep = drive.mkdir("deep", inner)

    answers = [
        drive.send("PATCH", f"drive/v1/nodes/{inner}", {"parents": [deep]}),
        drive.send("PUT", f"drive/v1/nodes/{inner}/children/{inner}"),
        drive.send("POST", f"drive/v1/nodes/{deep}/children", {"fromParent": folder, "childId": inner}),
    ]

    assert [answer.status_code for answer in answers] == [400, 400, 400]


def test_trash_and_restore_can_be_repeated(drive: Drive, folder: str) -> None:
    node = drive.put("x", b"x", folder)

    statuses = [drive.send("PUT", f"drive/v1/trash/{node}").json()["status"] for _ in range(2)]
    statuses += [drive.send("POST", f"drive/v1/trash/{node}/restore").json()["status"] for _ in range(2)]

    assert statuses == ["TRASH", "TRASH", "AVAILABLE", "AVAILABLE"]
    assert drive.node(node)["version"] == 3


def test_trashed_namesakes_do_not_clash_until_restored(drive: Drive, folder: str) -> None:
    trashed = []
    for _ in range(2):
        trashed.append(drive.put("x", b"x", folder))
        drive.send("PUT", f"drive/v1/trash/{trashed[-1]}")
    present = drive.put("X", b"x", folder)

    answer = drive.send("POST", f"drive/v1/trash/{trashed[0]}/restore")

    assert answer.status_code == 409
    assert answer.json()["info"] == {"nodeId": present}
    assert drive.node(trashed[0])["status"] == "TRASH"


def test_a_trashed_node_can_be_renamed_and_moved_on_its_way_back(drive: Drive, folder: str) -> None:
    target = drive.mkdir("target", folder)
    drive.put("wanted", b"in the way", folder)
    node = drive.put("x", b"x", folder)

    drive.send("PUT", f"drive/v1/trash/{node}")
    drive.send("PATCH", f"drive/v1/nodes/{node}", {"name": "Wanted"})
    drive.send("PUT", f"drive/v1/nodes/{target}/children/{node}")
    drive.send("DELETE", f"drive/v1/nodes/{folder}/children/{node}")
    replaced = drive.send(
        "POST", f"drive/v1/nodes/{folder}/children", {"fromParent": target, "childId": node}
    )
    restored = drive.send("POST", f"drive/v1/trash/{node}/restore")

    assert replaced.status_code == 400
    assert restored.status_code == 200
    assert drive.names(target) == ["Wanted"]


def test_the_trash_lists_what_was_trashed(drive: Drive, folder: str) -> None:
    node = drive.put("x", b"x", folder)

    drive.send("PUT", f"drive/v1/trash/{node}")

    assert node in [entry["id"] for entry in drive.all("drive/v1/trash")]
    assert drive.all(filters=f"parents:{folder}") == []
    assert [entry["id"] for entry in drive.all(filters=f"parents:{folder} AND status:TRASH")] == [node]
    assert drive.node(node)["status"] == "TRASH"


def test_nothing_is_restored_under_a_trashed_parent(drive: Drive, folder: str) -> None:
    node = drive.put("x", b"x", folder)
    drive.send("PUT", f"drive/v1/trash/{node}")
    drive.send("PUT", f"drive/v1/trash/{folder}")

    answer = drive.send("POST", f"drive/v1/trash/{node}/restore")

    assert answer.status_code == 400


def test_the_root_stays_where_it_is(drive: Drive) -> None:
    answers = [
        drive.send("PUT", f"drive/v1/trash/{drive.root}"),
        drive.send("PATCH", f"drive/v1/nodes/{drive.root}", {"name": "root"}),
        drive.send("DELETE", f"drive/v1/nodes/{drive.root}"),
    ]

    assert [answer.status_code for answer in answers] == [403, 403, 403]


def test_purging_is_not_for_apps(drive: Drive, folder: str) -> None:
    answer = drive.send("DELETE", f"drive/v1/nodes/{folder}")

    assert answer.status_code == 403
    assert answer.json() == {"message": "Insufficient permissions granted for operation: purgeNode"}


def test_properties_belong_to_their_owner(drive: Drive, folder: str) -> None:
    owner = drive.node(folder)["createdBy"]
    path = f"drive/v1/nodes/{folder}/properties"

    made = drive.send("PUT", f"{path}/{owner}/k_1", {"value": "v"})
    foreign = drive.send("PUT", f"{path}/stranger/k", {"value": "v"})
    listed = drive.get(f"{path}/{owner}").json()
    strange = drive.get(f"{path}/stranger").json()
    gone = drive.send("DELETE", f"{path}/{owner}/k_1")

    assert made.status_code == 201
    assert (made.json()["key"], made.json()["value"]) == ("k_1", "v")
    assert made.json()["location"].endswith(f"/nodes/{folder}/properties/{owner}/k_1")
    assert foreign.status_code == 403
    assert listed == {"count": 1, "data": {"k_1": "v"}}
    assert strange == {"count": 0, "data": {}}
    assert gone.status_code == 204
    assert drive.get(f"{path}/{owner}/k_1").status_code == 404


def test_an_owner_has_ten_keys(drive: Drive, folder: str) -> None:
    path = f"drive/v1/nodes/{folder}/properties/{drive.node(folder)['createdBy']}"

    statuses = [drive.send("PUT", f"{path}/k{i}", {"value": "v"}).status_code for i in range(11)]

    assert statuses == [201] * 10 + [400]
    assert drive.send("PUT", f"{path}/k0", {"value": "w" * 500}).status_code == 201
    assert drive.send("PUT", f"{path}/k0", {"value": "w" * 501}).status_code == 400
