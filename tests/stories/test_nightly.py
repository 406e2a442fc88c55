"""The main job, as a user lives with it: first run, quiet night, changed files, a plan in between."""

import hashlib
import shutil

from tests.stories.conftest import CHECKOUT, Machine


def md5s(machine: Machine) -> dict[str, str]:
    """What the drive should hold: path to MD5 of every file of the source, by the standard library alone."""
    return {
        f"photos/{path.relative_to(machine.photos)}": hashlib.md5(path.read_bytes()).hexdigest()
        for path in machine.photos.rglob("*")
        if path.is_file()
    }


def snapshot(machine: Machine) -> dict[str, bytes]:
    """Every byte of the state directory that is a promise: runs and the drive's content."""
    kept = [*machine.state.glob("runs/*"), *machine.state.glob("emulator/cloud/content/**/*")]
    return {str(path.relative_to(machine.state)): path.read_bytes() for path in kept if path.is_file()}


def test_the_first_run_stores_every_file_and_says_how_it_was_proven(machine: Machine) -> None:
    job = machine.nightly()
    machine.write(
        {"a.jpg": "one", "2024/b.jpg": "two", "2024/empty.txt": "", "2024/é ü/c d.jpg": b"\0" * 70_000}
    )

    said = machine.acdrun(job)

    with machine.drive() as drive:
        assert (said.code, drive.files()) == (0, md5s(machine))
    assert "4 files" in said.out
    assert "md5" in said.out


def test_a_second_run_finds_nothing_to_do_and_says_for_how_many_files(machine: Machine) -> None:
    job = machine.nightly()
    machine.write({f"{number}.jpg": str(number) for number in range(40)})
    machine.acdrun(job)

    said = machine.acdrun(job)

    assert said.code == 0
    assert "nothing to do" in said.out
    assert "40 files" in said.out


def test_a_plan_shows_exactly_what_a_run_then_changes_and_changes_nothing(machine: Machine) -> None:
    job = machine.nightly()
    machine.write({"keep.jpg": "keep", "change.jpg": "before", "old name.jpg": "same", "gone/x.jpg": "x"})
    machine.acdrun(job)
    machine.write({"change.jpg": "after!", "new.jpg": "new"})
    (machine.photos / "old name.jpg").rename(machine.photos / "new name.jpg")
    shutil.rmtree(machine.photos / "gone")
    before = snapshot(machine)

    plan = machine.acdrun("--plan", "-v", job)

    assert snapshot(machine) == before
    assert plan.code == 0
    marked = {
        line.strip()[0]: line
        for line in plan.out.splitlines()
        if line.strip()[:2] in ("+ ", "~ ", "> ", "- ")
    }
    assert set(marked) == {"+", "~", ">", "-"}
    for name in ("new.jpg", "new name.jpg", "change.jpg", "old name.jpg", "gone/x.jpg"):
        assert name in plan.out
    run = machine.acdrun(job)
    with machine.drive() as drive:
        assert (run.code, drive.files()) == (0, md5s(machine))
        assert drive.trashed() == ["change.jpg", "gone", "x.jpg"]


def test_a_saved_plan_is_applied_once_and_exactly(machine: Machine) -> None:
    job = machine.nightly()
    machine.write({"a.jpg": "a"})
    planned = machine.acdrun("--plan", "--out", "first.plan", job)
    machine.write({"later.jpg": "not in the plan"})

    applied = machine.acdrun("apply", "first.plan")
    again = machine.acdrun("apply", "first.plan")

    assert (planned.code, applied.code, again.code) == (0, 0, 5)
    assert "applied already" in again.err
    with machine.drive() as drive:
        assert list(drive.files()) == ["photos/a.jpg"]


def test_this_checkout_itself_is_mirrored_by_the_job_that_ships_with_it(machine: Machine) -> None:
    ignored = shutil.ignore_patterns(
        ".git", ".venv*", "build", "__pycache__", ".*_cache", ".hypothesis", "*.egg-info"
    )
    checkout = machine.home / "checkout"
    shutil.copytree(CHECKOUT, checkout, ignore=ignored)
    files = sum(path.is_file() for path in checkout.rglob("*"))

    first = machine.acdrun("checkout/jobs/nightly.yaml")
    second = machine.acdrun("checkout/jobs/nightly.yaml")

    with machine.drive() as drive:
        assert (first.code, second.code, len(drive.files())) == (0, 0, files)
    assert "nothing to do" in second.out
    assert f"{files:,} files" in second.out
