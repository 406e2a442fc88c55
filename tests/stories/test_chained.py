"""A disk goes to the drive, and the drive to another disk: one manifest, one plan for both."""

import json

import yaml

from tests.stories.conftest import Machine
from tests.stories.test_s3 import FILES, OLD_NS, content, fill, on_disk, shop_at

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


def test_a_plan_through_two_buckets_and_back_is_carried_out_as_it_was_shown(machine: Machine) -> None:
    shop = shop_at(machine, "moto")
    fill(machine, FILES)
    fill(machine, {"a/two": "2", "lost": "0"}, machine.home / "down")
    ways = [("../photos", "store:up"), ("store:up", "other:across"), ("other:across", "../down")]
    jobs = {
        f"job{number}": {
            "needs": [f"job{number - 1}"] if number else [],
            "pairs": [{"source": source, "destination": destination, "mode": "mirror"}],
        }
        for number, (source, destination) in enumerate(ways)
    }
    text = {"version": 1, "name": "shop", "remotes": shop.remotes(), "jobs": jobs}
    (machine.jobs / "shop.yaml").write_text(yaml.safe_dump(text))

    planned = shop.run("--plan", "--out", "all.plan", "--json", "jobs/shop.yaml")
    applied = shop.run("apply", "all.plan")
    again = shop.run("--plan", "--detailed-exitcode", "jobs/shop.yaml")

    assert (planned.code, applied.code, again.code) == (0, 0, 0), planned.err + applied.err + again.out
    changes = [record for record in map(json.loads, planned.out.splitlines()) if record["record"] == "change"]
    last = sorted((c["task"], c["path"]) for c in changes if c["pair"] == "job2" and c["node"] == "file")
    new = [("upload", name) for name in FILES if name != "a/two"]
    assert last == sorted([("hash", "a/two"), ("trash", "lost"), ("upload", "a/two"), *new])
    assert [c["state"] for c in changes if (c["pair"], c["path"]) == ("job2", "a/two")] == ["same", "same"]
    assert on_disk(machine.home / "down") == content(FILES)
    times = {name: (machine.home / "down" / name).stat().st_mtime_ns for name in FILES}
    assert times == dict.fromkeys(FILES, OLD_NS)
