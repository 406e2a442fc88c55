"""A run that only adds begins while its source is still being listed; any other waits for its whole plan."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from runner.engine import early, reading
from runner.model.backend import Backend, Identity, Quota
from runner.model.content import Content
from runner.model.errors import AcdrunError, LoginNeeded, NoSpace
from runner.model.node import Node
from tests.lab import Fault
from tests.lab.worlds import Ended, World, steps

TREE = {"a/1": "one", "b/2": "two", "c/3": "three", "z/9": "nine"}
LAST = "z"
LONG_S, SHORT_S = 20.0, 0.3


class Gate:
    """Keeps back every listing of the folder `z` of a source until a file was stored somewhere else.

    early: what was stored or made before that listing went on. patience_s: how long it is kept back at most. error:
    how it ends.
    """

    def __init__(self, world: World) -> None:
        self.early: list[str] = []
        self.sources = ["src"]
        self.patience_s = SHORT_S
        self.error: AcdrunError | None = None
        self.patches: dict[str, dict[str, Any]] = {}
        self._stored = asyncio.Event()
        self._open = False
        world.wrap = self._wrap

    def _wrap(self, remote: str, inner: Backend) -> Backend:
        list_, put, mkdir = inner.list, inner.put, inner.mkdir

        async def listed(folder: str) -> AsyncIterator[Sequence[Node]]:
            if folder == LAST and not self._open:
                await asyncio.wait([asyncio.ensure_future(self._stored.wait())], timeout=self.patience_s)
                self._open = True
                if self.error is not None:
                    raise self.error
            async for page in list_(folder):
                yield page

        async def stored(path: str, content: Content, *, expect: str | None) -> Node:
            node = await put(path, content, expect=expect)
            self._begun(path)
            self._stored.set()
            return node

        async def made(path: str) -> Node:
            node = await mkdir(path)
            self._begun(path)
            return node

        if remote in self.sources:
            vars(inner)["list"] = listed
        vars(inner).update({"put": stored, "mkdir": made, **self.patches.get(remote, {})})
        return inner

    def _begun(self, path: str) -> None:
        if not self._open:
            self.early.append(path)


@pytest.fixture
def gate(world: World, monkeypatch: pytest.MonkeyPatch) -> Gate:
    """Over the source, which holds the tree."""
    monkeypatch.setattr(early, "WORTH_S", 0.0)
    monkeypatch.setattr(reading, "BATCH_ROWS", 1)
    world.write("src", TREE)
    return Gate(world)


def begins(world: World, gate: Gate, /, **pair: Any) -> Ended:
    """Run it; something is stored before the source is listed to its end, and all of it in the end."""
    gate.patience_s = LONG_S
    mode = pair.pop("mode", "mirror")
    ended = world.run(world.pair(mode, **pair))
    assert "a/1" in gate.early
    assert ended.code == 0
    assert world.files("dst").items() >= world.files("src").items()
    return ended


def waits(world: World, gate: Gate, /, **pair: Any) -> Ended:
    """Run it; nothing is changed before the source is listed to its end."""
    mode = pair.pop("mode", "mirror")
    ended = world.run(world.pair(mode, **pair))
    assert gate.early == []
    return ended


def refused(world: World, gate: Gate, /, **pair: Any) -> Ended:
    """Run it; it is refused with nothing changed."""
    before = world.nodes("dst")
    ended = waits(world, gate, **pair)
    assert ended.code == 4
    assert world.nodes("dst") == before
    return ended


def first_run(world: World, **pair: Any) -> None:
    """A good run that is on record; then its destination is emptied by its owner."""
    world.wrap, wrap = (lambda name, inner: inner), world.wrap
    assert world.run(world.pair(**pair)).code == 0
    world.remove("dst", *{path.split("/")[0] for path in world.files("dst")})
    world.wrap = wrap


def test_the_first_upload_comes_before_the_last_page_of_the_listing(world: World, gate: Gate) -> None:
    ended = begins(world, gate)

    assert {state for _, _, state in steps(ended)} == {"done"}
    assert world.folders("dst") == world.folders("src")
    assert "z/9" not in gate.early


def test_a_destination_that_is_not_there_yet_is_an_empty_one(world: World, gate: Gate) -> None:
    gate.patience_s = LONG_S

    ended = world.run(world.pair(destination="dst:new/place"))

    assert ended.code == 0
    assert "new/place/a/1" in gate.early
    assert world.files("dst", "new/place") == world.files("src")


def test_what_a_copy_leaves_alone_and_what_is_there_already_keep_nobody_waiting(
    world: World, gate: Gate
) -> None:
    world.write("dst", {"0": "theirs", "b/2": "two"})

    begins(world, gate, mode="copy")


def test_a_pair_that_is_soon_read_is_begun_no_earlier(
    world: World, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(early, "WORTH_S", 3600.0)

    assert waits(world, gate).code == 0


def test_rows_wait_for_no_full_batch_while_others_may_work_on_them(
    world: World, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "BATCH_ROWS", 1000)

    begins(world, gate)


def test_a_plan_begins_nothing(world: World, gate: Gate) -> None:
    assert world.plan().code == 0
    assert gate.early == []
    assert world.nodes("dst") == []


def test_an_accepted_plan_is_carried_out_only_as_a_whole(world: World, gate: Gate) -> None:
    ended = world.run(world.pair(), accepted=frozenset({"0" * 12}))

    assert (ended.code, gate.early, world.nodes("dst")) == (4, [], [])


def test_an_overwrite_waits(world: World, gate: Gate) -> None:
    world.write("src", {"0": "new content"})
    world.write("dst", {"0": "old"})

    assert waits(world, gate, mode="copy").code == 0
    assert world.trash("dst") == {"0": [b"old"]}


def test_a_mirror_that_trashes_waits_for_what_may_turn_out_to_be_a_rename(world: World, gate: Gate) -> None:
    world.write("dst", {"1": "one"})

    ended = waits(world, gate)

    assert ended.code == 0
    assert ended.ops("move", "done") == ["a/1"]


def test_a_destination_that_is_not_listed_to_its_end_waits(world: World, gate: Gate) -> None:
    world.write("dst", {"z/9": "old"})

    assert waits(world, gate, mode="copy").code == 0
    assert world.trash("dst") == {"z/9": [b"old"]}


def test_too_few_files_so_far_wait_for_more(world: World, gate: Gate) -> None:
    assert waits(world, gate, guard={"source": {"min_files": 4}}).code == 0


def test_files_enough_wait_for_no_more(world: World, gate: Gate) -> None:
    begins(world, gate, guard={"source": {"min_files": 2}})


def test_a_source_that_has_shown_less_than_the_last_run_found_waits(world: World, gate: Gate) -> None:
    limits = {"shrink": {"max": "10%", "always": 0}}
    first_run(world, guard=limits)

    assert waits(world, gate, guard=limits).code == 0


def test_a_source_that_has_shown_enough_of_what_the_last_run_found_begins(world: World, gate: Gate) -> None:
    limits = {"shrink": {"max": "30%", "always": 0}}
    first_run(world, guard=limits)
    gate.patience_s = LONG_S

    assert world.run(world.pair(guard=limits)).code == 0
    assert gate.early != []


def test_a_filter_edit_that_needs_a_look_waits_and_is_refused(world: World, gate: Gate) -> None:
    limits = {"trash": {"always": 0}}
    first_run(world, guard=limits)

    refused(world, gate, guard=limits, filter=[{"exclude": "*.tmp"}])


def test_a_source_without_its_sentinel_waits_and_is_refused(world: World, gate: Gate) -> None:
    refused(world, gate, guard={"source": {"sentinel": "here"}})


def test_another_place_than_last_time_waits_for_the_guard_to_tell(world: World, gate: Gate) -> None:
    first_run(world)

    async def identity(folder: str) -> Identity:
        return Identity("another")

    gate.patches["src"] = {"identity": identity}
    ended = waits(world, gate, guard={"source": {"identity": "warn"}})

    assert ended.code == 0
    assert sum("not the place" in getattr(event, "message", "") for event in ended.told) == 1


def test_clocks_that_differ_by_days_wait_and_are_refused(world: World, gate: Gate) -> None:
    gate.patches["dst"] = {"clock_offset_s": 2 * 86_400.0}

    refused(world, gate, checksum={"compare": "time"})


def roomy(free: int) -> dict[str, Any]:
    """A destination with so many bytes free, whatever is stored."""

    async def quota() -> Quota:
        return Quota(None, None, free)

    return {"quota": quota}


def test_less_room_than_the_first_files_need_waits_and_is_refused(world: World, gate: Gate) -> None:
    gate.patches["dst"] = roomy(2)

    ended = waits(world, gate)

    assert ended.code == 7
    assert world.files("dst") == {}


def test_more_than_there_was_room_for_is_not_begun(world: World, gate: Gate) -> None:
    gate.patches["dst"] = roomy(12)
    gate.patience_s = LONG_S

    ended = world.run()

    assert ended.code == 7
    assert "a/1" in gate.early
    assert "z/9" not in world.files("dst")
    assert world.files("dst").items() <= world.files("src").items()
    assert ended.op("upload", "z/9").state == "held"
    assert "15B are to be stored, and the destination had room for 12B" in ended.stage("guard").why


def test_a_pair_of_the_same_wave_that_is_refused_keeps_all_unchanged(world: World, gate: Gate) -> None:
    world.fields |= {"far": {}, "full": {}}
    world.write("full", {"a": "1"})
    pairs = [world.ends(), world.ends(source="far:", destination="full:")]

    ended = world.run(world.manifest({"job": {"pairs": pairs}}))

    assert ended.code == 4
    assert (gate.early, world.nodes("dst")) == ([], [])
    assert world.files("full") == {"a": b"1"}


def test_all_pairs_of_a_wave_begin_once_all_may(world: World, gate: Gate) -> None:
    world.fields |= {"far": {}, "full": {}}
    world.write("far", {"x/y": "1"})
    world.write("full", {"x/y": "0"})
    gate.patience_s = LONG_S
    pairs = [world.ends(), world.ends(source="far:", destination="full:")]

    assert world.run(world.manifest({"job": {"pairs": pairs}})).code == 0
    assert world.files("dst") == world.files("src")
    assert world.files("full") == world.files("far")


def test_a_destination_that_another_pair_is_reading_waits(world: World, gate: Gate) -> None:
    world.fields["other"] = {}
    world.write("dst", TREE)
    gate.sources = ["src", "dst"]
    pairs = [world.ends(destination="dst:zz"), world.ends(source="dst:", destination="other:")]

    ended = world.run(world.manifest({"job": {"pairs": pairs}}))

    assert ended.code == 0
    assert gate.early == []
    assert world.files("other").keys() == TREE.keys()


def test_a_listing_that_breaks_off_leaves_the_rest_undone(world: World, gate: Gate) -> None:
    gate.patience_s, gate.error = LONG_S, LoginNeeded("log in again")
    world.write("dst", {"0": "x"})
    world.write("src", {"0": "x"})

    ended = world.run()

    assert ended.code != 0
    assert "a/1" in gate.early
    assert {change.state for change in ended.changes} <= {"done", "held"}
    assert world.files("dst").items() <= world.files("src").items()
    assert {stage.state for stage in ended.stages} <= {"done", "failed", "held"}


def test_what_stands_in_a_folder_that_could_not_be_made_is_held_however_late_it_is_planned(
    world: World, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write("src", {"a/z/deep": "1"})
    world.faults["dst"] = (Fault("mkdir", 0, path="a"),)

    ended = world.run()

    assert ended.op("mkdir", "a").state == "failed"
    assert ended.op("mkdir", "a/z").state == ended.op("upload", "a/z/deep").state == "held"
    assert ended.op("upload", "z/9").state == "done"


def test_what_is_planned_for_a_place_that_is_full_is_held(world: World, gate: Gate) -> None:
    world.faults["dst"] = (Fault("put", 0, error=NoSpace("the disk is full")),)

    ended = world.run()

    assert ended.code == 7
    assert {ended.op("upload", path).state for path in TREE} == {"failed", "held"}
    assert ended.op("upload", "z/9").state == "held"
