"""Two planned operations of one content become one: what is left of the journal, and what it costs."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from runner.model.checksum import Checksum
from runner.model.stage import Stage
from runner.model.tally import Amount
from runner.state import renames as room
from runner.state.journal import Draft, Journal, OpRow
from runner.state.renames import Found, Renames, Side

from .small import HEADER

RENAME, MKDIR, MOVE, UPLOAD, VERIFY, TRASH = range(1, 7)
TASKS = ("rename", "mkdir", "move", "upload", "verify", "trash")


class Plan:
    """The plan of one pair, written by hand."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        journal.add_stages([Stage(n, "p", "p", task, "", "write") for n, task in enumerate(TASKS, 1)], [])
        self._draft = Draft()

    def folder(self, path: str, task: int = TRASH, waits: int = 0) -> int:
        """A folder that is made or trashed; its number is that of its row in `path`."""
        return self._row(task, path, None, "folder", 0, waits, "", 0)

    def lost(self, path: str, digest: str, size: int = 1, mtime_ns: int = 0, above: int | None = None) -> int:
        """A file that would be trashed."""
        return self._row(TRASH, path, above, "file", size, 0, digest, mtime_ns)

    def fresh(
        self, path: str, digest: str, size: int = 1, mtime_ns: int = 0, above: int | None = None
    ) -> int:
        """A file that would be sent."""
        return self._row(UPLOAD, path, above, "file", size, int(above is not None), digest, mtime_ns)

    def _row(
        self, stage: int, path: str, above: int | None, node: str, size: int, waits: int, digest: str, at: int
    ) -> int:
        place = self.journal.new_path()
        self._draft.paths.append((place, above, path))
        gone = stage == TRASH
        here, there = (None, f"there {path}") if gone else (f"here {path}", None)
        ours, theirs = ("", digest) if gone else (digest, "")
        self._draft.ops.append(
            OpRow(stage, place, node, size, waits, here, there, at, ours, theirs, "", "why")
        )
        return place

    def verify(self, place: int) -> None:
        """The upload there would be read back."""
        self._draft.ops.append(OpRow(VERIFY, place, "file", 1, 1, "here", None, 0, "", "", "", "why"))

    def paired(self, *, step_ns: int | None = None, proven: bool = True) -> Amount:
        """Write it down and look for renames in it."""
        self.journal.add(self._draft)
        renames = Renames(self.journal, "p", step_ns=step_ns)
        renames.begin()
        sides: tuple[Side, Side] = ("lost", "fresh")
        for side in sides:
            last = None
            while some := renames.candidates(side, last):
                last = some[-1]
                sure = proven or side == "lost"
                renames.learn(side, [Found(one, Checksum.parse(one.digest), sure) for one in some])
        return renames.pair("renamed")

    def ops(self, columns: str = "task, path.path, origin") -> list[tuple[object, ...]]:
        """What the plan holds now."""
        return self.journal.database.rows(
            f"SELECT {columns} FROM op JOIN stage ON stage.id = op.stage JOIN path ON path.id = op.path"
            " ORDER BY task, path.path"
        )


def md5(text: str) -> str:
    """As the journal writes it."""
    return str(Checksum.of("md5", text.encode()))


@pytest.fixture
def plan(tmp_path: Path) -> Iterator[Plan]:
    """An empty one."""
    with closing(Journal.create(tmp_path / "a.journal", HEADER)) as journal:
        yield Plan(journal)


def test_the_upload_becomes_a_move_and_the_folders_wait_for_what_is_left(plan: Plan) -> None:
    new, old = plan.folder("new", MKDIR), plan.folder("old", waits=2)
    plan.verify(plan.fresh("new/a", md5("a"), above=new))
    plan.lost("old/a", md5("a"), above=old)
    plan.lost("old/b", md5("b"), above=old)

    found = plan.paired()

    assert found == Amount(1, 1)
    assert plan.ops("task, path.path, op.waits, source, destination, ours, op.digest, origin") == [
        ("mkdir", "new", 0, "here new", None, "", "", ""),
        ("move", "new/a", 1, "here new/a", "there old/a", md5("a"), md5("a"), "old/a"),
        ("trash", "old", 1, None, "there old", "", "", ""),
        ("trash", "old/b", 0, None, "there old/b", "", md5("b"), ""),
    ]
    assert plan.journal.database.rows("SELECT what, files, bytes FROM tally") == [("renamed", 1, 1)]


def test_a_digest_that_is_only_believed_names_no_generation_of_the_source(plan: Plan) -> None:
    plan.fresh("new", md5("a"))
    plan.lost("old", md5("a"))

    plan.paired(proven=False)

    assert plan.ops("task, source, ours") == [("move", "", md5("a"))]


def test_digests_that_begin_alike_are_not_the_same(plan: Plan) -> None:
    plan.fresh("new", "md5:" + "a" * 31 + "0")
    plan.lost("old", "md5:" + "a" * 31 + "1")

    assert plan.paired() == Amount()


def test_two_plans_of_one_tree_pair_equal_files_the_same_way(plan: Plan) -> None:
    for path in ("x/1", "x/2", "y/3"):
        plan.lost(path, md5("same"))
    for path in ("z/3", "z/4", "z/5", "z/6"):
        plan.fresh(path, md5("same"))

    found = plan.paired()

    assert found == Amount(3, 3)
    assert plan.ops() == [
        ("move", "z/3", "y/3"),
        ("move", "z/4", "x/1"),
        ("move", "z/5", "x/2"),
        ("upload", "z/6", ""),
    ]


def test_where_time_counts_equal_files_pair_up_by_their_times(plan: Plan) -> None:
    for path, mtime_ns in (("1", 3000), ("2", 1000), ("3", 5000)):
        plan.lost(f"old/{path}", md5("same"), mtime_ns=mtime_ns)
    for path, mtime_ns in (("a", 1009), ("b", 2000), ("c", 2991), ("3", 5010)):
        plan.fresh(f"new/{path}", md5("same"), mtime_ns=mtime_ns)

    plan.paired(step_ns=10)

    assert plan.ops() == [
        ("move", "new/a", "old/2"),
        ("move", "new/c", "old/1"),
        ("trash", "old/3", ""),
        ("upload", "new/3", ""),
        ("upload", "new/b", ""),
    ]


def test_what_is_not_planned_any_more_is_no_half_of_a_rename(plan: Plan) -> None:
    plan.fresh("new", md5("a"))
    plan.lost("old", md5("a"))
    plan.journal.add(plan._draft)
    plan._draft = Draft()
    with plan.journal.database.transaction() as connection:
        connection.execute("UPDATE op SET state = 'held' WHERE stage = ?", (TRASH,))

    assert plan.paired() == Amount()
    assert plan.ops() == [("trash", "old", ""), ("upload", "new", "")]


def test_no_step_of_it_walks_over_the_whole_plan_for_each_file(plan: Plan) -> None:
    plan.paired()
    queries = [
        *(room._MOVE, room._UNPROVE, room._FOLDER, room._KEEP),
        room._PAIRED.format(side="fresh", other="lost", columns="1, 1").replace("?", ":rename"),
        room._SIZED,
    ]
    values = {"fresh": 1, "lost": 1, "proven": 1, "reason": "", "rename": 1, "stage": 1, "trash": TRASH,
              "upload": UPLOAD, "verify": VERIFY, "move": MOVE}  # fmt: skip

    with plan.journal.database.transaction() as connection:
        steps = [
            row[3] for query in queries for row in connection.execute(f"EXPLAIN QUERY PLAN {query}", values)
        ]

    assert [step for step in steps if step.startswith("SCAN")] == []


def test_many_renames_are_found_in_batches(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "BATCH", 7)
    for number in range(100):
        plan.lost(f"old/{number:03}", md5(str(number)))
        plan.fresh(f"new/{number:03}", md5(str(number)))

    assert plan.paired() == Amount(100, 100)
    assert {(str(new)[4:], str(old)[4:]) for _, new, old in plan.ops()} == {
        (f"{number:03}", f"{number:03}") for number in range(100)
    }
