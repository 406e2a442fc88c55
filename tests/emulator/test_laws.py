"""Laws of names and the trash, against a slower truth; and of commits that fail."""

import asyncio
import secrets
from collections.abc import Awaitable
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.emulator.database import Database, Transaction
from runner.emulator.nodes import create, find, show
from runner.emulator.shelf import Stored
from tests.emulator.conftest import Drive

NAMES = st.sampled_from(["a", "A", "b", "ß", "SS", "ss"])
WHICH = st.integers(0, 5)
PROGRAMS = st.lists(
    st.one_of(
        st.tuples(st.just("make"), WHICH, NAMES),
        st.tuples(st.just("rename"), WHICH, NAMES),
        st.tuples(st.just("move"), WHICH, WHICH),
        st.tuples(st.just("trash"), WHICH, st.none()),
        st.tuples(st.just("restore"), WHICH, st.none()),
    ),
    max_size=20,
)


class Truth:
    """Two folders, in one dictionary: id to name, folder and whether it is in the trash."""

    def __init__(self, folders: list[str]) -> None:
        """Start empty."""
        self.folders = folders
        self.nodes: dict[str, tuple[str, str, bool]] = {}

    def is_free(self, name: str, folder: str, but: str = "") -> bool:
        """Tell whether no other available node of the folder has the name, ignoring case."""
        return not any(
            (other.casefold(), parent, trashed) == (name.casefold(), folder, False)
            for node, (other, parent, trashed) in self.nodes.items()
            if node != but
        )

    def names(self, folder: str) -> list[str]:
        """List the available names of a folder."""
        return sorted(
            name for name, parent, trashed in self.nodes.values() if parent == folder and not trashed
        )


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(program=PROGRAMS)
def test_a_random_program_ends_as_on_a_dictionary(
    drive: Drive, program: list[tuple[str, int, object]]
) -> None:
    truth = Truth([drive.mkdir(secrets.token_hex(8)) for _ in range(2)])

    outcomes = [step(drive, truth, verb, which, str(more)) for verb, which, more in program]

    assert all(got == wanted for got, wanted in outcomes)
    assert [drive.names(folder) for folder in truth.folders] == [
        truth.names(folder) for folder in truth.folders
    ]


def step(drive: Drive, truth: Truth, verb: str, which: int, more: str) -> tuple[int, int]:
    """Do one step on both sides; return the status that came and the one that was due."""
    if verb == "make" or not truth.nodes:
        name, folder = (more if verb == "make" else "a"), truth.folders[which % 2]
        free = truth.is_free(name, folder)
        answer = drive.send("POST", "drive/v1/nodes", {"name": name, "kind": "FOLDER", "parents": [folder]})
        if free:
            truth.nodes[answer.json()["id"]] = (name, folder, False)
        return answer.status_code, 201 if free else 409
    node = list(truth.nodes)[which % len(truth.nodes)]
    name, folder, trashed = truth.nodes[node]
    if verb == "trash":
        answer = drive.send("PUT", f"drive/v1/trash/{node}")
        trashed = True
    elif verb == "restore":
        answer = drive.send("POST", f"drive/v1/trash/{node}/restore")
        trashed = False
    elif verb == "rename":
        name = more
        answer = drive.send("PATCH", f"drive/v1/nodes/{node}", {"name": name})
    else:
        folder = truth.folders[int(more) % 2]
        answer = drive.send("PATCH", f"drive/v1/nodes/{node}", {"parents": [folder]})
    good = trashed or truth.is_free(name, folder, but=node)
    if good:
        truth.nodes[node] = (name, folder, trashed)
    return answer.status_code, 200 if good else 409


def test_a_failed_commit_fails_its_own_change_only(tmp_path: Path) -> None:
    outcomes, names, contents = asyncio.run(commit_with_a_bad_disk(tmp_path))

    assert [type(outcome).__name__ for outcome in outcomes] == ["str", "OSError", "str"]
    assert names == ["good 1", "good 2"]
    assert sorted(contents) == sorted(f"{outcome}.1" for outcome in outcomes if isinstance(outcome, str))


async def commit_with_a_bad_disk(folder: Path) -> tuple[list[object], list[str], list[str]]:
    """Commit three files together on a disk that refuses one of them."""
    database = Database(folder)
    sync = database.shelf.sync
    bad: list[str] = []

    def refuse(names: list[str]) -> None:
        if set(names) & set(bad):
            raise OSError("no room")
        sync(names)

    database.shelf.sync = refuse  # type: ignore[method-assign]

    def make(name: str) -> Awaitable[str]:
        def change(tx: Transaction) -> str:
            content = {"size": 1, "md5": "x", "content_type": "a/b", "content_version": 1}
            node = create(tx, "FILE", {"name": name}, "me", local_id="", lag_ms=0, **content)
            tx.place(f"{node}.1", Stored(1, "x", data=b"x"))
            if name == "bad":
                bad.append(f"{node}.1")
            return node

        return database.write(change)

    outcomes = await asyncio.gather(make("good 1"), make("bad"), make("good 2"), return_exceptions=True)
    rows = [show(find(database.near, row[0])) for row in database.near.execute("SELECT id FROM node")]
    names = sorted(row["name"] for row in rows if "name" in row)
    await database.close()
    return list(outcomes), names, [path.name for path in (folder / "content").glob("*/*")]
