"""The trash of a drive: what it shows when half of a path is gone, and a restore that meets a namesake."""

import json
from typing import Any

import httpx
import pytest

from runner.backends.acd.backend import Acd
from runner.model.errors import BadAnswer, Exists, NotFound
from tests.rooms.acd.service import ROOT, Service, drive, error, node, page, run, taken

GONE: dict[str, Any] = {**node("N1", "x"), "status": "TRASH", "modifiedDate": "2016-04-01T10:20:30.500Z"}


async def shown(backend: Acd, folder: str = "") -> list[tuple[str, str | None]]:
    return [(entry.ref, entry.path) async for page in backend.trashed(folder) for entry in page]


def test_a_path_is_told_through_folders_that_are_in_the_trash_themselves() -> None:
    service = Service(
        ("GET", "^trash$", page({**GONE, "parents": ["F1"]}, node("F1", "a", kind="FOLDER", status="TRASH"))),
        ("GET", "^nodes/F1$", node("F1", "a", kind="FOLDER", status="TRASH")),
    )

    assert run(shown(drive(service))) == [("N1", "a/x"), ("F1", "a")]
    assert run(shown(drive(service), "a")) == [("N1", "a/x"), ("F1", "a")]
    assert run(shown(drive(service, root="a"))) == [("N1", "x"), ("F1", "")]
    assert run(shown(drive(service), "b")) == []


def test_what_has_no_path_any_more_is_shown_to_who_asks_for_everything() -> None:
    service = Service(
        ("GET", "^trash$", page({**GONE, "parents": ["F9"]})), ("GET", "^nodes/F9$", error(404, "gone"))
    )

    assert run(shown(drive(service))) == [("N1", None)]
    assert run(shown(drive(service, root="a"))) == []


def test_what_a_crash_left_under_a_hidden_name_is_nobodys_to_restore() -> None:
    service = Service(("GET", "^trash$", page({**GONE, "name": ".acdrun-0123456789abcdef.partial"})))

    assert run(shown(drive(service))) == []


def test_a_time_is_the_services_own() -> None:
    async def first(backend: Acd) -> int | None:
        (found,) = [entry async for page in backend.trashed() for entry in page]
        return found.when_ns

    assert run(first(drive(Service(("GET", "^trash$", page(GONE)))))) == 1_459_506_030_500_000_000
    bad = {**GONE, "modifiedDate": "yesterday"}
    assert run(first(drive(Service(("GET", "^trash$", page(bad)))))) is None


def test_a_trash_that_goes_round_in_circles_is_an_error() -> None:
    service = Service(("GET", "^trash$", page(GONE, nextToken="again")))

    with pytest.raises(BadAnswer):
        run(shown(drive(service)))


def test_a_restore_under_another_name_that_meets_a_namesake_is_taken_back() -> None:
    service = Service(
        ("GET", "^nodes/N1$", GONE),
        ("GET", 'name:"y"', page()),
        ("GET", f'parents:"{ROOT}"$', page()),
        ("GET", f"^nodes/{ROOT}$", node(ROOT, kind="FOLDER", isRoot=True, parents=[])),
        ("PATCH", "^nodes/N1$", GONE),
        ("POST", "^trash/N1/restore$", taken("N2")),
    )

    with pytest.raises(Exists):
        run(drive(service).restore("N1", "y"))

    renames = [json.loads(request.content) for request in service.requests if request.method == "PATCH"]
    assert renames == [{"name": "y"}, {"name": "x"}]


def test_a_restore_whose_answer_was_lost_is_looked_up() -> None:
    service = Service(
        ("GET", "^nodes/N1$", [GONE, {**GONE, "status": "AVAILABLE"}]),
        ("GET", 'name:"x"', page()),
        ("GET", f'parents:"{ROOT}"$', page()),
        ("GET", f"^nodes/{ROOT}$", node(ROOT, kind="FOLDER", isRoot=True, parents=[])),
        ("POST", "^trash/N1/restore$", httpx.Response(500)),
    )

    assert run(drive(service).restore("N1")) == "x"


def test_what_is_not_in_the_trash_or_not_ours_is_not_restored() -> None:
    service = Service(
        ("GET", "^nodes/N1$", GONE),
        ("GET", "^nodes/N2$", node("N2", "y")),
        ("GET", "^nodes/N3$", error(404, "gone")),
    )

    for ref in ("N2", "N3", "no id", "../nodes/N1"):
        with pytest.raises(NotFound):
            run(drive(service).restore(ref))
    with pytest.raises(NotFound, match="below this remote"):
        run(drive(service, root="a").restore("N1"))
    assert all(asked.startswith("GET") for asked in service.asked)
