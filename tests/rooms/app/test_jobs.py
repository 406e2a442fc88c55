"""Jobs: what they need, what runs around them, and what comes of runs that were cut off."""

import contextlib
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from runner import app
from runner.app.draining import header_of
from runner.app.past import runs_folder
from runner.app.places import scopes
from runner.manifest.manifest import Manifest
from runner.model.errors import Denied, Locked, UsageError
from runner.model.events import Note
from runner.state.journal import Journal
from runner.state.locks import locked
from tests.lab import Fault
from tests.lab.worlds import World


def two(world: World, **second: Any) -> Manifest:
    """Job `two` copies on what job `one` made at `dst:`."""
    world.fields["far"] = {}
    pair = World.ends(source="dst:", destination="far:")
    return world.manifest(
        {"one": {"pairs": [World.ends()]}, "two": {"needs": ["one"], "pairs": [pair], **second}}
    )


def write_word(folder: Path, word: str, code: int = 0) -> list[str]:
    """A command that adds a word to a file, and ends with that code."""
    script = "import sys; open('words', 'a').write(sys.argv[1] + ' '); sys.exit(int(sys.argv[2]))"
    return [sys.executable, "-c", script, word, str(code)]


def words(world: World) -> str:
    """What such commands have written."""
    file = world.folder / "words"
    return file.read_text() if file.exists() else ""


def test_a_job_lists_what_the_job_it_needs_has_written(world: World) -> None:
    world.write("src", {"a": "1"})

    ended = world.run(two(world))

    assert ended.code == 0
    assert world.files("far") == {"a": b"1"}


def test_a_job_is_held_when_the_job_it_needs_failed(world: World) -> None:
    manifest = two(world)
    world.write("src", {"a": "1", "b": "2"})
    world.write("far", {"lost": "0"})
    world.spoil("dst", Fault("put", 0, path="a", error=Denied("no")))

    ended = world.run(manifest)

    assert ended.code == 6
    assert world.files("far") == {"lost": b"0"}
    assert ended.stage("match", "two").state == "held"
    assert ended.stage("match", "two").why.startswith("held back: ")
    assert world.opened["far"].calls == []


def test_a_job_that_was_refused_holds_the_job_that_needs_it(world: World) -> None:
    manifest = two(world)
    world.write("dst", {"a": "1"})

    ended = world.run(manifest)

    assert ended.code == 4
    assert world.files("far") == {}


def test_hooks_run_in_the_manifests_folder_around_their_job(world: World) -> None:
    world.write("src", {"a": "1"})
    job = {"before": write_word(world.folder, "before"), "after": write_word(world.folder, "after")}

    ended = world.run(world.manifest({"job": {**job, "pairs": [World.ends()]}}))

    assert ended.code == 0
    assert words(world) == "before after "


def test_a_job_of_hooks_alone_runs_them_before_the_job_that_needs_it(world: World) -> None:
    world.write("src", {"a": "1"})
    first = {"before": write_word(world.folder, "one"), "after": write_word(world.folder, "two")}
    second = {"needs": ["first"], "before": write_word(world.folder, "three"), "pairs": [World.ends()]}

    ended = world.run(world.manifest({"first": first, "second": second}))

    assert ended.code == 0
    assert words(world) == "one two three "


def test_a_failed_hook_holds_its_job_and_no_other(world: World) -> None:
    world.fields["far"] = {}
    world.write("src", {"a": "1"})
    bad = {"before": write_word(world.folder, "x", 7), "after": write_word(world.folder, "never")}
    jobs = {"bad": {**bad, "pairs": [World.ends()]}, "fine": {"pairs": [World.ends(destination="far:")]}}

    ended = world.run(world.manifest(jobs))

    assert ended.code == 1
    assert (world.files("dst"), world.files("far")) == ({}, {"a": b"1"})
    assert words(world) == "x "
    assert "exit code 7" in next(s.why for s in ended.stages if s.task == "hook" and s.side == "before")


def test_a_hook_after_a_job_that_failed_is_not_run(world: World) -> None:
    world.write("src", {"a": "1"})
    world.spoil("dst", Fault("put", 0, error=Denied("no")))

    world.run(world.manifest({"job": {"after": write_word(world.folder, "never"), "pairs": [World.ends()]}}))

    assert words(world) == ""


def test_a_hook_that_cannot_be_started_is_told(world: World) -> None:
    ended = world.run(world.manifest({"job": {"before": ["/no/such/program"], "pairs": [World.ends()]}}))

    assert ended.code == 1
    assert "'/no/such/program' cannot be run" in next(s.why for s in ended.stages if s.task == "hook")


@pytest.mark.torture
def test_A7_a_hook_sees_nothing_of_our_environment_but_what_any_program_needs(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACDRUN_SECRET", "canary")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    script = "import json, os; json.dump(dict(os.environ), open('environment', 'w'))"

    world.run(world.manifest({"job": {"before": [sys.executable, "-c", script]}}))

    seen = json.loads((world.folder / "environment").read_text())
    assert "PATH" in seen
    assert "canary" not in seen.values()


def test_a_plan_runs_no_hook(world: World) -> None:
    world.write("src", {"a": "1"})
    job = {"before": write_word(world.folder, "before"), "pairs": [World.ends()]}

    planned = world.plan(world.manifest({"job": job}), world.folder / "saved.plan")

    assert (planned.code, planned.ops("upload"), words(world)) == (0, ["a"], "")
    assert world.apply(planned.path).code == 0
    assert words(world) == "before "


def cut_off(world: World, manifest: Manifest, label: str = "20200101T000000-dead") -> Path:
    """The journal of a run that was killed while it applied."""
    alive, path = world.folder / f"{label}.journal", runs_folder(world.state) / f"{label}.journal"
    with contextlib.closing(Journal.create(alive, header_of(label, manifest, "run"))) as journal:
        journal.mark("applying")
        for end in ("", "-wal"):  # as a kill leaves them: never folded into one file
            shutil.copyfile(f"{alive}{end}", f"{path}{end}")
    return path


@pytest.mark.parametrize("looked_at", [False, True])
def test_a_run_that_was_cut_off_is_closed_by_the_next_and_told(world: World, looked_at: bool) -> None:
    world.write("src", {"a": "1"})
    cut_off(world, world.pair())
    if looked_at:  # as by `acdrun history`, which leaves the mark of a kill as it is
        assert [header.state for header in app.history(world.state)] == ["applying"]

    ended = world.run()

    header = next(header for header in app.history(world.state) if header.id.endswith("-dead"))
    assert (header.state, header.exit) == ("closed", 130)
    assert any(isinstance(event, Note) and header.id in event.message for event in ended.told)
    assert not any(isinstance(event, Note) for event in world.run().told)


def test_a_run_of_the_same_name_that_writes_elsewhere_may_be_alive_and_is_left_alone(world: World) -> None:
    world.fields["far"] = {}
    world.write("src", {"a": "1"})
    cut_off(world, world.pair("mirror", destination="far:"))

    ended = world.run()

    header = next(header for header in app.history(world.state) if header.id.endswith("-dead"))
    assert (header.state, header.exit) == ("applying", None)
    assert not any(isinstance(event, Note) for event in ended.told)


def test_a_damaged_journal_of_an_earlier_run_does_not_stop_the_next(world: World) -> None:
    world.write("src", {"a": "1"})
    (runs_folder(world.state) / "20200101T000000-beef.journal").write_text("damaged" * 100)

    assert world.run().code == 0


@pytest.mark.torture
def test_L1_a_run_whose_destination_is_being_written_to_is_refused_with_nothing_left_behind(
    world: World,
) -> None:
    world.write("src", {"a": "1"})

    taken = list(scopes(world.pair("mirror", destination="dst:in")))
    with locked(world.state, taken, "another"), pytest.raises(Locked) as caught:
        world.run()

    assert caught.value.exit == 8
    assert not (world.state / "runs").exists()
    assert world.files("dst") == {}


def test_a_run_leaves_one_closed_journal_with_its_exit_code(world: World) -> None:
    world.write("src", {"a": "1"})

    ended = world.run()

    assert [path.name for path in (world.state / "runs").iterdir()] == [f"{ended.header.id}.journal"]
    assert (ended.header.state, ended.header.exit, ended.header.purpose) == ("closed", 0, "run")


@pytest.mark.parametrize("links", ["skip", "block"])
def test_a_link_in_the_source_is_neither_sent_nor_taken_for_lost(
    world: World, tmp_path: Path, links: str
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "a").write_text("1")
    (tmp_path / "here" / "link").symlink_to("a")
    world.write("dst", {"link": "was a file once", "lost": "0"})

    ended = world.run(world.pair("mirror", source=str(tmp_path / "here"), links=links))

    assert ended.code == {"skip": 0, "block": 3}[links]
    left = {"skip": {}, "block": {"lost": b"0"}}[links]  # what is blocked was not sent, so nothing is trashed
    assert world.files("dst") == {"a": b"1", "link": b"was a file once", **left}


def test_times_are_not_compared_where_a_place_keeps_none(world: World) -> None:
    world.fields["dst"] = {"mtime_ns": None}
    world.write("src", {"a": "1"})
    manifest = world.manifest({"job": {"pairs": [World.ends("mirror", checksum={"compare": "time"})]}})

    with pytest.raises(UsageError) as caught:
        world.run(manifest)

    assert caught.value.place == manifest.pairs[0].place
    assert world.files("dst") == {}


def test_a_plan_tells_what_will_follow_from_what_an_earlier_job_makes(world: World) -> None:
    world.write("src", {"a": "1", "b/c": "2"})
    world.fields["far"] = {}
    world.write("far", {"old": "0"})
    first, second = World.ends("mirror", destination="dst:new"), World.ends("mirror", "dst:new", "far:")
    manifest = world.manifest(
        {"first": {"pairs": [first]}, "second": {"needs": ["first"], "pairs": [second]}}
    )

    planned, ended = world.plan(manifest), world.run(manifest)

    assert (planned.code, planned.ops("upload")) == (0, ["a", "b/c", "a", "b/c"])
    assert planned.ops("trash") == ["old"]
    assert [c.pair for c in planned.changes if c.predicted] == ["second"] * 3  # a folder and two files
    assert (ended.code, world.files("far")) == (0, {"a": b"1", "b/c": b"2"})


def test_a_plan_does_without_a_source_that_only_the_hook_makes(world: World) -> None:
    job = {
        "before": write_word(world.folder, "made"),
        "pairs": [World.ends(source=str(world.folder / "later"))],
    }

    assert world.plan(world.manifest({"job": job})).code == 0
    assert world.run(world.manifest({"job": job})).code == 4, "the hook did not make it, so the run refuses"
