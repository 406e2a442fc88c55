"""What earlier jobs will do is looked up, and never searched for among everything: a chain may be a million files."""

import sqlite3
from typing import Any

import pytest

from runner.state import foreseen, queue
from runner.state.database import sql

VALUES: dict[str, object] = {"reader": 1, "folds": 0, "pair": "p", "above": "", "below": ""}
QUERIES: dict[str, tuple[str, Any]] = {
    "gone": (foreseen._GONE, VALUES),
    "made": (foreseen._MADE, VALUES),
    "bind": (foreseen._BIND, VALUES),
    "at": (foreseen._AT, (1, "")),
    "below": (foreseen._BELOW, (1, "[]")),
    "files": (foreseen._FILES, (1, "")),
    "among": (foreseen._AMONG, (1, "[]")),
    "not whole": (foreseen._NOT_WHOLE, ("[]",)),
    "fed": (queue._FED, (1, "")),
    "feed": (queue._FEED, ()),
}


@pytest.mark.parametrize("name", QUERIES)
def test_no_statement_reads_a_table_from_end_to_end(name: str) -> None:
    connection = sqlite3.connect(":memory:")
    connection.executescript(sql("journal") + sql("foreseen"))
    connection.execute("CREATE TEMP TABLE fed (op INTEGER PRIMARY KEY, stored, fits)")
    for function in (foreseen.foreseen_path, foreseen.foreseen_key, foreseen.foreseen_folder):
        connection.create_function(
            function.__name__, function.__code__.co_argcount, function, deterministic=True
        )
    query, values = QUERIES[name]

    steps = [str(row[3]) for row in connection.execute(f"EXPLAIN QUERY PLAN {query}", values)]

    whole = [
        step for step in steps if step.startswith("SCAN") and step.split()[1] in ("op", "path", "foreseen")
    ]
    assert whole == []
    looked_up = [step for step in steps if "foreseen" in step]
    assert all("folder=?" in step or "path" in step for step in looked_up), looked_up
    connection.close()
