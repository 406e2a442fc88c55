"""The other verbs: mkdir, move, trash, read, stat, and the way to the service."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from runner.backends.acd import content as contents
from runner.backends.acd.backend import Acd
from runner.backends.acd.servers import AMAZON
from runner.backends.acd.wire import AcdWire
from runner.model.backend import Quota
from runner.model.content import Content
from runner.model.errors import (
    BadAnswer,
    Blocked,
    Changed,
    Denied,
    Exists,
    NotFound,
    Stale,
    Truncated,
)
from tests.rooms.acd.service import BASE, ROOT, Service, drive, error, node, page, run, taken, wire

FILE = node("N1", "x")
FOLDER = node("F1", "a", kind="FOLDER")
KNOWN = (
    ("GET", r'parents:"R+" AND name:"x"$', page(FILE)),
    ("GET", "^nodes/N1$", FILE),
    ("GET", r'parents:"R+" AND name:"a"$', page(FOLDER)),
    ("GET", "^nodes/F1$", FOLDER),
    ("GET", r"name:", page()),
)


async def read(backend: Acd, path: str, expect: str | None = None) -> bytes:
    return b"".join([chunk async for chunk in backend.read(path, expect=expect)])


def test_a_folder_is_made_by_one_request() -> None:
    service = Service(("POST", "^nodes$", httpx.Response(201, json=FOLDER)))

    assert run(drive(service).mkdir("a")).id == "F1"
    assert service.asked == ["POST nodes"]


def test_a_folder_that_is_there_is_returned_and_a_file_is_exists() -> None:
    there = Service(("POST", "^nodes$", taken("F1")), *KNOWN)
    file = Service(("POST", "^nodes$", taken("N1")), *KNOWN)

    assert run(drive(there).mkdir("a")).id == "F1"
    with pytest.raises(Exists):
        run(drive(file).mkdir("x"))


def test_a_conflict_that_names_nobody_is_looked_up() -> None:
    service = Service(("POST", "^nodes$", error(409, "conflict")), *KNOWN)

    assert run(drive(service).mkdir("a")).id == "F1"


def test_the_remotes_root_is_made_with_all_above_it() -> None:
    inner = node("F2", "b", kind="FOLDER", parents=["F1"])
    service = Service(
        ("POST", "^nodes$", [httpx.Response(201, json=FOLDER), httpx.Response(201, json=inner)]),
        ("GET", "^nodes/F2$", inner),
    )

    assert run(drive(service, root="a/b").mkdir("")).name == "b"
    assert service.verbs() == ["POST nodes", "POST nodes", "GET nodes/F2"]


def test_stat_is_current_where_the_index_is_not() -> None:
    service = Service(
        ("GET", r'name:"x"$', page(FILE)),
        ("GET", r'^nodes\?parents:"R+"$', page(FILE)),
        ("GET", "^nodes/N1$", {**FILE, "status": "TRASH"}),
    )

    with pytest.raises(NotFound):
        run(drive(service).stat("x"))


def test_what_we_have_just_written_is_found_before_the_index_knows_it() -> None:
    service = Service(
        ("POST", "cdproxy/nodes", httpx.Response(201, json=FILE)),
        ("GET", "^nodes/N1$", FILE),
        ("GET", "name:", page()),
    )
    backend = drive(service)

    async def work() -> str:
        await backend.put("x", Content.of(b"hello"), expect=None)
        return (await backend.stat("x")).id

    assert run(work()) == "N1"
    assert service.verbs() == ["POST cdproxy/nodes", "GET nodes/N1"]


def test_two_nodes_of_one_name_are_blocked() -> None:
    twin = node("N2", "x")
    service = Service(("GET", r'name:"x"$', page(FILE, twin)), ("GET", "^nodes/N2$", twin), *KNOWN)

    with pytest.raises(Blocked, match="two nodes"):
        run(drive(service).stat("x"))


def test_a_name_in_another_case_is_found_by_listing() -> None:
    service = Service(
        ("GET", r'name:"X"$', page()), ("GET", r'^nodes\?parents:"R+"$', page(FOLDER, FILE)), *KNOWN
    )

    assert run(drive(service).stat("X")).name == "x"


def test_a_rename_in_the_folder_is_one_patch_after_a_look() -> None:
    service = Service(*KNOWN, ("PATCH", "^nodes/N1$", node("N1", "X", version=2)))

    assert run(drive(service).move("x", "X")).name == "X"
    assert service.verbs()[-1] == "PATCH nodes/N1"


def test_a_move_replaces_the_one_parent() -> None:
    moved = node("N1", "x", parents=["F1"], version=2)
    service = Service(*KNOWN, ("POST", "^nodes/F1/children$", moved))

    run(drive(service).move("x", "a/x"))

    assert service.requests[-1].content == b'{"fromParent": "%b", "childId": "N1"}' % ROOT.encode()


def test_a_move_whose_answer_was_lost_counts_when_it_worked() -> None:
    moved = node("N1", "x", parents=["F1"], version=2)
    service = Service(
        ("GET", "^nodes/N1$", [FILE, moved]),
        *KNOWN,
        ("POST", "^nodes/F1/children$", [httpx.ReadError(""), error(400, "fromParent is not a parent")]),
    )

    assert run(drive(service).move("x", "a/x")).generation == "N1:2"


def test_a_move_that_meets_a_namesake_in_the_old_folder_goes_the_other_way_round() -> None:
    service = Service(
        *KNOWN,
        ("PATCH", "^nodes/N1$", [taken("N9"), node("N1", "y", parents=["F1"], version=3)]),
        ("POST", "^nodes/F1/children$", node("N1", "x", parents=["F1"], version=2)),
    )

    assert run(drive(service).move("x", "a/y")).name == "y"


def test_a_move_onto_something_is_exists_and_is_undone() -> None:
    service = Service(
        *KNOWN,
        ("PATCH", "^nodes/N1$", [node("N1", "y", version=2), node("N1", "x", version=3)]),
        ("POST", "^nodes/F1/children$", taken("N9")),
    )

    with pytest.raises(Exists):
        run(drive(service).move("x", "a/y"))

    assert [request.content for request in service.requests if request.method == "PATCH"] == [
        b'{"name": "y"}',
        b'{"name": "x"}',
    ]


def test_a_node_in_several_folders_is_not_renamed_in_all_of_them() -> None:
    service = Service(("GET", "^nodes/N1$", {**FILE, "parents": [ROOT, "F7"]}), *KNOWN)

    with pytest.raises(Blocked, match="several folders"):
        run(drive(service).move("x", "y"))


def test_trashing_returns_the_id_after_looking_at_the_generation() -> None:
    service = Service(*KNOWN, ("PUT", "^trash/N1$", {**FILE, "status": "TRASH"}))

    assert run(drive(service).trash("x", expect="N1:1")) == "N1"
    with pytest.raises(Stale):
        run(drive(service).trash("x", expect="N1:2"))


def test_a_folder_with_a_precondition_is_trashed_only_when_it_is_empty() -> None:
    full = Service(*KNOWN[:4], ("GET", r'parents:"F1"$', page(node("N5", "y", parents=["F1"]))))

    with pytest.raises(Stale):
        run(drive(full).trash("a", expect="F1"))

    assert not [verb for verb in full.verbs() if verb.startswith("PUT")]


def test_the_root_is_never_trashed() -> None:
    with pytest.raises(Blocked):
        run(drive(Service()).trash(""))


def test_a_download_is_checked_for_size_and_generation() -> None:
    def answers(body: bytes, after: Any = FILE) -> Service:
        return Service(
            ("GET", "cdproxy/nodes/N1/content", httpx.Response(200, content=body)),
            ("GET", "^nodes/N1$", [FILE, after]),
            *KNOWN,
        )

    assert run(read(drive(answers(b"hello")), "x", "N1:1")) == b"hello"
    with pytest.raises(Truncated):
        run(read(drive(answers(b"hell")), "x"))
    with pytest.raises(BadAnswer):
        run(read(drive(answers(b"hello!")), "x"))
    with pytest.raises(Changed):
        run(read(drive(answers(b"hello", {**FILE, "version": 2})), "x", "N1:1"))
    with pytest.raises(Changed):
        run(read(drive(answers(b"hello")), "x", "N1:9"))


def test_a_large_download_goes_by_a_signed_link_without_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "LINK_FROM", 5)
    link = f"{BASE}/signed?X-Amz-Signature=canary"
    service = Service(
        ("GET", "/?signed", httpx.Response(200, content=b"hello")),
        ("GET", "^nodes/N1$", {**FILE, "tempLink": link}),
        *KNOWN,
    )

    assert run(read(drive(service), "x")) == b"hello"
    assert "authorization" not in service.requests[-1].headers
    assert service.requests[-2].url.query == b"tempLink=true"


def test_a_redirected_download_is_not_followed() -> None:
    to_s3 = httpx.Response(
        302, headers={"location": "https://bucket.s3.amazonaws.com/x?X-Amz-Signature=canary"}
    )
    service = Service(("GET", "cdproxy/nodes/N1/content", to_s3), *KNOWN)

    with pytest.raises(BadAnswer, match="redirected") as caught:
        run(read(drive(service), "x"))

    assert "canary" not in str(caught.value)


def test_quota_is_read_and_nonsense_is_not() -> None:
    good = Service(("GET", "account/quota", {"quota": 100, "available": 30}))
    bad = Service(("GET", "account/quota", {"quota": "100", "available": -1}))

    assert run(drive(good).quota()) == Quota(100, 70, 30)
    with pytest.raises(BadAnswer):
        run(drive(bad).quota())


@pytest.mark.torture
@pytest.mark.parametrize(
    "answer",
    [
        {"metadataUrl": "https://evil.example/drive/v1/", "contentUrl": f"{BASE}/cdproxy/"},
        {"metadataUrl": f"{BASE}/drive/v1/", "contentUrl": "https://evil.example/"},
        {"metadataUrl": 7, "contentUrl": ["x"]},
    ],
)
def test_N20_a_foreign_host_in_the_discovery_is_refused(answer: dict[str, Any]) -> None:
    async def service(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=answer)

    with pytest.raises(BadAnswer):
        run(wire(service).endpoints())


def test_discovery_without_addresses_leaves_the_defaults_and_is_asked_once() -> None:
    asked = []

    async def service(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(200, json={"metadataUrl": "", "customerExists": True, "region": "NA"})

    line = wire(service)

    async def work() -> list[Any]:
        return [await line.endpoints() for _ in range(3)]

    assert run(work())[0] == (f"{BASE}/drive/v1/", f"{BASE}/cdproxy/")
    assert asked == [f"{BASE}/drive/v1/account/endpoint"]


def test_a_person_without_a_drive_is_told_so() -> None:
    async def service(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"customerExists": False})

    with pytest.raises(Denied):
        run(wire(service).endpoints())


def test_amazons_addresses_are_kept_for_days_and_checked_when_read(tmp_path: Path) -> None:
    asked = []
    answer = {
        "metadataUrl": "https://cdws.eu-west-1.amazonaws.com/drive/v1/",
        "contentUrl": "https://content-eu.drive.amazonaws.com/cdproxy/",
    }

    async def service(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(200, json=answer)

    cache = tmp_path / "acd" / "cloud.endpoints.json"
    first, second, third = (AcdWire(wire(service).wire, AMAZON, cache) for _ in range(3))

    assert run(first.endpoints()).metadata == answer["metadataUrl"]
    assert run(second.endpoints()) == run(first.endpoints())
    assert len(asked) == 1
    cache.write_text('{"metadataUrl": "https://evil.example/", "contentUrl": "https://evil.example/"}')
    run(third.endpoints())
    assert len(asked) == 2
