"""Nodes from JSON: what is believed and what is not."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.backends.acd.nodes import EMPTY_MD5, is_staged, parse, staging_name
from runner.model.checksum import Checksum
from runner.model.errors import BadAnswer
from runner.model.node import Node
from tests.rooms.acd.service import MD5_HELLO, ROOT, node

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = [
    "id",
    "name",
    "kind",
    "version",
    "eTagResponse",
    "parents",
    "status",
    "contentProperties",
    "createdDate",
]


def test_a_file_is_a_node_with_size_and_md5_and_a_generation_of_id_and_version() -> None:
    assert parse(node("N1", "notes.txt", version=3)).node() == Node(
        "notes.txt", "file", 5, None, Checksum("md5", MD5_HELLO), "N1", "N1:3"
    )


def test_a_folders_generation_is_its_id_whatever_happens_in_it() -> None:
    assert parse(node("F1", "a", kind="FOLDER", version=12)).node() == Node(
        "a", "folder", id="F1", generation="F1"
    )


@pytest.mark.parametrize("content", [None, {}, {"size": 0}, {"size": 0, "md5": EMPTY_MD5}, {"version": 1}])
def test_a_file_without_size_and_md5_is_an_empty_one(content: Any) -> None:
    read = parse(node("N1", "x", contentProperties=content)).node()

    assert (read.size, read.checksum) == (0, Checksum("md5", EMPTY_MD5))


def test_a_file_without_md5_has_no_checksum_and_upper_case_is_made_lower() -> None:
    assert parse(node("N1", "x", contentProperties={"size": 5})).node().checksum is None
    assert parse(node("N1", "x", contentProperties={"size": 5, "md5": MD5_HELLO.upper()})).md5 == MD5_HELLO


def test_without_a_version_the_etag_tells_states_apart() -> None:
    assert parse(node("N1", "x", version=None, eTagResponse="LMel82iwbNk")).generation == "N1:LMel82iwbNk"


@pytest.mark.parametrize(
    "hostile",
    [
        {"id": "../../../etc"},
        {"id": "a/b"},
        {"id": ""},
        {"id": "x" * 65},
        {"id": 7},
        {"id": "a\n"},
        {"name": 7},
        {"kind": ["FILE"]},
        {"status": {}},
        {"parents": "PPPP"},
        {"parents": ["?x=y"]},
        {"parents": [None]},
        {"version": True},
        {"version": "3"},
        {"contentProperties": []},
        {"contentProperties": {"size": -1}},
        {"contentProperties": {"size": 1 << 63}},
        {"contentProperties": {"size": "5"}},
        {"contentProperties": {"size": 5.0}},
        {"contentProperties": {"size": True}},
        {"contentProperties": {"size": 5, "md5": "../x"}},
        {"contentProperties": {"size": 5, "md5": 5}},
        {"contentProperties": {"md5": MD5_HELLO}},
    ],
    ids=repr,
)
def test_hostile_fields_are_a_bad_answer(hostile: dict[str, Any]) -> None:
    with pytest.raises(BadAnswer):
        parse({**node("N1", "x"), **hostile})


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(KEYS, JSON)))
def test_any_json_is_a_node_or_a_bad_answer(fields: dict[str, Any]) -> None:
    try:
        read = parse({**node("N1", "x"), **fields})
    except BadAnswer:
        return

    assert read.size >= 0
    assert read.node().kind in ("file", "folder", "other")


def test_staging_names_are_recognised_and_nothing_else_is() -> None:
    assert is_staged(staging_name())
    assert staging_name() != staging_name()
    for name in (
        ".acdrun-x.partial",
        ".acdrun-0123456789abcdef.partial.txt",
        "acdrun-0123456789abcdef.partial",
    ):
        assert not is_staged(name)


def test_a_node_stands_where_it_is_available_and_names_differ_in_more_than_case() -> None:
    assert parse(node("N1", "Notes")).stands(ROOT, "notes")
    assert not parse(node("N1", "Notes")).stands("F1", "Notes")
    assert not parse(node("N1", "Notes", status="TRASH")).stands(ROOT, "Notes")
    assert not parse(node("N1", "Notes")).stands(ROOT, "notes.txt")
