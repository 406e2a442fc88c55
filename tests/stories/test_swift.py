"""Whole jobs with Swift, by the command line, and beside rclone."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.lab import openstack
from tests.lab.servers import Served, missing, rclone, served
from tests.stories.conftest import Machine, Said

OLD_NS = 1_500_000_000_123_456_789
BIG = bytes(range(256)) * (17 << 12)
FILES: dict[str, str | bytes] = {
    "a/b/one": "1", "a/two": "2", "a-b": "3", "a.b/four": "4", "été/日本": "5", "with space & +%41#?": "6", "empty": "",
}  # fmt: skip


@dataclass
class Yard:
    """A machine and two containers of one account. Its remotes are `store` and `other`."""

    machine: Machine
    server: Served
    container: str
    second: str

    def run(self, *args: str) -> Said:
        """Call the program with the account's key."""
        return self.machine.acdrun(*args, **openstack.environment(self.server))

    def job(self, *pairs: dict[str, object], needs: bool = False) -> str:
        """A job file with these pairs; returns how it is called. needs: each waits for the one before."""
        retry = {"attempts": 3, "backoff": "10ms..50ms"}
        jobs: dict[str, object] = {}
        for number, pair in enumerate(pairs):
            before = {"needs": [f"job{number - 1}"]} if needs and number else {}
            jobs[f"job{number}"] = {**before, "pairs": [{"retry": retry, **pair}]}
        text = {"version": 1, "name": "yard", "remotes": self.remotes(), "jobs": jobs}
        (self.machine.jobs / "yard.yaml").write_text(yaml.safe_dump(text))
        return "jobs/yard.yaml"

    def remotes(self) -> dict[str, object]:
        """Both containers, as a manifest says them."""
        return {
            "store": openstack.fields(self.server, self.container),
            "other": openstack.fields(self.server, self.second),
        }

    def rclone(self, *args: str) -> str:
        """Call rclone 1.75; `sw:` is the account. Its words, error and all, must end well."""
        if (program := rclone()) is None:
            pytest.skip(missing("rclone"))
        environment = {
            "PATH": os.environ["PATH"], "HOME": str(self.machine.home), "TZ": "UTC", "RCLONE_CONFIG": os.devnull,
            "RCLONE_CONFIG_SW_TYPE": "swift", "RCLONE_CONFIG_SW_AUTH": f"{self.server.url}/auth/v1.0",
            "RCLONE_CONFIG_SW_USER": self.server.key_id, "RCLONE_CONFIG_SW_KEY": self.server.secret,
        }  # fmt: skip
        done = subprocess.run(
            [program, *args, "--retries", "1"], env=environment, cwd=self.machine.home, capture_output=True,
            text=True, timeout=90, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    def lsl(self, where: str) -> list[str]:
        """Sizes, times and paths, as rclone sees them."""
        out = self.rclone("lsl", where, "--exclude", ".acdrun-trash/**")
        return sorted(line.strip() for line in out.splitlines())


@pytest.fixture
def yard(machine: Machine) -> Yard:
    """Containers made by `acdrun mkdir`."""
    yard = Yard(machine, served("swift"), openstack.new_container(), openstack.new_container())
    folder = machine.home / "config" / "acdrun"
    folder.mkdir(parents=True)
    (folder / "remotes.yaml").write_text(yaml.safe_dump({"version": 1, "remotes": yard.remotes()}))
    for remote in ("store:", "other:"):
        made = yard.run("mkdir", remote)
        assert made.code == 0, made.err
    return yard


def fill(machine: Machine, files: dict[str, str | bytes], folder: Path | None = None) -> None:
    """Put files, last changed long ago."""
    machine.write(files, folder)
    for name in files:
        os.utime((folder or machine.photos) / name, ns=(OLD_NS, OLD_NS))


def on_disk(folder: Path) -> dict[str, bytes]:
    """Content by path, without the trash."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".acdrun-trash" not in path.parts
    }


def content(files: dict[str, str | bytes]) -> dict[str, bytes]:
    """The same in bytes."""
    return {name: data.encode() if isinstance(data, str) else data for name, data in files.items()}


def test_up_across_and_down_and_the_second_time_there_is_nothing_to_do(yard: Yard) -> None:
    fill(yard.machine, FILES | {"big": BIG})
    (yard.machine.photos / "nothing in it").mkdir()
    job = yard.job(
        {"source": "../photos", "destination": "store:up", "mode": "mirror"},
        {"source": "store:up", "destination": "other:across", "mode": "mirror"},
        {"source": "other:across", "destination": "../down", "mode": "mirror"},
        needs=True,
    )

    first = yard.run(job)
    again = yard.run("--plan", "--detailed-exitcode", job)

    assert first.code == 0, first.out + first.err
    assert "1 empty folder not kept" in first.out
    assert on_disk(yard.machine.home / "down") == content(FILES | {"big": BIG})
    times = {name: (yard.machine.home / "down" / name).stat().st_mtime_ns for name in FILES}
    assert times == dict.fromkeys(FILES, OLD_NS)
    assert again.code == 0, again.out


def test_a_mirror_trashes_and_the_trash_an_undo_and_a_restore_bring_back(yard: Yard) -> None:
    fill(yard.machine, FILES | {"big": BIG})
    job = yard.job(
        {"source": "../photos", "destination": "store:in/here", "mode": "mirror",
         "guard": {"trash": {"max": "100%"}, "overwrite": {"max": "100%"}}}
    )  # fmt: skip
    assert yard.run(job).code == 0
    before = yard.lsl(f"sw:{yard.container}/in/here") if rclone() else []
    for name in ("a-b", "big"):
        (yard.machine.photos / name).unlink()
    fill(yard.machine, {"a/two": "changed"})
    assert yard.run(job).code == 0
    assert yard.run("cat", "store:in/here/a/two").out == "changed"

    listed = yard.run("trash", "list", "store:in/here")
    back = yard.run("trash", "restore", "store:in/here", "a-b")
    there = yard.run("cat", "store:in/here/a-b")
    undone = yard.run("undo", "last")

    assert all(name in listed.out for name in ("a-b", "a/two", "big"))
    assert (back.code, there.out) == (0, "3"), back.err
    assert undone.code == 0, undone.out + undone.err
    assert (yard.lsl(f"sw:{yard.container}/in/here") if rclone() else []) == before
    assert yard.run("restore", job, str(yard.machine.home / "whole")).code == 0
    assert on_disk(yard.machine.home / "whole") == content(FILES | {"big": BIG})


def test_what_acdrun_stores_is_to_rclone_as_if_it_were_its_own(yard: Yard) -> None:
    fill(yard.machine, FILES | {"big": BIG})
    job = yard.job({"source": "../photos", "destination": "store:", "mode": "mirror"})
    assert yard.run(job).code == 0

    checked = yard.rclone(
        "check", "photos", f"sw:{yard.container}", "--download", "--exclude", ".acdrun-trash/**"
    )
    by_digest = yard.rclone("check", "photos", f"sw:{yard.container}", "--exclude", ".acdrun-trash/**")

    for said in (checked, by_digest):
        assert "0 differences found" in said
        assert f"{len(FILES) + 1} matching files" in said
    assert yard.lsl(f"sw:{yard.container}") == yard.lsl("photos")


@pytest.mark.parametrize("beside", ["true", "false"])
def test_what_rclone_stores_is_left_as_it_is(yard: Yard, beside: str) -> None:
    """Its large files are manifests that name a prefix, of segments in a container beside or among the files."""
    fill(yard.machine, FILES | {"big": BIG})
    large = ["--swift-chunk-size", "5Mi", f"--swift-use-segments-container={beside}"]
    yard.rclone("copy", "photos", f"sw:{yard.container}", *large)
    by: list[dict[str, object]] = [
        {"source": "../photos", "destination": "store:", "mode": "mirror"},
        {"source": "../photos", "destination": "store:", "mode": "mirror", "checksum": {"compare": "time"}},
    ]

    for pair in by:
        planned = yard.run("--plan", "--detailed-exitcode", yard.job(pair))
        assert planned.code == 0, planned.out + planned.err


def test_no_secret_is_in_anything_that_is_said_or_kept(yard: Yard) -> None:
    canary = "canary-4711-secret"
    fill(yard.machine, FILES)
    job = yard.job({"source": "../photos", "destination": "store:", "mode": "mirror"})

    refused = yard.machine.acdrun("-vv", job, LAB_SWIFT_KEY=canary)
    run = yard.run("-vv", job)

    assert refused.code == 6, refused.out + refused.err
    assert "the log-in is refused" in refused.err + refused.out
    assert "acdrun login" not in refused.err + refused.out, "nobody logs in to this kind"
    said = refused.out + refused.err + run.out + run.err
    assert canary not in said
    assert "AUTH_tk" not in said
    for path in yard.machine.state.rglob("*"):
        if path.is_file():
            kept = path.read_bytes()
            assert canary.encode() not in kept, path
            assert b"AUTH_tk" not in kept, path
