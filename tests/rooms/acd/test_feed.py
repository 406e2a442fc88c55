"""The change feed: read to its end, or not believed. Source: acd-api §10; reliability.md N7, N8."""

import json
from typing import Any

import httpx
import pytest

from runner.model.backend import Change, ChangePage
from runner.model.errors import AcdrunError, BadAnswer, Truncated
from tests.rooms.acd.service import ROOT, Service, drive, error, node, run

END = b'{"end":true}'
TOP = node(ROOT, kind="FOLDER", isRoot=True, parents=[])


def line(checkpoint: str, *nodes: Any, reset: bool = False, **more: Any) -> bytes:
    """One line of an answer."""
    data = {"checkpoint": checkpoint, "reset": reset, "nodes": list(nodes), "statusCode": 200, **more}
    return json.dumps(data).encode() + b"\n"


def answer(*lines: bytes) -> httpx.Response:
    """A whole answer."""
    return httpx.Response(200, content=b"".join(lines))


def feed(*answers: httpx.Response) -> Service:
    """A service whose feed gives these answers, one after the other."""
    return Service(("POST", r"^changes$", list(answers)))


def told(service: Service, cursor: str | None = f"{ROOT}/c0") -> list[ChangePage]:
    """The pages that come of it."""

    async def whole() -> list[ChangePage]:
        return [page async for page in drive(service).changes(cursor)]

    pages: list[ChangePage] = run(whole())
    return pages


def asked(service: Service) -> list[str | None]:
    """The checkpoints that were sent."""
    return [json.loads(request.content).get("checkpoint") for request in service.requests]


def test_nothing_new_is_one_request() -> None:
    service = feed(answer(line("c0"), END))

    assert told(service) == [ChangePage(ROOT, f"{ROOT}/c0", False, [])]
    assert asked(service) == ["c0"]


def test_what_stands_nowhere_is_told_as_such() -> None:
    gone = [
        node("N1", "trashed", status="TRASH"),
        {"id": "N2", "status": "PURGED"},
        node("N3", "pending", status="PENDING", contentProperties={}),
        node("N4", "a clip", kind="ASSET"),
        node("N5", ".acdrun-0123456789abcdef.partial"),
        node("N6", "without a folder", parents=[]),
        node("N7"),
        TOP,
    ]

    (page,) = told(feed(answer(line("c1", *gone), END)))

    assert page.changes == [Change(one["id"], (), None) for one in gone]


def test_a_node_of_several_folders_stands_in_each_once() -> None:
    (page,) = told(feed(answer(line("c1", node("N1", "x", parents=["F1", "F2", "F1"])), END)))

    (change,) = page.changes
    assert change.parents == ("F1", "F2")
    assert change.node is not None
    assert (change.node.name, change.node.id, change.node.generation) == ("x", "N1", "N1:1")


def test_everything_is_asked_for_twice_lest_something_changed_while_it_was_told() -> None:
    service = feed(
        answer(line("c1", TOP, reset=True), line("c2", node("N1", "x"), reset=True), END),
        answer(line("c3", node("N1", "y")), END),
    )

    pages = told(service, None)

    assert [page.reset for page in pages] == [True, False, False]
    assert asked(service) == [None, "c2"]


def test_a_service_that_says_nothing_of_a_reset_begins_anew_all_the_same() -> None:
    pages = told(feed(answer(line("c1", TOP), END), answer(line("c1"), END)), None)

    assert [page.reset for page in pages] == [True, False]


@pytest.mark.parametrize("cursor", ["OTHERACCOUNT/c0", "nonsense", ""])
def test_a_checkpoint_of_another_account_is_not_sent(cursor: str) -> None:
    service = feed(answer(line("c1", TOP, reset=True), END), answer(line("c1"), END))

    assert told(service, cursor)[0].reset
    assert asked(service) == [None, "c1"]


def test_a_checkpoint_that_is_refused_is_as_good_as_unknown() -> None:
    service = feed(
        error(400, "checkpoint is invalid"), answer(line("c1", TOP, reset=True), END), answer(line("c1"), END)
    )

    assert told(service)[0].reset
    assert asked(service) == ["c0", None, "c1"]


@pytest.mark.torture
@pytest.mark.parametrize(
    "cut",
    [
        answer(line("c1", node("N1", "x"))),
        answer(line("c1", node("N1", "x")).rstrip()),
        answer(line("c1", node("N1", "x")), line("c2", node("N2", "y"))[:40]),
        answer(line("c1", node("N1", "x")), b'{"end":'),
    ],
    ids=["no end", "no newline", "within a line", "within the end"],
)
def test_N7_a_feed_that_was_cut_off_goes_on_from_its_last_checkpoint(cut: httpx.Response) -> None:
    service = feed(cut, answer(line("c2", node("N2", "y")), END))

    pages = told(service)

    assert [change.id for page in pages for change in page.changes] == ["N1", "N2"]
    assert asked(service) == ["c0", "c1"]


@pytest.mark.torture
def test_N7_a_feed_that_never_ends_as_it_should_is_not_believed() -> None:
    with pytest.raises(Truncated):
        told(feed(*[answer(b"")] * 9))


@pytest.mark.torture
@pytest.mark.parametrize(
    "body",
    [
        b"<html>sign in to the wireless network</html>\n" + END,
        b"[1]\n" + END,
        line("c1", node("N1", "x"), statusCode=500) + END,
        line("", node("N1", "x")) + END,
        b'{"checkpoint":"c1","reset":false,"statusCode":200}\n' + END,
        line("c1", "not a node") + END,
        line("c1", {"id": "../x", "status": "TRASH"}) + END,
        line("c1", node("N1", "x", status="SOMETHING")) + END,
        line("c1", {"id": "N1"}) + END,
    ],
    ids=lambda body: str(body)[:40],
)
def test_N8_a_feed_that_makes_no_sense_tells_nothing(body: bytes) -> None:
    with pytest.raises(BadAnswer):
        told(feed(answer(body)))


@pytest.mark.torture
def test_N12_a_feed_that_begins_anew_each_time_has_an_end() -> None:
    service = feed(*[answer(line(f"d{number}", TOP, reset=True), END) for number in range(99)])

    with pytest.raises(BadAnswer, match="anew"):
        told(service)
    assert len(service.requests) < 9


def test_a_feed_that_is_refused_says_so() -> None:
    with pytest.raises(AcdrunError, match="no checkpoint"):
        told(feed(error(400, "no checkpoint"), error(400, "no checkpoint")))
