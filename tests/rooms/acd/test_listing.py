"""Listings: whole, or not believed. Source: acd-api §7.1, §12; reliability.md N8, N12, N14."""

from typing import Any

import httpx
import pytest

from runner.model.errors import BadAnswer, NotFound, Truncated
from tests.rooms.acd.service import ROOT, Service, drive, error, listed, node, page, run

FOLDER = node("F1", "a", kind="FOLDER")


def pages(*answers: Any) -> Service:
    """A service whose root is listed in these pages."""
    return Service(("GET", r'^nodes\?parents:"R+"$', list(answers)))


def test_pages_are_followed_to_the_last() -> None:
    service = pages(
        page(node("N1", "a"), node("N2", "b"), count=3, nextToken="t1"), page(node("N3", "c"), count=3)
    )

    assert run(listed(drive(service))) == ["a", "b", "c"]
    assert [request.url.params.get("startToken") for request in service.requests] == [None, "t1"]
    assert {request.url.params["limit"] for request in service.requests} == {"200"}


def test_what_is_not_the_users_is_left_out() -> None:
    service = pages(
        page(
            node("N1", "trashed", status="TRASH"),
            node("N2", "pending", status="PENDING"),
            node("N3", "moved away", parents=["OTHER"]),
            node("N4", "a clip", kind="ASSET"),
            node("N5"),
            node("N6", ".acdrun-0123456789abcdef.partial"),
            node("N7", "mine", parents=["OTHER", ROOT]),
        )
    )

    assert run(listed(drive(service))) == ["mine"]


def test_two_nodes_of_one_name_and_names_that_no_path_has_are_passed_on() -> None:
    service = pages(page(node("N1", "x"), node("N2", "x"), node("N3", "a/b"), node("N4", "c\0d")))

    assert run(listed(drive(service))) == ["x", "x", "a/b", "c\0d"]


def test_an_expired_token_restarts_the_listing_and_nothing_comes_twice() -> None:
    service = pages(
        page(node("N1", "a"), count=3, nextToken="t1"),
        error(400, "Next token is expired"),
        page(node("N1", "a"), count=3, nextToken="t2"),
        page(node("N2", "b"), node("N3", "c"), count=3),
    )

    assert run(listed(drive(service))) == ["a", "b", "c"]


def test_a_shortage_is_listed_again_and_then_truncated() -> None:
    service = pages(*[page(node("N1", "a"), count=2)] * 3)

    with pytest.raises(Truncated):
        run(listed(drive(service)))


def test_a_shortage_that_others_caused_is_made_good_by_the_second_pass() -> None:
    service = pages(
        page(node("N1", "a"), count=3, nextToken="t1"),
        page(node("N3", "c"), count=2),  # N1 went, and N2 moved up into the page before
        page(node("N2", "b"), node("N3", "c"), count=2),
    )

    assert run(listed(drive(service))) == ["a", "c", "b"]


@pytest.mark.torture
@pytest.mark.parametrize(
    "answers",
    [
        [page(node("N1", "a"), nextToken="t"), page(node("N2", "b"), nextToken="t")],
        [page(node("N1", "a"), nextToken=f"t{number}") for number in range(9)],
        [page(nextToken=f"t{number}") for number in range(9)],
        [page(node("N1", "a"), nextToken=7)],
        [page(node("N1", "a"), nextToken="t" * 5000)],
        [{"count": 0}],
        [{"count": 0, "data": None}],
        [{"count": "1", "data": [node("N1", "a")]}],
        [{"count": -1, "data": []}],
        [page("not a node")],
        [page({"id": "../x"})],
        [httpx.Response(200, text="<html>sign in to the wireless network</html>")],
        [httpx.Response(200, text="")],
    ],
    ids=lambda answers: str(answers)[:40],
)
def test_N8_a_listing_that_makes_no_sense_is_not_an_empty_folder(answers: list[Any]) -> None:
    with pytest.raises(BadAnswer):
        run(listed(drive(pages(*answers))))


def test_an_empty_answer_is_believed_of_the_root_and_of_a_folder_that_still_stands() -> None:
    service = Service(
        ("GET", r'^nodes\?parents:"R+"$', page(FOLDER)),
        ("GET", r'^nodes\?parents:"F1"$', page()),
        ("GET", r"^nodes/F1$", FOLDER),
    )
    backend = drive(service)

    async def work() -> list[list[str]]:
        return [await listed(backend), await listed(backend, "a")]

    assert run(work()) == [["a"], []]
    assert service.verbs() == ["GET nodes", "GET nodes", "GET nodes/F1"]


@pytest.mark.torture
def test_N14_an_empty_answer_of_a_folder_that_was_trashed_meanwhile_is_not_believed() -> None:
    service = Service(
        ("GET", r'^nodes\?parents:"R+"$', [page(FOLDER), page()]),
        ("GET", r'^nodes\?parents:"F1"$', page()),
        ("GET", r"^nodes/F1$", {**FOLDER, "status": "TRASH"}),
        ("GET", r'name:"a"$', page()),
    )
    backend = drive(service)

    async def work() -> None:
        await listed(backend)
        await listed(backend, "a")

    with pytest.raises(NotFound):
        run(work())


@pytest.mark.torture
def test_N12_a_fault_in_the_third_page_is_no_end() -> None:
    service = pages(
        page(node("N1", "a"), count=3, nextToken="t1"),
        page(node("N2", "b"), count=3, nextToken="t2"),
        *[error(500, "Internal failure")] * 9,
    )

    with pytest.raises(Exception, match="Internal failure"):
        run(listed(drive(service)))


def test_listing_resolves_each_folder_once() -> None:
    service = Service(
        ("GET", r'parents:"R+" AND name:"a"$', page(FOLDER)),
        ("GET", r'^nodes\?parents:"F1"$', page(node("F2", "b", kind="FOLDER", parents=["F1"]))),
        ("GET", r'^nodes\?parents:"F2"$', page(node("N1", "x", parents=["F2"]))),
    )
    backend = drive(service)

    async def work() -> list[str]:
        return await listed(backend, "a") + await listed(backend, "a/b")

    assert run(work()) == ["b", "x"]
    assert len(service.asked) == 3


def test_a_name_is_escaped_in_a_filter() -> None:
    service = Service(("GET", r"name:", page()), ("GET", r'^nodes\?parents:"R+"$', page()))

    with pytest.raises(NotFound):
        run(drive(service).stat('a "b" \\ (c)-d'))

    assert service.asked[0] == f'GET nodes?parents:"{ROOT}" AND name:"a\\ \\"b\\"\\ \\\\\\ \\(c\\)\\-d"'
