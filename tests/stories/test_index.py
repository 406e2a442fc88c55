"""A nightly run of a drive costs what changed: exact numbers of requests, as the service counts them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stories.conftest import Machine, Said
from tests.stories.served import Served, served

FOLDERS, FILES = 8, 25

JOB = """\
version: 1
name: nightly
remotes:
  cloud: {{type: acd, server: "{url}", auth: {{token: {{env: DRIVE_TOKEN}}}}{more}}}
jobs:
  photos:
    pairs:
      - {{source: ../photos, destination: "cloud:Backups/photos", mode: mirror, guard: {{trash: {{max: 100%}}}}}}
"""


class Night:
    """A machine, a drive that counts, and the job between them."""

    def __init__(self, machine: Machine, drive: Served) -> None:
        self.machine, self.drive = machine, drive
        machine.write({f"d{n % FOLDERS}/{n:03}.jpeg": f"photo {n}" for n in range(FOLDERS * FILES)})
        self.job()

    def job(self, more: str = "") -> None:
        """Write the job file."""
        url = self.drive.ready["url"]
        self.machine.nightly(JOB.format(url=url, more=more))

    def run(self, *args: str) -> tuple[Said, dict[str, int]]:
        """A run, and the requests that it took."""
        before = self.drive.counts()
        token = json.dumps(self.drive.ready["token"])
        said = self.machine.acdrun(*args, "jobs/nightly.yaml", DRIVE_TOKEN=token)
        after = self.drive.counts()
        taken = {what: after[what] - before.get(what, 0) for what in after if "admin" not in what}
        return said, {what: number for what, number in taken.items() if number}


@pytest.fixture
def night(machine: Machine, tmp_path: Path) -> Iterator[Night]:
    """Everything is sent already."""
    with served(tmp_path / "drive") as drive:
        here = Night(machine, drive)
        said, _ = here.run()
        assert said.code == 0, said.err
        yield here


ALWAYS = {"GET /drive/v1/account/endpoint": 1, "GET /drive/v1/nodes": 1, "POST /drive/v1/changes": 1}
"""Where the service is, which account it is, and what changed there."""


def test_a_run_with_nothing_to_do_takes_three_requests(night: Night) -> None:
    for _ in range(2):
        said, requests = night.run()

        assert (said.code, said.err) == (0, "")
        assert requests == ALWAYS
    said, requests = night.run("--plan")
    assert (said.code, requests) == (0, ALWAYS)


def test_changed_files_cost_what_they_cost_and_no_listing(night: Night) -> None:
    night.run()
    night.machine.write({f"d{n % FOLDERS}/new-{n}.jpeg": f"new {n}" for n in range(20)})
    (night.machine.photos / "d1/001.jpeg").unlink()

    said, requests = night.run()

    assert (said.code, said.err) == (0, "")
    trashing = {"GET /drive/v1/nodes": 3, "GET /drive/v1/nodes/{id}": 1, "PUT /drive/v1/trash/{id}": 1}
    assert requests == ALWAYS | {"POST /cdproxy/nodes": 20, "GET /drive/v1/account/quota": 1} | trashing
    assert night.run()[1] == ALWAYS


def test_what_others_do_there_is_undone_by_the_next_run(night: Night) -> None:
    night.run()
    (old,) = night.drive.nodes("name:001.jpeg")
    (folder,) = night.drive.nodes("name:d2")
    night.drive.http.put(f"drive/v1/trash/{old['id']}").raise_for_status()
    night.drive.http.patch(f"drive/v1/nodes/{folder['id']}", json={"name": "moved"}).raise_for_status()

    said, _ = night.run()

    assert (said.code, said.err) == (0, "")
    assert "sent 26 files" in said.out or "moved 25" in said.out
    assert len(night.drive.nodes("name:001.jpeg")) == 1
    assert night.run()[1] == ALWAYS


def test_a_listing_may_be_asked_for_and_the_index_switched_off(night: Night) -> None:
    folders = 1 + FOLDERS

    said, requests = night.run("--plan", "--fresh")
    assert (said.code, said.err) == (0, "")
    assert requests == ALWAYS | {"GET /drive/v1/nodes": 1 + 2 + folders, "POST /drive/v1/changes": 2}

    night.job(", index: false")
    said, requests = night.run()
    assert (said.code, said.err) == (0, "")
    assert "POST /drive/v1/changes" not in requests
    assert requests["GET /drive/v1/nodes"] == 1 + 2 + folders
