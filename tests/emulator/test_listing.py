"""Claims about lists, filters and paging (acd-api §7.1 to §7.4)."""

import sqlite3
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.emulator.filter_sql import condition
from runner.emulator.filters import And, BadFilter, Equal, Filter, Or, Prefix, Range, date_ms, parse
from tests.emulator.conftest import Drive, Launch


def test_a_look_up_finds_an_escaped_name_quoted_or_not(drive: Drive, folder: str) -> None:
    name = 'a + b & (c) [d] "e" ~f* ?: \\g'
    drive.put(name, b"x", folder)
    escaped = "".join(f"\\{c}" if c in "+-&|!(){}[]^'\"~*?:\\ " else c for c in name)

    found = [
        drive.all(filters=f'parents:"{folder}" AND name:"{escaped}"'),
        drive.all(filters=f"parents:{folder} AND name:{escaped}"),
        drive.all(filters=f"kind:FILE and parents:{folder} and name:{escaped}"),
    ]

    assert [[node["name"] for node in nodes] for nodes in found] == [[name]] * 3


def test_a_look_up_minds_the_case(drive: Drive, folder: str) -> None:
    drive.put("Test1", b"x", folder)

    found = drive.get("drive/v1/nodes", filters=f'parents:"{folder}" AND name:"TEST1"').json()

    assert found == {"count": 0, "data": []}


def test_filters_of_known_clients_are_understood(drive: Drive, folder: str) -> None:
    drive.mkdir("Abcd", folder)
    drive.put("abc.txt", b"text", folder)
    md5 = "1cb251ec0d568de6a929b520c4aed8d1"

    names = {
        text: sorted(node["name"] for node in drive.all(f"drive/v1/nodes/{folder}/children", filters=text))
        for text in (
            "kind:FOLDER AND name:Abc*",
            "kind:(FOLDER* OR FILE*)",
            "(kind:FILE OR kind:FOLDER)",
            f"contentProperties.md5:{md5}",
            "contentProperties.contentType:text*",
            "contentProperties.size:4",
            'modifiedDate:{"2015-01-01T00:00:00.000Z" TO *]',
            "modifiedDate:[* TO 2015-01-01]",
            "kind:ASSET",
        )
    }

    assert names == {
        "kind:FOLDER AND name:Abc*": ["Abcd"],
        "kind:(FOLDER* OR FILE*)": ["Abcd", "abc.txt"],
        "(kind:FILE OR kind:FOLDER)": ["Abcd", "abc.txt"],
        f"contentProperties.md5:{md5}": ["abc.txt"],
        "contentProperties.contentType:text*": ["abc.txt"],
        "contentProperties.size:4": ["abc.txt"],
        'modifiedDate:{"2015-01-01T00:00:00.000Z" TO *]': ["Abcd", "abc.txt"],
        "modifiedDate:[* TO 2015-01-01]": [],
        "kind:ASSET": [],
    }


def test_labels_match_one_by_one(drive: Drive, folder: str) -> None:
    drive.upload("x", b"x", folder, labels=["red", "big"])

    found = [
        drive.get("drive/v1/nodes", filters=f"parents:{folder} AND labels:{value}").json()["count"]
        for value in ("red", "(red AND big)", "(red AND small)", "b*")
    ]

    assert found == [1, 1, 0, 1]


@pytest.mark.parametrize(
    "text",
    [
        "name:",
        "name",
        ":x",
        "(",
        "(" * 10_000,
        "(" * 5000 + "name:a" + ")" * 5000,
        "name:a)",
        'name:"a',
        "name:a\\",
        "name:a*b",
        "name:a OR",
        "AND name:a",
        "nonsense:a",
        "isRoot:false",
        "parents:a*",
        "kind:[A TO B]",
        "createdDate:[2015 TO",
        'createdDate:{"x" TO *}',
        "createdDate:nothing",
        "contentProperties.size:many",
        "name:a name:b",
        " AND ".join(["kind:FILE"] * 9),
        "name:(" + " OR ".join(["a"] * 500) + ")",
        "name:a:b",
    ],
)
def test_a_broken_filter_is_refused(drive: Drive, text: str) -> None:
    answer = drive.get("drive/v1/nodes", filters=text)

    assert answer.status_code == 400
    assert "Invalid filter" in answer.json()["message"]


@pytest.mark.parametrize(
    "params", [{"limit": "0"}, {"limit": "201"}, {"limit": "x"}, {"sort": "name"}, {"sort": '["md5 ASC"]'}]
)
def test_a_bad_parameter_is_refused(drive: Drive, params: dict[str, str]) -> None:
    answer = drive.get("drive/v1/nodes", **params)

    assert answer.status_code == 400


def test_pages_are_whole_while_others_write(drive: Drive, folder: str) -> None:
    wanted = {f"{i:02}" for i in range(30)}
    for name in wanted:
        drive.put(name, name.encode(), folder)
    params = {"filters": f"parents:{folder}", "limit": "7"}
    names: list[str] = []

    page: dict[str, Any] = {"nextToken": ""}
    while "nextToken" in page:
        page = drive.get("drive/v1/nodes", **params, startToken=page["nextToken"]).json()
        names += [node["name"] for node in page["data"]]
        drive.put(f"new {len(names)}", b"x", folder)
        assert page["count"] == 30

    assert wanted <= set(names)
    assert len(names) == len(set(names))


def test_a_page_holds_two_hundred(launch: Launch) -> None:
    drive = launch()
    for i in range(201):
        drive.mkdir(f"{i}")

    page = drive.get("drive/v1/nodes", filters=f"parents:{drive.root}").json()

    assert (page["count"], len(page["data"])) == (201, 200)
    assert (
        len(
            drive.get("drive/v1/nodes", startToken=page["nextToken"], filters=f"parents:{drive.root}").json()[
                "data"
            ]
        )
        == 1
    )


def test_a_paging_token_serves_its_own_query_only(drive: Drive, folder: str) -> None:
    for name in "ab":
        drive.mkdir(name, folder)
    token = drive.get(f"drive/v1/nodes/{folder}/children", limit="1").json()["nextToken"]

    answers = [
        drive.get(f"drive/v1/nodes/{folder}/children", limit="1", startToken=token),
        drive.get("drive/v1/nodes", limit="1", startToken=token),
        drive.get(f"drive/v1/nodes/{folder}/children", filters="kind:FILE", startToken=token),
        drive.get(f"drive/v1/nodes/{folder}/children", startToken=token[:-2]),
        drive.get(f"drive/v1/nodes/{folder}/children", startToken="garbage ü"),
    ]

    assert [answer.status_code for answer in answers] == [200, 400, 400, 400, 400]
    assert answers[1].json() == {"message": "Next token is expired"}


def test_lists_are_sorted_across_pages(drive: Drive, folder: str) -> None:
    for name, content in (("b", b"22"), ("a", b"333"), ("c", b"22"), ("d", b"1")):
        drive.put(name, content, folder)
    drive.mkdir("e", folder)

    found = drive.all(
        filters=f"parents:{folder}", sort="['contentProperties.size DESC',\"name ASC\"]", limit="2"
    )

    assert [node["name"] for node in found] == ["a", "b", "c", "d", "e"]


def test_a_second_question_mark_carries_the_next_page(drive: Drive, folder: str) -> None:
    for name in "abc":
        drive.put(f"{name}{folder}", folder.encode(), folder)
    query = f"filters=parents:{folder}&limit=2"
    token = drive.http.get(f"drive/v1/nodes?{query}").json()["nextToken"]

    answer = drive.http.get(f"drive/v1//nodes?limit=2&filters=parents:{folder}?startToken={token}")

    assert len(answer.json()["data"]) == 1


def test_children_of_nobody_are_not_found(drive: Drive) -> None:
    answer = drive.get("drive/v1/nodes/PPPPPPPPPPPPPPPPPPPPPP/children")

    assert answer.status_code == 404


def test_a_temp_link_comes_with_files_only_when_asked_for(drive: Drive, folder: str) -> None:
    drive.mkdir("d", folder)
    drive.put("f", b"x", folder)

    asked = drive.all(f"drive/v1/nodes/{folder}/children", tempLink="true", asset="ALL")
    not_asked = drive.all(f"drive/v1/nodes/{folder}/children")

    assert {node["name"]: "tempLink" in node for node in asked} == {"d": False, "f": True}
    assert not any("tempLink" in node or "assets" in node for node in not_asked)


# A slower truth: the same filters, decided node by node.

Row = dict[str, Any]
NAMES = ["a", "ab", "A", "b c", 'q"', "*"]


def holds(found: Filter, row: Row) -> bool:
    """Decide a filter on one node, in plain Python."""
    match found:
        case And(parts):
            return all(holds(part, row) for part in parts)
        case Or(parts):
            return any(holds(part, row) for part in parts)
        case Equal("isRoot", _):
            return bool(row["id"] == "root")
        case Equal(field, value):
            return value in values(row, field)
        case Prefix(field, start):
            return any(str(value).startswith(start) for value in values(row, field))
        case Range(field, low, low_in, high, high_in):
            date = row["createdDate"]
            above = low is None or date > low or (low_in and date == low)
            return bool(above and (high is None or date < high or (high_in and date == high)))


def values(row: Row, field: str) -> list[Any]:
    """Return what a field holds, as a list."""
    value = row[field]
    return value if isinstance(value, list) else [] if value is None else [value]


def quote(text: str) -> str:
    """Write a value with every character escaped."""
    return '"' + "".join(f"\\{character}" for character in text) + '"'


DATES = ["2015-01-01", "2015-01-01T00:00:00.001Z", "2016-06-01"]
LEAVES = st.one_of(
    st.sampled_from(NAMES).map(lambda name: f"name:{quote(name)}"),
    st.sampled_from("ab").map(lambda start: f"name:{start}*"),
    st.sampled_from(["kind:FILE", "kind:F*", "status:TRASH", "isRoot:true", "labels:x", "labels:(x AND y)"]),
    st.sampled_from(["p1", "p2"]).map(lambda parent: f"parents:{parent}"),
    st.tuples(
        st.sampled_from("[{"), st.sampled_from(DATES), st.sampled_from(["*", *DATES]), st.sampled_from("]}")
    ).map(lambda r: f"createdDate:{r[0]}{r[1]} TO {r[2]}{r[3]}"),
)
FILTERS = st.recursive(
    LEAVES,
    lambda inner: st.tuples(inner, st.sampled_from(["AND", "OR", "and", "or"]), inner).map(
        lambda three: f"({three[0]} {three[1]} {three[2]})"
    ),
    max_leaves=8,
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "name": st.sampled_from([*NAMES, None]),
            "kind": st.sampled_from(["FILE", "FOLDER"]),
            "status": st.sampled_from(["AVAILABLE", "TRASH"]),
            "labels": st.lists(st.sampled_from("xyz"), unique=True),
            "parents": st.lists(st.sampled_from(["p1", "p2"]), unique=True),
            "createdDate": st.sampled_from([date_ms(date) for date in DATES]),
        }
    ),
    max_size=6,
)


@given(FILTERS, ROWS)
def test_sql_decides_filters_as_a_reader_would(text: str, rows: list[Row]) -> None:
    found = parse(text)
    for i, row in enumerate(rows):
        row["id"] = "root" if i == 0 else f"n{i}"

    chosen = by_sql(found, rows)

    assert chosen == {row["id"] for row in rows if holds(found, row)}


def by_sql(found: Filter, rows: list[Row]) -> set[str]:
    """Decide a filter with the translation under test."""
    db = sqlite3.connect(":memory:")
    db.execute("CREATE TABLE node (id, name, kind, status, labels, created_ms)")
    db.execute("CREATE TABLE link (parent, child)")
    for row in rows:
        labels = "[" + ",".join(f'"{label}"' for label in row["labels"]) + "]"
        db.execute(
            "INSERT INTO node VALUES (?, ?, ?, ?, ?, ?)",
            (row["id"], row["name"], row["kind"], row["status"], labels, row["createdDate"]),
        )
        db.executemany("INSERT INTO link VALUES (?, ?)", [(parent, row["id"]) for parent in row["parents"]])
    where = condition(found, "root")
    chosen = {row[0] for row in db.execute(f"SELECT id FROM node WHERE {where.sql}", where.values)}
    db.close()
    return chosen


@given(st.text(alphabet=st.sampled_from(' ()[]{}":*\\ANDORTOnamekidx-01'), max_size=60))
def test_any_text_is_a_filter_or_a_bad_one(text: str) -> None:
    outcome = attempt(lambda: parse(text))

    assert outcome is None or isinstance(outcome, And | Or | Equal | Prefix | Range)


def attempt(act: Callable[[], Filter]) -> Filter | None:
    """Return the result, or None for a bad filter; any other error is the test's."""
    try:
        return act()
    except BadFilter:
        return None
