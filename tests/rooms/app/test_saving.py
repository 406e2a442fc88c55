"""Saving a plan: whole or not at all, and never over what somebody else has put there."""

import errno
import os
import stat
import time
from pathlib import Path

import pytest

from runner.app import running, saving
from runner.model.errors import StateError, UsageError
from runner.state.keys import Key
from tests.lab.worlds import World


def no_links(*_: object, **__: object) -> None:
    raise OSError(errno.EPERM, "a disk without hard links")


@pytest.mark.parametrize("links", [True, False])
def test_a_plan_is_saved_whole_on_disks_with_and_without_hard_links(
    world: World, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    world.write("src", {"a": "1"})
    if not links:
        monkeypatch.setattr(os, "link", no_links)
        (world.state / "plan.key").write_bytes(b"k" * 32)  # made before, on a disk that had them
        (world.state / "plan.key").chmod(0o600)

    saved = world.plan(out=world.folder / "out" / "saved.plan").path

    assert [path.name for path in saved.parent.iterdir()] == ["saved.plan"]
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    assert world.apply(saved).code == 0


@pytest.mark.parametrize("links", [True, False])
def test_what_came_to_the_name_while_the_plan_was_made_stays(
    world: World, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    out = world.folder / "saved.plan"
    save = saving.save

    def late(journal: Path, key: Key, out: Path) -> None:
        out.write_text("precious")
        if not links:
            monkeypatch.setattr(os, "link", no_links)
        save(journal, key, out)

    monkeypatch.setattr(running, "save", late)

    with pytest.raises(UsageError, match="exists now"):
        world.plan(out=out)

    assert out.read_text() == "precious"
    assert [path.name for path in world.folder.glob(".*")] == []
    assert not list((world.state / "plans").iterdir())


@pytest.mark.parametrize("taken", ["file", "folder", "link to nowhere"])
def test_a_name_that_is_taken_is_refused_before_anything_is_listed(world: World, taken: str) -> None:
    out = world.folder / "saved.plan"
    if taken == "file":
        out.write_text("precious")
    elif taken == "folder":
        out.mkdir()
    else:
        out.symlink_to("nowhere")

    with pytest.raises(UsageError, match="exists"):
        world.plan(out=out)

    assert world.opened == {}


def test_a_folder_that_takes_no_plan_is_told_before_anything_is_listed(world: World) -> None:
    (world.folder / "file").write_text("")

    with pytest.raises((UsageError, StateError)):
        world.plan(out=world.folder / "file" / "saved.plan")

    assert world.opened == {}


def test_what_a_killed_planning_has_left_is_removed_after_a_week(world: World) -> None:
    folder = world.state / "plans"
    folder.mkdir()
    for name, days in (("old.journal", 8), ("young.journal", 6)):
        (folder / name).write_text("")
        then = time.time() - days * 24 * 3600
        os.utime(folder / name, (then, then))

    world.plan()

    assert [path.name for path in folder.iterdir()] == ["young.journal"]
