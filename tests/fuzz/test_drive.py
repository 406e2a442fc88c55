"""What Amazon Cloud Drive answers: nodes, pages, addresses, complaints. What cannot be read proves nothing."""

import asyncio
import json
from typing import Any

import httpx
from hypothesis import strategies as st

from runner.backends.acd import answers, nodes
from runner.model.errors import AcdrunError, BadAnswer
from runner.model.node import Node
from runner.remote.http import Reply, Request
from runner.remote.remote import Remote
from tests.fuzz.targets import JSON, bent, edited, target, written
from tests.rooms.acd.service import ROOT, Service, drive, node, page, run

NODE = node("N1", "a", createdDate="2015-03-31T12:00:00.000Z", modifiedDate="2015-03-31T12:00:00.000Z",
            tempLink="https://x/y", eTagResponse="e", labels=["l"])  # fmt: skip
TIMES = st.sampled_from(
    ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2015-03-31", "24:00", "2015-W14-2T12Z"]
)


@target(
    bent(NODE) | TIMES.map(lambda text: {**NODE, "modifiedDate": text, "createdDate": text}) | JSON,
    examples=400,
)
def test_a_node_is_read_or_is_a_bad_answer(value: Any) -> None:
    try:
        found = nodes.parse(value)
    except BadAnswer as error:
        assert error.message
        return
    seen = found.node()
    assert seen.kind in ("file", "folder", "other")
    assert 0 <= seen.size < 1 << 63
    assert seen.checksum is None or len(seen.checksum.digest) == 32
    assert nodes.id_of(found.generation) == found.id
    assert value["id"] == found.id


ERROR = {"logref": "x", "message": "Next token is expired", "code": "c", "info": {"nodeId": "N1"}}


@target(
    st.tuples(
        st.integers(300, 599),
        bent(ERROR).map(written) | edited(written(ERROR), [b"\xff", b"{", b"<html>", b"\0",
                                                           b"\\ud800"]) | st.binary(max_size=30),
        st.sampled_from(["GET", "POST", "PATCH"]),
    ),
    examples=300,
)  # fmt: skip
def test_a_complaint_is_an_error_of_ours(asked: tuple[int, bytes, str]) -> None:
    status, body, method = asked
    error = answers.classify(Request(method, "https://x/nodes/1?filters=secret"), Reply(status, {}, body))

    assert isinstance(error, AcdrunError)
    assert error.message.isprintable()
    assert "secret" not in error.message


async def _walked(backend: Any) -> tuple[list[Node], list[str]]:
    found: list[Node] = []
    gaps: list[str] = []
    async for folder in Remote("cloud", backend).walk(lambda path, node: True):
        found += folder.nodes
        gaps += [gap.path for gap in folder.gaps]
    return found, gaps


FOLDER = node("F1", "folder", kind="FOLDER")
INSIDE = page(node("N1", "a", parents=["F1"]), node("N2", "b", parents=["F1"]), count=3, nextToken="t1")
LAST = page(node("N3", "c", parents=["F1"]), count=3)
RAW = edited(
    written(LAST), [b"\xff", b"\\ud800", b"\xed\xa0\x80", b"NaN", b"null", b"[", b"}", b"<html>", b"\0"]
)


@target(
    st.tuples(bent(INSIDE) | st.just(INSIDE), bent(LAST).map(written) | RAW | st.just(written(LAST))),
    examples=200,
)
def test_a_listing_is_whole_or_has_a_gap(asked: tuple[Any, bytes]) -> None:
    first, last = asked

    def answer(request: httpx.Request) -> httpx.Response:
        body = last if "startToken" in request.url.params else written(first)
        return httpx.Response(200, content=body)

    service = Service(
        ("GET", rf'^nodes\?parents:"{ROOT}"$', lambda request: page(FOLDER)),
        ("GET", r'^nodes\?parents:"F1"$', answer),
        ("GET", "", page()),
    )

    found, gaps = run(_walked(drive(service)))

    names = {node.name for node in found}
    assert "folder" in names
    if not gaps:
        for data in (first, _json(last)):  # whatever was said to be there is there
            shown = data.get("data", []) if isinstance(data, dict) else []
            assert isinstance(shown, list)
            for told in shown:
                if told["status"] == "AVAILABLE" and "F1" in told["parents"] and told.get("kind") != "ASSET":
                    assert (told.get("name") or "folder") in names
            if data is first and not data.get("nextToken"):
                break
    for node_ in found:
        assert node_.name.encode()


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


@target(
    bent(
        {
            "customerExists": True,
            "metadataUrl": "https://drive.amazonaws.com/drive/v1/",
            "contentUrl": "http://127.0.0.1:1/",
        }
    )
)
def test_no_address_leads_to_another_host(value: Any) -> None:
    asked: list[str] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        body = (
            written(value)
            if request.url.path.endswith("endpoint")
            else written(page(node(ROOT, kind="FOLDER")))
        )
        return httpx.Response(200, content=body, headers={"Content-Length": str(len(body))})

    try:
        asyncio.run(asyncio.wait_for(_first(answer), 20))
    except AcdrunError as error:
        assert error.message
    assert set(asked) <= {"127.0.0.1"}


async def _first(answer: Any) -> None:
    async for _ in drive(answer).list(""):
        break
