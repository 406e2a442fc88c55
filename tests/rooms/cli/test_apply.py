import json
import re
import shutil
from pathlib import Path

from runner import __version__
from tests.rooms.cli.conftest import Acdrun, write


def test_a_saved_plan_is_applied_as_it_was_shown(acdrun: Acdrun, place: Path) -> None:
    plan = acdrun("--plan", "--out", "it.plan", "m.yaml")
    write(place / "src/later.txt", "not in the plan")

    ended = acdrun("apply", "it.plan")

    assert plan.out.endswith("saved; to apply exactly this:  acdrun apply it.plan\n")
    assert ended.code == 0
    assert (place / "dst/one.txt").exists()
    assert not (place / "dst/later.txt").exists()
    assert "sent 3 files (2.94KiB), each confirmed by md5" in ended.out


def test_a_plan_is_shown_again_and_not_touched_by_it(acdrun: Acdrun, place: Path) -> None:
    first = acdrun("--plan", "--out", "it.plan", "m.yaml").out
    before = (place / "it.plan").read_bytes()
    (place / "it.plan").chmod(0o400)

    again, records = acdrun("show", "it.plan"), acdrun("show", "it.plan", "--json")

    whole = first[: first.index("saved; ")]
    assert again.out.startswith(whole)
    assert re.sub(r"20\S+ \S+ UTC|[0-9a-f]{16,}", "...", again.out[len(whole) :]) == (
        f"made ... by acdrun {__version__} from {place}/m.yaml\n"
        "expires ...\n"
        "sealed with this machine's own key, ...\n"
        "continues lineage ... at serial 0\n"
        "every listing was whole\n"
        "to apply exactly this:  acdrun apply it.plan\n"
    )
    assert (place / "it.plan").read_bytes() == before
    assert [json.loads(line)["record"] for line in records.out.splitlines()][-1] == "outcome"
    assert sum('"record":"change"' in line for line in records.out.splitlines()) == 6


def test_a_plan_that_was_applied_is_refused(acdrun: Acdrun) -> None:
    acdrun("--plan", "--out", "it.plan", "m.yaml")
    acdrun("apply", "it.plan")

    ended = acdrun("apply", "it.plan")

    assert ended.code == 5
    assert "acdrun: error: this plan was applied already" in ended.err
    assert "hint: acdrun log " in ended.err


def test_a_plan_is_refused_when_its_manifest_has_changed(acdrun: Acdrun, place: Path) -> None:
    acdrun("--plan", "--out", "it.plan", "m.yaml")
    write(place / "m.yaml", (place / "m.yaml").read_text().replace("mirror", "copy"))

    ended = acdrun("apply", "it.plan")

    assert ended.code == 5
    assert "has changed since the plan was made" in ended.err
    assert not (place / "dst").exists()


def test_what_moved_on_since_the_plan_is_left_alone_and_named(acdrun: Acdrun, place: Path) -> None:
    acdrun("m.yaml")
    write(place / "src/one.txt", "changed")
    acdrun("--plan", "--out", "it.plan", "m.yaml")
    write(place / "dst/one.txt", "somebody else's")

    ended = acdrun("apply", "it.plan")

    assert ended.code == 5
    assert (place / "dst/one.txt").read_text() == "somebody else's"
    assert "no longer what the plan saw" in ended.out
    assert "one.txt: stale: " in ended.out


def test_a_plan_never_replaces_a_file(acdrun: Acdrun, place: Path) -> None:
    write(place / "it.plan", "precious")

    ended = acdrun("--plan", "--out", "it.plan", "m.yaml")

    assert ended.code == 2
    assert (place / "it.plan").read_text() == "precious"


def test_a_file_that_is_no_plan_is_refused(acdrun: Acdrun, place: Path) -> None:
    ended = acdrun("apply", "m.yaml")

    assert ended.code == 5
    assert "'m.yaml' is no plan" in ended.err


def test_a_damaged_plan_is_named_without_a_traceback(acdrun: Acdrun, place: Path) -> None:
    acdrun("--plan", "--out", "it.plan", "m.yaml")
    shutil.copy("it.plan", "cut.plan")
    with (place / "cut.plan").open("r+b") as file:
        file.truncate(9000)

    shown, applied = acdrun("show", "cut.plan"), acdrun("apply", "cut.plan")

    for ended in (shown, applied):
        assert ended.code in (2, 5)
        assert "acdrun: error: " in ended.err
        assert "itself" not in ended.err


def test_a_plan_that_is_taken_for_a_manifest_is_told_apart(acdrun: Acdrun, place: Path) -> None:
    acdrun("--plan", "--out", "it.plan", "m.yaml")

    ended = acdrun("it.plan")

    assert ended.code == 2
    assert (
        "acdrun: error: 'it.plan' is a saved plan, not a manifest\n  hint: acdrun apply it.plan" in ended.err
    )
    assert not (place / "dst").exists()
