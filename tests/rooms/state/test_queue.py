"""The queue: what is ready, what is released, what is held, and by which index it is found."""

from pathlib import Path

import pytest

from runner.model.errors import Denied
from runner.model.operation import Outcome, State
from runner.model.stage import Binding, Stage
from runner.state import queue as room
from runner.state.journal import Draft, Journal
from runner.state.queue import Queue

from .small import HEADER, MKDIR, TRASH, UPLOAD, journal, row, states

FAILED = Outcome(State.FAILED, note="no", kind="denied", exit=6)
TREE: dict[int, tuple[int | None, str]] = {
    1: (None, "a"),
    2: (1, "a/b"),
    3: (2, "a/b/f"),
    4: (1, "a/f"),
    5: (None, "g"),
}


def tree(folder: Path) -> Journal:
    """Two folders within each other with a file in each, and one beside them. Operations 1 to 5."""
    ops = [row(MKDIR, 1), row(MKDIR, 2, 1), row(UPLOAD, 3, 1), row(UPLOAD, 4, 1), row(UPLOAD, 5)]
    return journal(folder, *ops, paths=TREE)


def plan_of(made: Journal, query: str, *values: object) -> list[str]:
    """How SQLite goes about a query, step by step."""
    return [str(step[3]) for step in made.database.rows(f"EXPLAIN QUERY PLAN {query}", *values)]


def test_the_query_of_bound_operations_never_scans_op_or_path(tmp_path: Path) -> None:
    made = tree(tmp_path)
    Queue(made)

    steps = plan_of(made, room.BOUND)

    scans = [step for step in steps if step.startswith("SCAN")]
    assert scans == ["SCAN front"] * 3
    assert sum("op_place (stage=? AND path=?)" in step for step in steps) == 3
    assert sum("path_parent (parent=?)" in step for step in steps) == 1
    made.close()


def test_releasing_never_scans_op_or_path(tmp_path: Path) -> None:
    made = tree(tmp_path)
    Queue(made)

    steps = plan_of(made, room.RELEASE)

    scans = [step for step in steps if step.startswith("SCAN")]
    assert scans == ["SCAN front"] * 3 + ["SCAN (subquery-3)", "SCAN bound"]
    assert steps[-1] == "SEARCH op USING INTEGER PRIMARY KEY (rowid=?)"
    made.close()


def test_an_operation_is_released_once_for_each_that_it_waited_for(tmp_path: Path) -> None:
    hash_, mkdir, upload = (
        Stage(id_, "p", "p", task, "", "write") for id_, task in enumerate(("hash", "mkdir", "upload"), 1)
    )
    made = Journal.create(tmp_path / "small.journal", HEADER)
    made.add_stages([hash_, mkdir, upload], [Binding(1, 3, "each"), Binding(2, 3, "parent")])
    ops = [row(2, 1), *(row(1, path) for path in (2, 3)), *(row(3, path, 2) for path in (2, 3))]
    made.add(Draft([(1, None, "a"), (2, 1, "a/f"), (3, 1, "a/g")], ops))
    queue = Queue(made)

    for stage in (1, 2):
        assert queue.take(3, most_tries=0) == []
        queue.finish(stage, [(op.id, Outcome()) for op in queue.take(stage, most_tries=0)])

    assert [op.path for op in queue.take(3, most_tries=0)] == ["a/f", "a/g"]
    made.close()


def test_taking_reads_the_index_of_what_is_ready_and_sorts_nothing(tmp_path: Path) -> None:
    made = tree(tmp_path)

    steps = plan_of(made, room._TAKE, 1, 0, 10)

    assert steps[0].startswith("SEARCH op USING") and "op_ready" in steps[0]
    assert not any(step.startswith("SCAN") or "TEMP B-TREE" in step for step in steps)
    made.close()


def test_only_what_waits_for_nothing_can_be_taken(tmp_path: Path) -> None:
    made = tree(tmp_path)
    queue = Queue(made)

    taken = [op.path for stage in (MKDIR, UPLOAD) for op in queue.take(stage, most_tries=0)]

    assert taken == ["a", "g"]
    assert states(made) == ["taken", "planned", "planned", "planned", "taken"]
    made.close()


def test_what_is_done_releases_its_children_and_no_grandchildren(tmp_path: Path) -> None:
    made = tree(tmp_path)
    queue = Queue(made)
    (top,) = queue.take(MKDIR, most_tries=0)

    queue.finish(MKDIR, [(top.id, Outcome())])

    assert [op.path for op in queue.take(MKDIR, most_tries=0)] == ["a/b"]
    assert [op.path for op in queue.take(UPLOAD, most_tries=0)] == ["a/f", "g"]
    made.close()


def test_what_has_ended_and_what_is_taken_next_is_one_commit(tmp_path: Path) -> None:
    made = tree(tmp_path)
    queue = Queue(made)
    (top,) = queue.take(MKDIR, most_tries=0)
    said: list[str] = []
    made.database._connection.set_trace_callback(said.append)

    taken = queue.take(MKDIR, most_tries=0, ended=[(top.id, Outcome())])

    assert [op.path for op in taken] == ["a/b"]
    assert states(made) == ["done", "taken", "planned", "planned", "planned"]
    assert said.count("COMMIT") == 1
    made.close()


def test_what_failed_holds_everything_below_it(tmp_path: Path) -> None:
    made = tree(tmp_path)
    queue = Queue(made)
    (top,) = queue.take(MKDIR, most_tries=0)

    queue.finish(MKDIR, [(top.id, FAILED)])

    assert states(made) == ["failed", "held", "held", "held", "planned"]
    made.close()


def test_what_is_given_up_holds_everything_below_it(tmp_path: Path) -> None:
    made = tree(tmp_path)
    queue = Queue(made)
    (top,) = queue.take(MKDIR, most_tries=0)
    queue.finish(MKDIR, [], [(top.id, FAILED)])

    queue.give_up(MKDIR)

    assert states(made) == ["failed", "held", "held", "held", "planned"]
    made.close()


def test_a_folder_is_trashed_after_the_last_of_its_children(tmp_path: Path) -> None:
    made = journal(tmp_path, row(TRASH, 2), row(TRASH, 4), row(TRASH, 1, 2), paths=TREE)
    queue = Queue(made)
    first, second = queue.take(TRASH, most_tries=0)

    queue.finish(TRASH, [(first.id, Outcome())])
    assert queue.take(TRASH, most_tries=0) == []
    queue.finish(TRASH, [(second.id, Outcome())])

    assert [op.path for op in queue.take(TRASH, most_tries=0)] == ["a"]
    made.close()


def test_what_was_taken_when_the_process_died_is_taken_again_and_says_so(tmp_path: Path) -> None:
    made = tree(tmp_path)
    Queue(made).take(UPLOAD, most_tries=0)
    made.close()
    reopened = Journal(tmp_path / "small.journal")

    number = Queue(reopened).reopen()

    (op,) = Queue(reopened).take(UPLOAD, most_tries=0)
    assert (number, op.path, op.again, op.tries) == (1, "g", True, 0)
    reopened.close()


def test_what_is_put_back_was_never_tried(tmp_path: Path) -> None:
    made = tree(tmp_path)
    queue = Queue(made)

    queue.put_back(op.id for op in queue.take(UPLOAD, most_tries=0))

    (op,) = queue.take(UPLOAD, most_tries=0)
    assert (op.again, op.tries) == (False, 0)
    made.close()


def test_what_is_retried_comes_after_what_is_fresh_and_only_when_asked_for(tmp_path: Path) -> None:
    made = journal(tmp_path, row(UPLOAD, 1), row(UPLOAD, 2))
    queue = Queue(made)
    (first,) = queue.take(UPLOAD, most_tries=0, limit=1)
    queue.finish(UPLOAD, [], [(first.id, FAILED)])

    assert [op.path for op in queue.take(UPLOAD, most_tries=0)] == ["f2"]
    assert queue.waiting_to_retry(UPLOAD)
    (again,) = queue.take(UPLOAD, most_tries=1)
    assert (again.path, again.tries, again.again) == ("f1", 1, True)
    made.close()


def test_a_batch_is_bounded_by_its_bytes(tmp_path: Path) -> None:
    """What is larger than that is a batch of its own, so that nothing small waits until it is done."""
    sizes = (30 << 20, 30 << 20, 200 << 20, 1)
    made = journal(tmp_path, *(row(UPLOAD, number, size=size) for number, size in enumerate(sizes, 1)))
    queue = Queue(made)

    batches = [queue.take(UPLOAD, most_tries=0) for _ in range(4)]

    assert [[op.path for op in batch] for batch in batches] == [["f1", "f2"], ["f3"], ["f4"], []]
    made.close()


def test_a_stage_that_did_not_succeed_holds_the_stages_after_it(tmp_path: Path) -> None:
    made = journal(tmp_path, row(UPLOAD, 1), row(TRASH, 2))
    queue = Queue(made)
    (op,) = queue.take(UPLOAD, most_tries=0)
    queue.finish(UPLOAD, [(op.id, FAILED)])

    ended = queue.settle(UPLOAD)

    assert ended == [(UPLOAD, "failed"), (TRASH, "held")]
    assert states(made) == ["failed", "held"]
    assert queue.standings()[TRASH].why == "held back: upload did not succeed"
    made.close()


@pytest.mark.parametrize("how", ["failure", "note"])
def test_a_stage_can_fail_without_an_operation(tmp_path: Path, how: str) -> None:
    made = journal(tmp_path, row(TRASH, 2))
    queue = Queue(made)

    ended = (
        queue.settle(UPLOAD, failure=Denied("no")) if how == "failure" else queue.settle(UPLOAD, note="no")
    )

    assert ended == [(UPLOAD, "failed"), (TRASH, "held")]
    assert queue.standings()[UPLOAD].why == "no"
    made.close()


def test_what_needs_no_work_spares_its_own_path_and_hinders_none_below(tmp_path: Path) -> None:
    look, restore = Stage(1, "p", "p", "look", "", "read"), Stage(2, "p", "p", "restore", "", "write")
    made = Journal.create(tmp_path / "small.journal", HEADER)
    made.add_stages([look, restore], [Binding(1, 2, "each"), Binding(2, 2, "parent")])
    ops = [row(1, 1), row(1, 2), row(2, 1, 1), row(2, 2, 2)]
    made.add(Draft([(1, None, "a"), (2, 1, "a/f")], ops))
    queue = Queue(made)
    folder, file = queue.take(1, most_tries=0)

    queue.finish(1, [(folder.id, Outcome(State.SAME)), (file.id, Outcome())])

    assert states(made) == ["same", "done", "same", "planned"]
    assert [op.path for op in queue.take(2, most_tries=0)] == ["a/f"]
    made.close()
