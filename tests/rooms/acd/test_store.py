"""Storing: one request for a new file, nothing lost on the way. Source: reliability.md I1, N3, N9, N10."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from runner.model.content import Content
from runner.model.errors import Blocked, Changed, Damaged, Exists, NoSpace, NotFound, Unavailable
from runner.model.node import Node
from tests.rooms.acd.service import (
    MD5_HELLO,
    ROOT,
    Naps,
    Service,
    drive,
    error,
    name_of,
    node,
    page,
    run,
    taken,
)

HELLO = Content.of(b"hello")
NEW = node("N1", "x")
OTHER = {"size": 9, "md5": "0" * 32}
NAMED = r'name:"x"$'


def created(request: httpx.Request) -> httpx.Response:
    return httpx.Response(201, json=node("NEW", name_of(request)))


def put(
    service: Service, expect: str | None = None, *, naps: Naps | None = None, content: Content = HELLO
) -> Node:
    result: Node = run(drive(service, naps=naps).put("x", content, expect=expect))
    return result


def test_a_new_small_file_is_exactly_one_request() -> None:
    service = Service(("POST", "^/?cdproxy/nodes$", created))

    stored = put(service)

    assert (stored.name, stored.size, stored.id, stored.generation) == ("x", 5, "NEW", "NEW:1")
    assert service.asked == ["POST cdproxy/nodes"]
    request = service.requests[0]
    assert request.url.query == b"suppress=deduplication"
    assert request.headers["content-length"] == str(len(request.content))
    boundary = request.headers["content-type"].partition("boundary=")[2].encode()
    assert request.content == (
        b'--%b\r\nContent-Disposition: form-data; name="metadata"\r\nContent-Type: application/json\r\n\r\n'
        b'{"name": "x", "kind": "FILE", "parents": ["%b"]}\r\n--%b\r\n'
        b'Content-Disposition: form-data; name="content"; filename="content"\r\n'
        b"Content-Type: application/octet-stream\r\n\r\nhello\r\n--%b--\r\n"
        % (boundary, ROOT.encode(), boundary, boundary)
    )


@pytest.mark.parametrize("size", [0, 1, 262_144, 262_145, 3_000_000])
def test_content_of_any_size_is_framed_with_its_length(size: int) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, size, 100_000):
            yield b"x" * min(100_000, size - start)

    def stored(request: httpx.Request) -> dict[str, Any]:
        assert request.headers["content-length"] == str(len(request.content))
        return node("NEW", "x", contentProperties={"size": size})

    service = Service(
        ("POST", "cdproxy/nodes", stored),
        ("GET", "nodes/NEW$", node("NEW", "x", contentProperties={"size": size})),
        ("GET", "cdproxy/nodes/NEW/content", httpx.Response(200, content=b"x" * size)),
    )

    assert put(service, content=Content(size, pieces)).size == size


def test_a_digest_other_than_md5_is_computed_beside_the_callers() -> None:
    content = Content.of(b"hello", algorithm="sha256")

    assert put(Service(("POST", "cdproxy/nodes", created)), content=content).size == 5
    assert content.checksum.algorithm == "sha256"


def test_a_taken_name_is_exists_and_nothing_else_is_asked() -> None:
    service = Service(("POST", "cdproxy/nodes", taken("N9")))

    with pytest.raises(Exists):
        put(service)

    assert service.verbs() == ["POST cdproxy/nodes"]


@pytest.mark.torture
def test_N9_a_wrong_digest_trashes_exactly_the_node_that_was_made() -> None:
    service = Service(
        ("POST", "cdproxy/nodes", node("NEW", "x", contentProperties=OTHER)),
        ("PUT", "^trash/NEW$", node("NEW", "x", status="TRASH")),
    )

    with pytest.raises(Damaged):
        put(service)

    assert service.verbs() == ["POST cdproxy/nodes", "PUT trash/NEW"]


def test_a_damaged_node_that_cannot_be_trashed_is_still_damaged_and_named() -> None:
    service = Service(
        ("POST", "cdproxy/nodes", node("NEW", "x", contentProperties=OTHER)),
        ("PUT", "^trash/NEW$", error(500, "Internal failure")),
    )

    with pytest.raises(Damaged) as caught:
        put(service)

    assert "NEW" in caught.value.hint


@pytest.mark.torture
def test_N10_a_missing_digest_is_asked_for_and_then_read_back() -> None:
    unproven = node("NEW", "x", contentProperties={"size": 5})
    service = Service(
        ("POST", "cdproxy/nodes", unproven),
        ("GET", "^nodes/NEW$", unproven),
        ("GET", "cdproxy/nodes/NEW/content", httpx.Response(200, content=b"hello")),
    )

    stored = put(service)

    assert stored.checksum is not None
    assert stored.checksum.digest == MD5_HELLO
    assert len(service.asked) == 3


@pytest.mark.torture
def test_N10_a_missing_digest_whose_content_reads_back_otherwise_is_damaged() -> None:
    unproven = node("NEW", "x", contentProperties={"size": 5})
    service = Service(
        ("POST", "cdproxy/nodes", unproven),
        ("GET", "^nodes/NEW$", unproven),
        ("GET", "cdproxy/nodes/NEW/content", httpx.Response(200, content=b"hallo")),
        ("PUT", "^trash/NEW$", unproven),
    )

    with pytest.raises(Damaged):
        put(service)


LOST: dict[str, Any] = {
    "504, empty": httpx.Response(504, content=b""),
    "500": error(500, "Internal failure"),
    "408": httpx.Response(408, content=b""),
    "broken": httpx.ReadError(""),
    "nonsense": httpx.Response(201, text="<html>"),
    "another node": httpx.Response(201, json={"id": "../x"}),
}


@pytest.mark.torture
@pytest.mark.parametrize("lost", LOST.values(), ids=LOST.keys())
def test_N3_an_upload_whose_answer_was_lost_is_looked_for_and_adopted(lost: Any) -> None:
    naps = Naps()
    service = Service(
        ("POST", "cdproxy/nodes", [lost]),
        ("GET", NAMED, [page(), page(), page(NEW)]),
        ("GET", "^nodes/N1$", NEW),
    )

    assert put(service, naps=naps).id == "N1"
    assert naps.seconds == [2, 3]
    assert service.verbs().count("POST cdproxy/nodes") == 1


def test_an_upload_that_never_appears_is_unavailable_after_fifteen_seconds_and_may_be_sent_again() -> None:
    naps = Naps()
    service = Service(("POST", "cdproxy/nodes", [httpx.ReadError(""), created]), ("GET", NAMED, page()))
    backend = drive(service, naps=naps)

    with pytest.raises(Unavailable) as caught:
        run(backend.put("x", HELLO, expect=None))

    assert caught.value.retry
    assert sum(naps.seconds) >= 15
    assert max(naps.seconds) <= 5
    assert run(backend.put("x", HELLO, expect=None)).id == "NEW"


@pytest.mark.torture
def test_N16_an_upload_that_appears_after_we_gave_up_is_adopted_by_the_next_attempt() -> None:
    service = Service(
        ("POST", "cdproxy/nodes", [httpx.ReadError(""), taken("N1")]),
        ("GET", NAMED, page()),
        ("GET", "^nodes/N1$", NEW),
    )
    backend = drive(service)

    with pytest.raises(Unavailable):
        run(backend.put("x", HELLO, expect=None))

    assert run(backend.put("x", HELLO, expect=None)).id == "N1"


def test_a_conflict_without_a_lost_answer_before_it_is_never_adopted() -> None:
    service = Service(("POST", "cdproxy/nodes", taken("N1")), ("GET", "^nodes/N1$", NEW))

    with pytest.raises(Exists):
        put(service)


@pytest.mark.torture
def test_N16_something_else_under_the_name_is_not_taken_for_ours() -> None:
    foreign = node("N8", "x", contentProperties=OTHER)
    service = Service(
        ("POST", "cdproxy/nodes", [httpx.ReadError("")]),
        ("GET", NAMED, page(foreign)),
        ("GET", "^nodes/N8$", foreign),
    )

    with pytest.raises(Exists):
        put(service)


def test_a_source_that_shrinks_leaves_nothing_and_is_not_sent_again() -> None:
    async def short() -> AsyncIterator[bytes]:
        yield b"hel"

    service = Service(("POST", "cdproxy/nodes", created))

    with pytest.raises(Changed):
        put(service, content=Content(5, short))

    assert service.asked == []


@pytest.mark.torture
def test_N18_a_full_account_is_no_space() -> None:
    service = Service(
        ("POST", "cdproxy/nodes", error(403, "over quota")),
        ("GET", "account/quota", {"quota": 100, "available": 4}),
    )

    with pytest.raises(NoSpace):
        put(service)


@pytest.mark.parametrize("name", ["x" * 281, "😀" * 141, "\udc80"])
def test_a_name_the_service_cannot_hold_is_blocked_without_asking(name: str) -> None:
    service = Service()

    with pytest.raises(Blocked):
        run(drive(service).put(name, HELLO, expect=None))

    assert service.asked == []


def test_a_folder_that_was_replaced_is_found_again() -> None:
    service = Service(
        ("GET", r'name:"a"$', [page(node("F1", "a", kind="FOLDER"))]),
        ("GET", r'name:"a"$', page(node("F2", "a", kind="FOLDER"))),
        ("POST", "cdproxy/nodes", [error(400, "A node cannot be added to trashed parent"), created]),
    )

    assert run(drive(service).put("a/x", HELLO, expect=None)).id == "NEW"
    assert b'"parents": ["F2"]' in service.requests[-1].content


@pytest.mark.torture
def test_P7_leftovers_older_than_a_day_are_trashed_by_the_next_write_and_never_by_a_listing() -> None:
    stale = node("S1", ".acdrun-0123456789abcdef.partial", createdDate="2016-01-01T00:00:00.000Z")
    fresh = node("S2", ".acdrun-fedcba9876543210.partial", createdDate="2999-01-01T00:00:00.000Z")
    undated = node("S3", ".acdrun-aaaaaaaaaaaaaaaa.partial")
    service = Service(
        ("GET", r'^nodes\?parents:"R+"$', page(stale, fresh, undated)),
        ("GET", "^nodes/S1$", stale),
        ("PUT", "^trash/S1$", stale),
        ("POST", "cdproxy/nodes", created),
    )
    backend = drive(service)

    async def work() -> list[str]:
        assert [page async for page in backend.list("")] == [[]]
        before = service.verbs()
        await backend.put("x", HELLO, expect=None)
        await backend.put("y", HELLO, expect=None)
        return before

    assert run(work()) == ["GET nodes"]
    assert service.verbs().count("PUT trash/S1") == 1
    assert not {"PUT trash/S2", "PUT trash/S3"} & set(service.verbs())


@pytest.mark.torture
@pytest.mark.parametrize(
    ("made", "gone"), [("2036-06-08T12:00:00.000Z", True), ("2036-06-10T00:00:00.000Z", False)]
)
def test_P7_the_age_of_a_leftover_is_counted_by_the_clock_that_dated_it(made: str, gone: bool) -> None:
    left = node("S1", ".acdrun-0123456789abcdef.partial", createdDate=made)
    date = {"Date": "Tue, 10 Jun 2036 12:00:00 GMT"}
    service = Service(
        ("GET", r'^nodes\?parents:"R+"$', httpx.Response(200, json=page(left), headers=date)),
        ("GET", "^nodes/S1$", left),
        ("PUT", "^trash/S1$", left),
        ("POST", "cdproxy/nodes", created),
    )
    backend = drive(service)

    async def work() -> None:
        assert [page async for page in backend.list("")] == [[]]
        await backend.put("x", HELLO, expect=None)

    run(work())

    assert ("PUT trash/S1" in service.verbs()) is gone


def test_a_missing_folder_is_not_found() -> None:
    service = Service(("GET", r'name:"a"$', page()), ("GET", r'^nodes\?parents:"R+"$', page()))

    with pytest.raises(NotFound):
        run(drive(service).put("a/x", HELLO, expect=None))
