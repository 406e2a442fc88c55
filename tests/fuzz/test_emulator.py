"""The emulator's readers: filters, forms, tokens of pages, JSON bodies."""

import asyncio
import atexit
import json
import shutil
import sqlite3
import tempfile
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from runner.emulator import filters, paging
from runner.emulator.answers import Refused, to_json
from runner.emulator.faults import BadRule, read_rules
from runner.emulator.filter_sql import COLUMNS, condition, names_status, required
from runner.emulator.filters import BadFilter
from runner.emulator.listing import read_query
from runner.emulator.multipart import Upload, read_json
from runner.emulator.shelf import Shelf
from tests.emulator.conftest import BOUNDARY, Drive, form
from tests.fuzz.targets import JSON, bent, edited, target, written

FILTER = st.lists(
    st.sampled_from(
        ["name", "kind", "createdDate", "contentProperties.size", "parents", "parentIds", "isRoot", "labels", "status",
         ":", "(", ")", " AND ", " OR ", " and ", "[", "]", "{", "}", " TO ", "*", "?", "\\", '"', "true", "a",
                                                    "1", "9" * 20,
         "2026-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999-14:00", "TRASH", " ", "\0"]
    )
    | st.text(max_size=2),
    max_size=14,
).map("".join)  # fmt: skip
_SECRET = b"invented"


@cache
def database() -> sqlite3.Connection:
    """Empty tables with all the columns that a filter can ask for."""
    connection = sqlite3.connect(":memory:")
    columns = {name.removeprefix("node.") for name in COLUMNS.values() if name != "NULL"}
    connection.execute(f"CREATE TABLE node (id, labels, {', '.join(sorted(columns))})")
    connection.execute("CREATE TABLE link (parent, child, live, folded)")
    return connection


@target(FILTER, examples=400)
def test_a_filter_is_understood_and_can_be_asked_or_is_refused(text: str) -> None:
    try:
        found = filters.parse(text)
    except BadFilter as error:
        assert str(error)
        return
    asked = condition(found, "root")
    names_status(found)
    required(found)
    if "\ud800" <= max(text) <= "\udfff":
        return  # no query has such characters: they are refused before
    database().execute(f"SELECT id FROM node WHERE {asked.sql}", asked.values)


@target(
    st.dictionaries(
        st.sampled_from(["filters", "limit", "sort", "startToken", "asset"]),
        FILTER | st.sampled_from(['["name ASC"]', "['contentProperties.size DESC','name']", "0", "200", "٣",
                                  "[]", "[,]"])
        | st.builds(lambda content: paging.seal(_SECRET, 'page [null, false, "", ""]', content), st.text(max_size=3)),
    )
)  # fmt: skip
def test_a_list_call_is_understood_or_refused(params: dict[str, str]) -> None:
    params.pop("startToken", None)
    try:
        read_query(params, _SECRET, 0, None, False)
    except Refused as error:
        assert error.answer.status == 400


@target(
    st.text(max_size=60)
    | st.builds(lambda x: paging.seal(b"another", "page", x), JSON.filter(lambda x: x == x))
)
def test_no_text_but_our_own_is_a_token(text: str) -> None:
    assert paging.unseal(_SECRET, "page", text) is None


@target(JSON.filter(lambda value: json.loads(json.dumps(value)) == value), examples=100)
def test_a_token_comes_back_as_it_was_sealed(content: Any) -> None:
    assert paging.unseal(_SECRET, "page", paging.seal(_SECRET, "page", content)) == content
    assert paging.unseal(_SECRET, "checkpoint", paging.seal(_SECRET, "page", content)) is None


@target(
    bent(
        {"name": "a", "kind": "FILE", "parents": ["x"], "labels": ["l"], "properties": {"o": {"k": "v"}}}
    ).map(written)
    | edited(
        b'{"name": "a\\ud83d\\ude00", "size": 5}',
        [b"\xed\xa0\x80", b"\\ud800", b"NaN", b"1e999", b"\0", b"\xff"],
    )
    | JSON.map(lambda value: json.dumps(value).encode("utf-16"))
    | st.binary(max_size=40),
    examples=300,
)
def test_a_json_body_is_an_object_that_can_be_written_again_or_refused(body: bytes) -> None:
    try:
        found = read_json(body)
    except Refused as error:
        assert error.answer.status == 400
    else:
        json.loads(to_json(found), parse_constant=_refuse)


def _refuse(word: str) -> None:
    raise AssertionError(f"{word} is no JSON")


@target(bent([{"match": {"path": "/a*"}, "do": "status", "status": 429, "retry_after": 1.5, "times": 2}]))
def test_a_fault_rule_is_understood_or_refused(body: Any) -> None:
    try:
        for rule in read_rules(body):
            rule.answer()
            rule.match.holds("GET", "/a", "/a", "")
    except BadRule as error:
        assert str(error)


@cache
def shelf() -> Shelf:
    """A folder for what arrives."""
    folder = tempfile.mkdtemp(prefix="acdrun-fuzz-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Shelf(Path(folder))


FORM = form({"name": "x", "kind": "FILE", "parents": ["p"]}, b"content\r\n--b1")
FORM_PIECES = [
    b"\r\n",
    b"--",
    b"--b1b2b3",
    b"--b1b2b3--",
    b"\r\n\r\n",
    b'name="content"',
    b'name="metadata"',
    b": ",
    b"{",
    b"\xff",
    b"\0",
]
HEADER = st.sampled_from([f"multipart/form-data; boundary={BOUNDARY}"] * 6 + ["", "multipart/form-data",
                          "text/plain"]) | edited(
    b"multipart/form-data; boundary=b1b2b3", [b'"', b";", b"=", b"\\", b"\0", b"boundary*=utf-8''x"]
).map(lambda data: data.decode("latin-1"))  # fmt: skip


@target(st.tuples(HEADER, edited(FORM, FORM_PIECES), st.integers(1, 60), st.booleans()), examples=300)
def test_a_form_arrives_whole_or_is_refused_and_leaves_nothing(given_: tuple[str, bytes, int, bool]) -> None:
    header, body, step, metadata_first = given_

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), step):
            yield body[start : start + step]

    try:
        upload = Upload(shelf(), header, metadata_first, 1000)
        stored = asyncio.run(upload.receive(pieces()))
    except Refused as error:
        assert error.answer.status in (400, 403)
    else:
        assert stored.size == len(stored.data or b"")
        upload.discard()
    assert [path.name for path in shelf().uploads.iterdir()] == ["intent"]


@cache
def drive() -> Drive:
    """One emulator for all examples."""
    folder = tempfile.mkdtemp(prefix="acdrun-fuzz-")
    running = Drive(Path(folder))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(running.stop)
    return running


NODE = {
    "name": "n", "kind": "FOLDER", "parents": ["root"], "labels": ["l"], "description": "d",
    "properties": {"emulator-x": {"k": "v"}}, "status": "AVAILABLE",
}  # fmt: skip
CALLS = st.sampled_from(
    [("POST", "nodes"), ("PATCH", "nodes/{id}"), ("POST", "changes"), ("PUT", "nodes/{id}/properties/o/k"),
     ("PUT", "nodes/{id}/children/{id}"), ("POST", "nodes/{id}/children"), ("PUT", "trash/{id}"), ("POST",
     "trash/{id}/restore"),
     ("GET", "nodes?filters={text}"), ("GET", "nodes?sort={text}"), ("GET", "nodes/{text}"), ("GET",
     "nodes?startToken={text}")]
)  # fmt: skip
BODY = (bent(NODE) | bent({"checkpoint": "x", "chunkSize": 5, "maxNodes": "10", "includePurged": "false"})
        | bent({"fromParent": "a", "childId": "b", "value": "v"})).map(written)  # fmt: skip


@target(st.tuples(CALLS, BODY, st.text(max_size=8)), examples=300)
def test_no_call_makes_the_emulator_fail(asked: tuple[tuple[str, str], bytes, str]) -> None:
    (method, path), body, text = asked
    here = drive()
    node = _folder(here)
    body = body.replace(b'"root"', json.dumps(here.root).encode())
    quoted = "".join(f"%{byte:02x}" for byte in text.encode("utf-8", "surrogatepass"))
    path = path.replace("{id}", node).replace("{text}", quoted)

    answer = here.http.request(method, f"drive/v1/{path}", content=body if method != "GET" else b"")

    assert answer.status_code < 500, answer.text
    if answer.content and "changes" not in path:
        json.loads(answer.content, parse_constant=_refuse)
    assert here.get(f"drive/v1/nodes/{here.root}/children").status_code == 200


@cache
def _folder(here: Drive) -> str:
    return here.mkdir("fuzzed")
