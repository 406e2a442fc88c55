"""Saved plans: they change nothing, are applied exactly, and are refused when they are no longer true."""

import contextlib
import json
import sqlite3
import stat
import threading
import time
from pathlib import Path

import pytest

from runner import app
from runner.app.places import scopes
from runner.model.errors import Locked, NotFound, PlanStale, UsageError
from runner.state.hashes import Hashes
from runner.state.keys import own_key
from runner.state.locks import locked
from runner.state.seal import seal
from tests.lab import Fault
from tests.lab.worlds import World, contents

SOURCE = {"a": "new", "b/c": "2"}
DESTINATION = {"a": "old", "lost": "0"}


@pytest.fixture
def plan(world: World) -> Path:
    """A saved plan that creates, overwrites and trashes."""
    world.write("src", SOURCE)
    world.write("dst", DESTINATION)
    return world.plan(out=world.folder / "saved.plan").path


def files_below(folder: Path) -> dict[str, bytes]:
    """Every file and what is in it, but for what is only remembered: checksums, places, numbers."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".db"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def edit(plan: Path, statement: str, *values: object) -> None:
    """Change a saved plan by hand."""
    with contextlib.closing(sqlite3.connect(plan)) as connection, connection:
        connection.execute(statement, values)


def reseal(world: World, plan: Path) -> None:
    """Seal it again, as only this state directory can: what is tried lies behind the seal."""
    seal(plan, own_key(world.state))


def refusal(world: World, plan: Path) -> str:
    """Apply it, which has to be refused with nothing changed; returns why."""
    before, runs = world.nodes("dst"), len(app.history(world.state))
    with pytest.raises(PlanStale) as caught:
        world.apply(plan)
    assert caught.value.exit == 5
    assert world.nodes("dst") == before
    assert len(app.history(world.state)) == runs, "a plan that was refused is no run"
    return str(caught.value)


def test_a_plan_changes_nothing_but_caches(world: World, plan: Path) -> None:
    world.run(world.pair("copy", destination="dst:before"))
    earlier = files_below(world.state)
    before = [(world.nodes(name), world.trash(name)) for name in ("src", "dst")]

    planned = world.plan()

    assert [(world.nodes(name), world.trash(name)) for name in ("src", "dst")] == before
    assert files_below(world.state) == earlier != {}
    assert not planned.path.exists()


def test_a_plan_calls_no_verb_that_writes(world: World) -> None:
    world.write("src", SOURCE)
    world.write("dst", DESTINATION)

    world.plan()

    verbs = {verb for name in ("src", "dst") for verb, _ in world.opened[name].calls}
    assert verbs <= {"list", "stat", "read", "quota", "identity"}


@pytest.mark.torture
def test_D11_a_saved_plan_is_one_private_file_and_is_never_overwritten(world: World, plan: Path) -> None:
    assert stat.S_IMODE(plan.stat().st_mode) == 0o600
    assert [path.name for path in plan.parent.glob("saved*")] == ["saved.plan"]
    with pytest.raises(UsageError):
        world.plan(out=plan)


def test_applying_does_what_the_plan_said_and_leaves_its_file_alone(world: World, plan: Path) -> None:
    saved = plan.read_bytes()

    ended = world.apply(plan)

    assert (ended.code, ended.header.purpose, ended.header.state) == (0, "apply", "closed")
    assert world.files("dst") == contents(SOURCE)
    assert plan.read_bytes() == saved


def test_a_file_that_came_after_the_plan_is_not_sent(world: World, plan: Path) -> None:
    world.write("src", {"later": "1"})

    ended = world.apply(plan)

    assert ended.code == 0
    assert "later" not in world.files("dst")


@pytest.mark.torture
def test_D9_a_plan_is_applied_once(world: World, plan: Path) -> None:
    world.apply(plan)

    assert "applied already; it ended with exit code 0" in refusal(world, plan)


@pytest.mark.torture
def test_D9_a_plan_of_yesterday_is_refused(world: World, plan: Path) -> None:
    edit(plan, "UPDATE validity SET expires = expires - 25 * 3600")
    reseal(world, plan)

    assert "the plan expired at " in refusal(world, plan)


@pytest.mark.torture
def test_D9_a_plan_from_the_future_is_refused(world: World, plan: Path) -> None:
    edit(plan, "UPDATE run SET created = ?", time.time() + 3600)
    reseal(world, plan)

    assert "a clock is wrong" in refusal(world, plan)


@pytest.mark.torture
def test_D9_a_plan_whose_manifest_was_exchanged_is_refused(world: World, plan: Path) -> None:
    other = world.pair("copy")
    edit(plan, "UPDATE run SET manifest = ?", other.canonical())
    reseal(world, plan)

    assert "does not hold the manifest it was made from" in refusal(world, plan)


@pytest.mark.torture
@pytest.mark.parametrize("change", ["edited", "only a comment"])
def test_D9_a_plan_whose_manifest_was_edited_is_refused(world: World, change: str) -> None:
    world.write("src", SOURCE)
    text = json.loads(json.dumps(_written(world, "mirror")))
    file = world.folder / "world.yaml"
    file.write_text(json.dumps(text))
    from runner.manifest.load import load

    saved = world.plan(load(file), world.folder / "saved.plan").path
    text["jobs"]["job"]["pairs"][0]["mode"] = "copy" if change == "edited" else "mirror"
    file.write_text(json.dumps(text) + "\n# a comment\n")

    if change == "edited":
        assert "has changed since the plan was made" in refusal(world, saved)
    else:
        assert world.apply(saved).code == 0


def _written(world: World, mode: str) -> dict[str, object]:
    remotes = {name: {"type": "memory", "store": f"{world.tag}-{name}"} for name in ("src", "dst")}
    return {"version": 1, "name": "world", "remotes": remotes, "jobs": {"job": {"pairs": [World.ends(mode)]}}}


@pytest.mark.torture
@pytest.mark.parametrize("what", ["text", "empty", "hash cache", "run", "cut off"])
def test_D9_what_is_no_finished_plan_is_refused(world: World, plan: Path, what: str) -> None:
    if what == "text":
        plan.write_text("no plan at all\n" * 100)
    elif what == "empty":
        plan.write_bytes(b"")
    elif what == "hash cache":
        plan.unlink()
        Hashes(plan).close()
    elif what == "run":
        edit(plan, "UPDATE run SET purpose = 'run', state = 'closed'")
    else:
        edit(plan, "UPDATE run SET state = 'planning'")

    assert "no plan" in refusal(world, plan) or "no finished plan" in refusal(world, plan)
    assert not list((world.state / "plans").iterdir())


def test_a_plan_that_is_not_there_is_a_usage_error(world: World) -> None:
    with pytest.raises(UsageError):
        world.apply(world.folder / "nothing.plan")


@pytest.mark.torture
def test_D10_what_drifted_is_told_and_left_and_the_rest_goes_on(world: World, plan: Path) -> None:
    world.write("dst", {"a": "somebody else's"})

    ended = world.apply(plan)

    assert ended.code == 5
    assert ended.op("upload", "a").state == "stale"
    assert world.files("dst") == {"a": b"somebody else's", "b/c": b"2", "lost": b"0"}
    assert ended.op("trash", "lost").state == "held"


@pytest.mark.torture
def test_D10_what_drifted_in_the_list_of_trash_stays(world: World, plan: Path) -> None:
    world.write("dst", {"lost": "found again"})

    ended = world.apply(plan)

    assert ended.code == 5
    assert ended.op("trash", "lost").state == "stale"
    assert world.files("dst") == {**contents(SOURCE), "lost": b"found again"}


def test_a_folder_that_was_filled_after_the_plan_stays(world: World) -> None:
    world.write("src", SOURCE)
    world.write("dst", {"gone/x": "1"})
    plan = world.plan(out=world.folder / "saved.plan").path
    world.write("dst", {"gone/new": "2"})

    ended = world.apply(plan)

    assert (ended.code, ended.op("trash", "gone").state) == (5, "stale")
    assert world.files("dst") == {**contents(SOURCE), "gone/new": b"2"}


def test_a_source_that_changed_after_the_plan_is_not_sent(world: World, plan: Path) -> None:
    world.write("src", {"a": "newer still"})

    ended = world.apply(plan)

    assert ended.code != 0
    assert world.files("dst")["a"] == b"old"
    assert world.files("dst")["lost"] == b"0"


def test_a_source_file_that_vanished_after_the_plan_is_told_and_holds_the_trash(
    world: World, plan: Path
) -> None:
    world.remove("src", "a")

    ended = world.apply(plan)

    assert ended.code not in (0, 5)
    assert world.files("dst") == {"a": b"old", "b/c": b"2", "lost": b"0"}


def test_a_refused_plan_is_not_saved(world: World) -> None:
    world.write("dst", {"a": "1"})

    planned = world.plan(out=world.folder / "saved.plan")

    assert planned.code == 4
    assert not planned.path.exists()


def test_a_plan_needs_no_lock_and_applying_one_does(world: World, plan: Path) -> None:
    with locked(world.state, list(scopes(world.pair())), "another"):
        assert world.plan().code == 0
        with pytest.raises(Locked):
            world.apply(plan)

    assert world.apply(plan).code == 0


def test_a_plan_that_was_cut_off_is_not_saved(world: World) -> None:
    world.write("src", SOURCE)
    cut = world.plan(out=world.folder / "saved.plan", deadline_s=0.0)

    assert cut.code == 11
    assert not (world.folder / "saved.plan").exists()
    assert not list((world.state / "plans").iterdir())


def test_an_apply_that_ran_out_of_time_is_taken_up_again_with_its_tries(world: World) -> None:
    files = {f"f{number:03}": "x" for number in range(30)}
    world.write("src", files)
    world.spoil("dst", Fault("put", 1, path="f000"))
    plan = world.plan(out=world.folder / "saved.plan").path

    first = world.apply(plan, most_bytes=10)
    world.spoil("dst")
    second = world.apply(plan)

    assert (first.code, second.code) == (11, 0)
    assert world.files("dst") == contents(files)
    assert second.op("upload", "f000").tries == 2


def test_an_operation_that_was_tried_by_a_process_that_died_is_tried_again(world: World, plan: Path) -> None:
    ended = world.apply(plan, deadline_s=0.0)
    edit(ended.path, "UPDATE op SET tries = 1, again = 1")

    again = world.apply(plan)

    assert (ended.code, again.code) == (11, 0)
    assert world.files("dst") == contents(SOURCE)


def test_a_run_is_found_by_the_beginning_of_its_label(world: World) -> None:
    world.write("src", SOURCE)
    ended = world.run()

    for label in ("last", ended.header.id, ended.header.id[:12]):
        with contextlib.closing(app.find_run(world.state, label)) as journal:
            assert journal.header.id == ended.header.id
    with pytest.raises(NotFound):
        app.find_run(world.state, "1999")


@pytest.mark.torture
def test_D9_a_plan_that_waits_for_the_lock_is_applied_when_it_is_free_and_once(
    world: World, plan: Path
) -> None:
    first = world.folder / "first.plan"
    first.write_bytes(plan.read_bytes())
    codes: list[int] = []
    with contextlib.ExitStack() as held:
        held.enter_context(locked(world.state, list(scopes(world.pair())), "another"))
        waiting = threading.Thread(target=lambda: codes.append(_code(world, first)))
        waiting.start()
        time.sleep(0.1)
        held.close()
        waiting.join()

    assert codes == [0]
    assert "applied already" in refusal(world, plan)


def _code(world: World, plan: Path) -> int:
    return world.apply(plan, wait_lock_s=20.0).code


def test_a_plan_that_was_begun_is_finished_only_with_the_manifest_it_was_begun_with(
    world: World, plan: Path
) -> None:
    world.apply(plan, deadline_s=0.0)
    other = world.pair("copy")
    edit(plan, "UPDATE run SET manifest = ?, digest = ?", other.canonical(), other.digest)
    reseal(world, plan)

    assert "was not made from" in refusal(world, plan)
