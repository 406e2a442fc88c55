"""Guards that look at the places themselves: another disk, another account, no disk at all, no room."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from runner.manifest.manifest import Manifest
from runner.model.backend import Backend, Identity, Quota
from runner.model.errors import AcdrunError, NoSpace, PlanStale, Refused, Unavailable
from runner.model.events import Note
from tests.lab import Fault
from tests.lab.worlds import Ended, World

NEW = {"source": frozenset({"source"}), "destination": frozenset({"destination"})}


def swap(world: World, name: str, folder: str) -> None:
    """Put another folder in the place of this one, with the same files."""

    async def act() -> None:
        backend = world.memory(name)
        files = world.files(name, folder)
        await backend.move(folder, f"{folder} before")
        await backend.mkdir(folder)
        for path, data in files.items():
            world_files[f"{folder}/{path}"] = data

    world_files: dict[str, str | bytes | None] = {}
    asyncio.run(act())
    world.write(name, world_files)


def swap_back(world: World, name: str, folder: str) -> None:
    """The first one again."""

    async def act() -> None:
        await world.memory(name).move(folder, f"{folder} other")
        await world.memory(name).move(f"{folder} before", folder)

    asyncio.run(act())


def ends(**guard: Any) -> dict[str, Any]:
    """A pair of two folders, neither of them a root."""
    return World.ends(source="src:photos", destination="dst:photos", guard=guard)


def start(world: World, **guard: Any) -> "Any":
    """The manifest of that pair, which has had one good run."""
    world.write("src", {"photos/a": "1"})
    world.write("dst", {"photos/old": "0"})
    manifest = world.manifest({"job": {"pairs": [ends(**guard)]}})
    assert world.run(manifest).code == 0
    world.write("src", {"photos/b": "2"})
    return manifest


def notes(ended: Ended) -> list[str]:
    """What was said beside the report."""
    return [event.message for event in ended.told if isinstance(event, Note)]


def wrapped(world: World, name: str, verb: str, answer: object) -> None:
    """Have one verb of that remote answer this, too."""
    before = world.wrap

    async def say(*_: object) -> object:
        return answer

    def wrap(remote: str, inner: Backend) -> Backend:
        inner = before(remote, inner)
        if remote == name:
            vars(inner)[verb] = say
        return inner

    world.wrap = wrap


@pytest.mark.torture
def test_G4_a_source_that_is_another_disk_is_refused_where_it_must_be_the_same(world: World) -> None:
    manifest = start(world, source={"identity": "same"})
    swap(world, "src", "photos")

    ended = world.run(manifest)
    accepted = world.run(manifest, new_places=NEW["source"])
    again = world.run(manifest)

    assert (ended.code, accepted.code, again.code) == (4, 0, 0)
    assert "the source is not the place that it was in the last good run" in ended.stage("guard").why
    assert {change.state for change in ended.changes} == {"held"}


def test_a_source_that_is_another_disk_is_told_of(world: World) -> None:
    manifest = start(world)
    swap(world, "src", "photos")

    first, second = world.run(manifest), world.run(manifest)

    assert (first.code, second.code) == (0, 0)
    (note,) = notes(first)
    assert "the source is not the place" in note
    assert note.count(world.tag) == 2, "both identities are named"
    assert notes(second) == []


@pytest.mark.torture
@pytest.mark.parametrize("how", ["run", "plan"])
def test_G4_another_account_as_destination_is_refused(world: World, how: str) -> None:
    manifest = start(world)
    swap(world, "dst", "photos")
    before = world.nodes("dst")

    ended = world.run(manifest) if how == "run" else world.plan(manifest)

    assert ended.code == 4
    assert "the destination is not the place" in ended.stage("guard").why
    assert world.nodes("dst") == before
    assert world.run(manifest, new_places=NEW["destination"]).code == 0
    assert world.run(manifest).code == 0


def test_a_destination_that_is_gone_is_not_made_anew_unasked(world: World) -> None:
    manifest = start(world)
    world.remove("dst", "photos")

    refused = world.run(manifest)
    accepted = world.run(manifest, new_places=NEW["destination"])

    assert (refused.code, accepted.code) == (4, 0)
    assert "nothing now" in refused.stage("guard").why
    assert world.files("dst") == {"photos/a": b"1", "photos/b": b"2"}


def test_a_destination_that_a_run_made_is_known_from_then_on(world: World) -> None:
    world.write("src", {"photos/a": "1"})
    manifest = world.manifest({"job": {"pairs": [ends()]}})
    assert world.run(manifest).code == 0
    swap(world, "dst", "photos")

    assert world.run(manifest).code == 4


def test_another_destination_may_be_only_told_of(world: World) -> None:
    manifest = start(world, destination={"identity": "warn"})
    swap(world, "dst", "photos")

    ended = world.run(manifest)

    assert ended.code == 0
    assert "the destination is not the place" in notes(ended)[0]


def test_a_location_that_was_written_otherwise_is_meant_to_be_another_place(world: World) -> None:
    start(world)

    moved = {**ends(source={"identity": "same"}), "destination": "dst:pictures"}

    assert world.run(world.manifest({"job": {"pairs": [moved]}})).code == 0


def test_a_run_that_failed_teaches_nothing(world: World) -> None:
    manifest = start(world)
    swap(world, "src", "photos")
    world.spoil("dst", Fault("put", 0, error=AcdrunError("no")))
    assert world.run(manifest).code == 1
    world.spoil("dst")

    assert len(notes(world.run(manifest))) == 1


def refused_to_apply(world: World, plan: Path, kind: type[AcdrunError]) -> str:
    """Apply it, which must have no effect and leave the plan as it was; returns why."""
    before = world.nodes("dst"), world.trash("dst"), sorted((world.state / "runs").iterdir())
    with pytest.raises(kind) as caught:
        world.apply(plan)
    assert (world.nodes("dst"), world.trash("dst"), sorted((world.state / "runs").iterdir())) == before
    return str(caught.value)


@pytest.mark.torture
def test_G4_a_plan_is_not_applied_to_another_account(world: World) -> None:
    plan = world.plan(start(world), out=world.folder / "saved.plan").path
    swap(world, "dst", "photos")

    said = refused_to_apply(world, plan, PlanStale)
    swap_back(world, "dst", "photos")
    ended = world.apply(plan)

    assert "the destination is not the place that it was when the plan was made" in said
    assert ended.code == 0
    assert world.files("dst", "photos") == {"a": b"1", "b": b"2"}


@pytest.mark.torture
@pytest.mark.parametrize("policy", ["same", "warn"])
def test_G4_a_plan_is_applied_to_another_source_only_where_that_may_change(world: World, policy: str) -> None:
    plan = world.plan(start(world, source={"identity": policy}), out=world.folder / "saved.plan").path
    swap(world, "src", "photos")

    if policy == "same":
        assert "the source is not the place" in refused_to_apply(world, plan, PlanStale)
    else:
        ended = world.apply(plan)
        assert ended.code in (0, 3, 5)
        assert any("the source is not the place" in note for note in notes(ended))


@pytest.mark.torture
@pytest.mark.parametrize("how", ["gone", "unmarked", "emptied"])
def test_S9_a_plan_is_not_applied_when_the_source_is_not_mounted(world: World, how: str) -> None:
    world.write("src", {"photos/.mounted": ""})
    plan = world.plan(start(world, source={"sentinel": ".mounted"}), out=world.folder / "saved.plan").path
    paths = {"gone": ["photos"], "unmarked": ["photos/.mounted"]}
    world.remove("src", *paths.get(how, [f"photos/{name}" for name in (".mounted", "a", "b")]))

    said = refused_to_apply(world, plan, Refused)

    assert {"gone": "does not exist", "unmarked": "sentinel", "emptied": "is empty now"}[how] in said


@pytest.mark.torture
@pytest.mark.parametrize(
    ("wanted", "here", "said"),
    [
        ("auto", Identity("x", "/mnt/disk/photos", "/"), "nothing is mounted at '/mnt/disk/photos'"),
        ("auto", Identity("x", "/media/me/stick", "/"), "nothing is mounted"),
        ("auto", Identity("x", "/mnt/disk/photos", "/mnt/disk"), ""),
        ("auto", Identity("x", "/mnt/disk", "/mnt"), ""),
        ("auto", Identity("x", "/home/me/photos", "/"), ""),
        ("auto", Identity("x", "/mntx/photos", "/"), ""),
        ("auto", Identity("x"), ""),
        (False, Identity("x", "/mnt/disk", "/"), ""),
        (True, Identity("x", "/srv/disk", "/"), "'/srv/disk' is no mount point"),
        (True, Identity("x", "/srv/disk/photos", "/srv/disk"), "is no mount point"),
        (True, Identity("x", "/srv/disk", "/srv/disk"), ""),
        (True, Identity("x"), ""),
    ],
)
def test_S9_a_folder_for_disks_must_have_one(
    world: World, wanted: bool | str, here: Identity, said: str
) -> None:
    world.write("src", {"photos/a": "1"})
    wrapped(world, "src", "identity", here)

    ended = world.run(world.manifest({"job": {"pairs": [ends(source={"require_mount": wanted})]}}))

    assert ended.code == (4 if said else 0)
    assert said in ended.stage("guard").why


def test_more_than_there_is_room_for_is_refused_before_anything_is_sent(world: World) -> None:
    world.write("src", {"new": "12345", "changed": "123", "same": "1"})
    world.write("dst", {"changed": "12", "same": "1"})
    wrapped(world, "dst", "quota", Quota(100, 93, 7))

    ended = world.run()

    assert ended.code == NoSpace.exit == 7
    assert "8B are to be stored, and the destination has room for 7B" in ended.stage("guard").why
    assert world.files("dst") == {"changed": b"12", "same": b"1"}


@pytest.mark.parametrize("guard", [{}, {"destination": {"space": "ignore"}}])
@pytest.mark.parametrize("free", [8, None, 7])
def test_as_much_as_there_is_room_for_is_stored(
    world: World, guard: dict[str, Any], free: int | None
) -> None:
    world.write("src", {"new": "12345", "changed": "123"})
    world.write("dst", {"changed": "12"})
    wrapped(world, "dst", "quota", Quota(100, None, free))

    assert world.run(world.pair("mirror", guard=guard)).code == (7 if free == 7 and not guard else 0)


def test_a_service_that_does_not_tell_its_room_is_asked_no_more(world: World) -> None:
    world.write("src", {"new": "1"})
    world.spoil("dst", Fault("quota", 0, error=Unavailable("not now")))

    assert world.run().code == 0


def test_who_stores_nothing_does_not_ask_for_room(world: World) -> None:
    world.write("src", {"a": "1"})
    world.write("dst", {"a": "1", "b": "2"})

    assert world.run().code == 0
    assert world.opened["dst"].count("quota") == 0


def test_a_full_destination_leaves_other_pairs_their_own(world: World) -> None:
    world.fields["far"] = {}
    world.write("src", {"a": "1"})
    wrapped(world, "far", "quota", Quota(9, 9, 0))

    ended = world.run(world.manifest({"job": {"pairs": [World.ends(destination="far:"), World.ends()]}}))

    assert (ended.code, world.files("dst"), world.files("far")) == (7, {"a": b"1"}, {})


def both_full(world: World) -> Manifest:
    """Two pairs to two places of one disk, which holds what either stores, but not both."""
    world.fields["far"] = {}
    world.write("src", {"a": "1234"})
    for name in ("dst", "far"):
        wrapped(world, name, "quota", Quota(9, 2, 7, "disk 1"))
    return world.manifest({"job": {"pairs": [World.ends(destination="far:"), World.ends()]}})


def test_what_several_pairs_store_on_one_disk_is_added_up(world: World) -> None:
    ended = world.run(both_full(world))

    assert ended.code == 7
    assert sorted(map(len, (world.files("dst"), world.files("far")))) == [0, 1], "the one that fits is stored"
    whys = " ".join(stage.why for stage in ended.stages if stage.task == "guard")
    assert "4B are to be stored, beside 4B of other pairs, and the destination has room for 7B" in whys


def test_places_that_share_nothing_are_not_added_up(world: World) -> None:
    manifest = both_full(world)
    for name in ("dst", "far"):
        wrapped(world, name, "quota", Quota(9, 2, 7))

    assert world.run(manifest).code == 0


def test_what_an_earlier_job_has_stored_is_not_counted_twice(world: World) -> None:
    both_full(world)
    jobs = {
        "first": {"pairs": [World.ends(destination="far:")]},
        "then": {"needs": ["first"], "pairs": [World.ends()]},
    }

    assert world.run(world.manifest(jobs)).code == 0
    assert world.files("dst") == world.files("far") == {"a": b"1234"}


def test_a_plan_of_two_jobs_adds_up_what_both_are_to_store(world: World) -> None:
    both_full(world)
    jobs = {
        "first": {"pairs": [World.ends(destination="far:")]},
        "then": {"needs": ["first"], "pairs": [World.ends()]},
    }

    assert world.plan(world.manifest(jobs)).code == 7


def test_a_plan_is_not_applied_once_there_is_no_room(world: World) -> None:
    plan = world.plan(start(world), out=world.folder / "saved.plan").path
    wrapped(world, "dst", "quota", Quota(9, 9, 0))

    assert "has room for 0B" in refused_to_apply(world, plan, NoSpace)
