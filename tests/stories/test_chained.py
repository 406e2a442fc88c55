"""A disk goes to the drive, and the drive to another disk: one manifest, one plan for both."""

import json

from tests.stories.conftest import Machine

JOBS = """\
version: 1
name: chain
remotes:
  cloud: {{type: amazon cloud drive, server: embedded}}
defaults: {{retry: {{attempts: 2, backoff: 10ms..50ms}}}}
jobs:
  up:
    pairs: [{{source: ../photos, destination: "cloud:photos", mode: mirror}}]
  down:
    needs: [up]
{more}    pairs: [{{source: "cloud:photos", destination: ../again, mode: mirror}}]
"""


def test_what_was_planned_of_both_jobs_is_what_applying_the_plan_does(machine: Machine) -> None:
    again = machine.home / "again"
    machine.write({"a.txt": "1", "sub/b.txt": "22", "sub/same.txt": "333"})
    machine.write({"sub/same.txt": "333", "old.txt": "0"}, again)
    jobs = machine.nightly(JOBS.format(more=""))

    planned = machine.acdrun("--plan", "--out", "both.plan", "--json", jobs)
    applied = machine.acdrun("apply", "both.plan")
    rerun = machine.acdrun("--plan", jobs)

    assert (planned.code, applied.code) == (0, 0), planned.err + applied.err
    changes = [record for record in map(json.loads, planned.out.splitlines()) if record["record"] == "change"]
    second = [(c["task"], c["path"], c["predicted"]) for c in changes if c["pair"] == "down"]
    assert ("upload", "sub/b.txt", True) in second
    assert ("trash", "old.txt", False) in second
    assert ("hash", "sub/same.txt", True) in second, "the same is found by reading it where it is now"
    files = ("a.txt", "sub/b.txt", "sub/same.txt")
    assert [(again / path).read_text() for path in files] == ["1", "22", "333"]
    assert not (again / "old.txt").exists()
    assert "nothing to do" in rerun.out


def test_what_is_changed_between_the_jobs_is_told_and_nothing_is_trashed(machine: Machine) -> None:
    middle, again = machine.home / "middle", machine.home / "again"
    machine.write({"a.txt": "1", "b.txt": "22"})
    machine.write({"old.txt": "0"}, again)
    hook = '    before: [sh, -c, "echo 9 > ../middle/b.txt"]\n'
    jobs = machine.nightly(JOBS.format(more=hook).replace('"cloud:photos"', "../middle"))

    planned = machine.acdrun("--plan", "--out", "both.plan", jobs)
    applied = machine.acdrun("apply", "both.plan")

    assert planned.code == 0, planned.err
    assert applied.code == 3, applied.out + applied.err
    assert "b.txt" in applied.out
    assert (again / "a.txt").read_text() == "1"
    assert (again / "old.txt").read_text() == "0"
    assert not (again / "b.txt").exists()
    assert (middle / "b.txt").read_text() == "9\n"


def test_a_first_job_that_fails_holds_the_second(machine: Machine) -> None:
    middle, again = machine.home / "middle", machine.home / "again"
    machine.write({"a.txt": "1", "b.txt": "22"})
    machine.write({"b.txt": "old"}, middle)
    jobs = machine.nightly(JOBS.format(more="").replace('"cloud:photos"', "../middle"))
    planned = machine.acdrun("--plan", "--out", "both.plan", jobs)
    machine.write({"b.txt": "of somebody else"}, middle)

    applied = machine.acdrun("apply", "both.plan")

    assert planned.code == 0, planned.err
    assert applied.code == 5, applied.out + applied.err
    assert (middle / "b.txt").read_text() == "of somebody else"
    assert (middle / "a.txt").read_text() == "1"
    assert not again.exists()
