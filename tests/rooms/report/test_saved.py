"""What a saved plan says of itself, as text and as a record."""

import contextlib
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner import app
from runner.model.errors import Unreadable
from runner.report.saved import saved_lines, saved_record
from runner.report.summary import summary
from runner.state.journal import Journal
from tests.lab import Fault
from tests.lab.worlds import World
from tests.rooms.cli.conftest import Acdrun, acdrun, place

__all__ = ["acdrun", "place"]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Empty, and forgotten afterwards."""
    here = World(tmp_path)
    yield here
    here.forget()


def said(world: World, plan: Path) -> tuple[str, dict[str, object]]:
    """The facts of a saved plan: as text, as a record."""
    with app.opened(plan, world.state) as saved, contextlib.closing(Journal(saved.copy)) as journal:
        numbers = summary(journal)
        lines = saved_lines(saved, numbers)
        return "\n".join(line.text for line in lines), saved_record(saved, numbers)


def test_listings_that_were_not_whole_are_told(world: World) -> None:
    world.write("src", {"a": "1", "shut/b": "2"})
    world.spoil("src", Fault("list", 1, path="shut", error=Unreadable("no", path="shut")))

    text, record = said(world, world.plan(out=world.folder / "saved.plan").path)

    assert "listings were not whole: 1 part could not be listed" in text
    assert record["whole"] is False


@pytest.mark.parametrize(("weak", "number"), [(True, 3), (False, 0)])
def test_operations_with_weak_preconditions_are_counted(world: World, weak: bool, number: int) -> None:
    world.fields["dst"] = {"weak": weak}
    world.write("src", {"new": "1", "x/changed": "2"})
    world.write("dst", {"x/changed": "old", "gone": "3"})

    text, record = said(world, world.plan(out=world.folder / "saved.plan").path)

    assert record["weak"] == number
    assert ("weak preconditions: 3 operations look just before writing" in text) == weak


def test_a_record_says_until_when_a_plan_holds_and_what_it_continues(world: World) -> None:
    manifest = world.manifest({"job": {"pairs": [world.ends()]}}, plan={"expires": "90m"})
    world.write("src", {"new": "1"})
    world.run(manifest)
    world.write("src", {"newer": "1"})
    began = time.time()

    _, record = said(world, world.plan(manifest, world.folder / "saved.plan").path)

    created, expires = record["created"], record["expires"]
    assert isinstance(created, float)
    assert isinstance(expires, float)
    assert expires - created == pytest.approx(5400)
    assert created >= began - 1
    assert (record["seal"], record["algorithm"], record["serial"], record["whole"]) == (
        "own",
        "hmac-sha256",
        1,
        True,
    )
    assert re.fullmatch("[0-9a-f]{16}", str(record["key"]))
    assert re.fullmatch("[0-9a-f]{32}", str(record["lineage"]))


def test_the_record_of_a_saved_plan_comes_first_and_its_form_has_a_version(acdrun: Acdrun) -> None:
    acdrun("--plan", "--out", "it.plan", "m.yaml")

    records = [json.loads(line) for line in acdrun("show", "it.plan", "--json").out.splitlines()]

    kinds = ["saved", "run", "plan", *["change"] * 6, "summary", "outcome"]
    assert [record["record"] for record in records] == kinds
    assert {record["v"] for record in records} == {1}


def test_a_plan_that_was_edited_or_is_over_is_shown_as_such_and_not_to_be_applied(
    acdrun: Acdrun, place: Path
) -> None:
    (place / "m.yaml").write_text((place / "m.yaml").read_text() + "plan: { expires: 1ms }\n")
    acdrun("--plan", "--out", "it.plan", "m.yaml")
    whole = (place / "it.plan").read_bytes()
    over = acdrun("show", "it.plan")
    (place / "it.plan").write_bytes(whole.replace(b"sub/two.txt", b"sub/TWO.txt"))

    shown = acdrun("show", "it.plan")

    assert over.out.endswith(f"\nto plan again:  acdrun --plan --out PLAN {place}/m.yaml\n")
    assert shown.code == 0
    assert "\nexpired 20" in shown.out
    assert "not what was saved: what is in it does not fit its seal" in shown.out
    assert "to apply exactly this" not in shown.out
