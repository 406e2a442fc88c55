"""Replacing by way of the trash: the old content is never lost. Source: reliability.md I1."""

import asyncio
from typing import Any

import httpx
import pytest

from runner.model.content import Content
from runner.model.errors import Damaged, Exists, Stale, Unavailable
from runner.model.node import Node
from tests.rooms.acd.service import ROOT, Service, drive, error, name_of, node, run, taken

HELLO = Content.of(b"hello")
OLD = node("OLD", "x", version=7)
OTHER = {"size": 9, "md5": "0" * 32}


def created(request: httpx.Request) -> httpx.Response:
    return httpx.Response(201, json=node("NEW", name_of(request)))


def put(service: Service, expect: str) -> Node:
    result: Node = run(drive(service).put("x", HELLO, expect=expect))
    return result


def replacing(*rules: tuple[str, str, Any]) -> Service:
    return Service(
        *rules,
        ("POST", "^/?cdproxy/nodes$", created),
        ("GET", "^nodes/OLD$", OLD),
        ("PUT", "^trash/OLD$", {**OLD, "status": "TRASH"}),
        ("PATCH", "^nodes/NEW$", node("NEW", "x", version=2)),
        ("PUT", "^trash/NEW$", node("NEW", "x", status="TRASH")),
        ("POST", "^trash/OLD/restore$", OLD),
    )


def test_a_replace_keeps_the_old_content_in_the_trash() -> None:
    service = replacing()

    stored = put(service, "OLD:7")

    assert (stored.name, stored.generation) == ("x", "NEW:2")
    assert service.verbs() == [
        "POST cdproxy/nodes",
        "GET nodes/OLD",
        "PUT trash/OLD",
        "PATCH nodes/NEW",
    ]
    assert name_of(service.requests[0]).endswith(".partial")
    assert service.requests[3].content == b'{"name": "x"}'


@pytest.mark.parametrize(
    "now",
    [
        {**OLD, "version": 8},
        {**OLD, "status": "TRASH"},
        {**OLD, "name": "y"},
        {**OLD, "parents": ["F1"]},
        error(404, "no such node"),
    ],
    ids=["changed", "trashed", "renamed", "moved", "gone"],
)
def test_a_replace_of_what_is_not_there_any_more_is_stale_and_leaves_nothing(now: Any) -> None:
    service = replacing(("GET", "^nodes/OLD$", now))

    with pytest.raises(Stale):
        put(service, "OLD:7")

    assert service.verbs() == ["POST cdproxy/nodes", "GET nodes/OLD", "PUT trash/NEW"]


def test_a_damaged_replacement_never_touches_the_old_content() -> None:
    service = replacing(("POST", "^/?cdproxy/nodes$", node("NEW", "x", contentProperties=OTHER)))

    with pytest.raises(Damaged):
        put(service, "OLD:7")

    assert "PUT trash/OLD" not in service.verbs()


def test_a_rename_that_fails_brings_the_old_content_back() -> None:
    service = replacing(
        ("PATCH", "^nodes/NEW$", error(500, "Internal failure")),
        ("GET", "^nodes/NEW$", node("NEW", ".acdrun-0123456789abcdef.partial")),
        ("GET", "^nodes/OLD$", [OLD, {**OLD, "status": "TRASH"}]),
    )

    with pytest.raises(Unavailable):
        put(service, "OLD:7")

    assert service.verbs()[-2:] == ["POST trash/OLD/restore", "PUT trash/NEW"]


def test_a_rename_whose_answer_was_lost_counts_when_it_worked() -> None:
    service = replacing(
        ("PATCH", "^nodes/NEW$", httpx.ReadError("")), ("GET", "^nodes/NEW$", node("NEW", "x", version=2))
    )

    assert put(service, "OLD:7").generation == "NEW:2"
    assert "POST trash/OLD/restore" not in service.verbs()


def test_a_name_taken_in_between_is_exists_and_says_where_the_old_content_is() -> None:
    service = replacing(
        ("PATCH", "^nodes/NEW$", taken("N9")),
        ("GET", "^nodes/NEW$", node("NEW", ".acdrun-0123456789abcdef.partial")),
        ("GET", "^nodes/OLD$", [OLD, {**OLD, "status": "TRASH"}]),
        ("POST", "^trash/OLD/restore$", taken("N9")),
    )

    with pytest.raises(Exists) as caught:
        put(service, "OLD:7")

    assert "OLD" in caught.value.hint


def test_a_node_that_stands_elsewhere_too_is_only_taken_out_of_this_folder() -> None:
    shared = {**OLD, "parents": [ROOT, "F1"]}
    service = replacing(
        ("GET", "^nodes/OLD$", shared), ("DELETE", f"^nodes/{ROOT}/children/OLD$", {**OLD, "parents": ["F1"]})
    )

    put(service, "OLD:7")

    assert "PUT trash/OLD" not in service.verbs()
    assert f"DELETE nodes/{ROOT}/children/OLD" in service.verbs()


def test_a_cancellation_between_the_two_names_waits_until_the_new_one_stands() -> None:
    trashed = asyncio.Event()

    async def slow(request: httpx.Request) -> httpx.Response:
        if request.method == "PUT":
            trashed.set()
        if request.method == "PATCH":
            await asyncio.sleep(0.1)
        return await service(request)

    service = replacing()

    async def work() -> None:
        task = asyncio.ensure_future(drive(slow).put("x", HELLO, expect="OLD:7"))
        await trashed.wait()
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        run(work())
    assert service.verbs()[-1] == "PATCH nodes/NEW"
