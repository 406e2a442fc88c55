"""What a run asks of the service, counted by the service itself. Noise-free: a request too many is a fault."""

import json
from collections.abc import Iterator

import pytest

from tests.stories.conftest import Machine
from tests.stories.served import Served, served

MANIFEST = """\
version: 1
name: counted
remotes:
  cloud: {{type: acd, server: "{url}", root: "{name}", auth: {{token: {{file: "{token}"}}}}}}
jobs:
  {name}:
    pairs:
      - {{source: ../{name}, destination: "cloud:", mode: mirror}}
"""
UPLOADS = "POST /cdproxy/nodes"
FOLDERS = "POST /drive/v1/nodes"
LISTINGS = "GET /drive/v1/nodes"
FEED = "POST /drive/v1/changes"


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("drive")) as serving:
        yield serving


def asked(drive: Served, machine: Machine, number: int) -> dict[str, int]:
    """The requests of a run with so many files in two folders."""
    token, name = machine.home / "token.json", f"files-{number // 100}"
    token.write_text(json.dumps(drive.ready["token"]))
    token.chmod(0o600)
    manifest = MANIFEST.format(url=drive.ready["url"], name=name, token=token)
    (machine.jobs / "counted.yaml").write_text(manifest)
    machine.write({f"{n % 2}/{n:04}.jpg": b"x" * n for n in range(number)}, machine.home / name)
    drive.http.delete("admin/counts").raise_for_status()
    said = machine.acdrun("jobs/counted.yaml")
    assert said.code == 0, said.err
    return drive.counts()


def test_a_new_file_costs_one_request_and_an_unchanged_one_none(drive: Served, machine: Machine) -> None:
    few, many = asked(drive, machine, 30), asked(drive, machine, 130)
    again, one_more = asked(drive, machine, 130), asked(drive, machine, 131)

    assert (few.pop(UPLOADS), many.pop(UPLOADS)) == (30, 130)
    assert max(few.pop(FEED), many.pop(FEED)) <= 3  # once more where an account is met for the first time
    assert few == many, "all else does not depend on the number of files"
    assert many[FOLDERS] == 3  # the root of the remote is one
    assert sum(many.values()) - many[FOLDERS] <= 8
    assert again.keys() <= {
        "GET /drive/v1/account/endpoint",
        LISTINGS,
        FEED,
    }
    assert sum(again.values()) <= 6
    assert one_more.pop(UPLOADS) == 1
    assert (
        sum(one_more.values()) <= sum(again.values()) + 2
    )  # is there room for it, and is its folder still there
