"""Whole jobs with S3, by the command line, and beside rclone."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.lab import s3
from tests.lab.servers import Served, missing, rclone, served
from tests.stories.conftest import Machine, Said

OLD_NS = 1_500_000_000_123_456_789
BIG = bytes(range(256)) * (17 << 12)
FILES: dict[str, str | bytes] = {
    "a/b/one": "1", "a/two": "2", "a-b": "3", "a.b/four": "4", "été/日本": "5", "with space & +%41#?": "6", "empty": "",
}  # fmt: skip


@dataclass
class Shop:
    """A machine and a bucket on one server. Its remote is `store`; `other` is a second bucket of it."""

    machine: Machine
    server: Served
    bucket: str
    other: str

    def run(self, *args: str) -> Said:
        """Call the program with the server's keys."""
        return self.machine.acdrun(*args, **s3.environment(self.server))

    def job(self, *pairs: dict[str, object]) -> str:
        """A job file with these pairs; returns how it is called."""
        retry = {"attempts": 3, "backoff": "10ms..50ms"}
        jobs = {f"job{number}": {"pairs": [{"retry": retry, **pair}]} for number, pair in enumerate(pairs)}
        text = {"version": 1, "name": "shop", "remotes": self.remotes(), "jobs": jobs}
        (self.machine.jobs / "shop.yaml").write_text(yaml.safe_dump(text))
        return "jobs/shop.yaml"

    def remotes(self) -> dict[str, object]:
        """Both buckets, as a manifest says them."""
        return {"store": s3.fields(self.server, self.bucket), "other": s3.fields(self.server, self.other)}

    def rclone(self, *args: str) -> str:
        """Call rclone 1.75; `s3:` is the server. Its words, error and all, must end well."""
        if (program := rclone()) is None:
            pytest.skip(missing("rclone"))
        environment = {
            "PATH": os.environ["PATH"], "HOME": str(self.machine.home), "TZ": "UTC", "RCLONE_CONFIG": os.devnull,
            "RCLONE_CONFIG_S3_TYPE": "s3", "RCLONE_CONFIG_S3_PROVIDER": "Other",
            "RCLONE_CONFIG_S3_ENDPOINT": self.server.url, "RCLONE_CONFIG_S3_ACCESS_KEY_ID": self.server.key_id,
            "RCLONE_CONFIG_S3_SECRET_ACCESS_KEY": self.server.secret, "RCLONE_CONFIG_S3_REGION": "us-east-1",
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


def shop_at(machine: Machine, server: str | Served) -> Shop:
    """A shop on this server, its buckets made by `acdrun mkdir`."""
    shop = Shop(
        machine, served(server) if isinstance(server, str) else server, s3.new_bucket(), s3.new_bucket()
    )
    folder = machine.home / "config" / "acdrun"
    folder.mkdir(parents=True)
    (folder / "remotes.yaml").write_text(yaml.safe_dump({"version": 1, "remotes": shop.remotes()}))
    for remote in ("store:", "other:"):
        assert shop.run("mkdir", remote).code == 0
    return shop


@pytest.fixture
def shop(machine: Machine) -> Shop:
    """On moto, which is quick."""
    return shop_at(machine, "moto")


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


@pytest.mark.parametrize("server", ["moto", pytest.param("swift", marks=pytest.mark.slow)])
def test_up_across_and_down_and_the_second_time_there_is_nothing_to_do(machine: Machine, server: str) -> None:
    shop = shop_at(machine, server)
    fill(machine, FILES | {"big": BIG})
    (machine.photos / "nothing in it").mkdir()
    job = shop.job(
        {"source": "../photos", "destination": "store:up", "mode": "mirror"},
        {"source": "store:up", "destination": "other:across", "mode": "mirror"},
        {"source": "other:across", "destination": "../down", "mode": "mirror"},
    )
    text = (machine.jobs / "shop.yaml").read_text()
    (machine.jobs / "shop.yaml").write_text(
        text.replace("  job1:", "  job1:\n    needs: [job0]").replace("  job2:", "  job2:\n    needs: [job1]")
    )

    first = shop.run(job)
    again = shop.run("--plan", "--detailed-exitcode", job)

    assert first.code == 0, first.err
    assert "1 empty folder not kept" in first.out
    assert on_disk(machine.home / "down") == content(FILES | {"big": BIG})
    times = {name: (machine.home / "down" / name).stat().st_mtime_ns for name in FILES}
    assert times == dict.fromkeys(FILES, OLD_NS)
    assert again.code == 0, again.out


@pytest.mark.slow
def test_a_plan_by_time_asks_for_each_file_once(shop: Shop) -> None:
    fill(shop.machine, FILES)
    pair: dict[str, object] = {
        "source": "../photos", "destination": "store:", "mode": "mirror", "checksum": {"compare": "time"},
    }  # fmt: skip
    job = shop.job(pair)

    assert shop.run(job).code == 0
    assert shop.run("--plan", "--detailed-exitcode", job).code == 0
    os.utime(shop.machine.photos / "a-b", ns=(OLD_NS + 10**9, OLD_NS + 10**9))
    changed = shop.run("--plan", "--detailed-exitcode", job)

    assert changed.code == 10
    assert "time differs" in changed.out or "1 changed" in changed.out


@pytest.mark.slow
def test_a_mirror_trashes_and_the_trash_an_undo_and_a_restore_bring_back(shop: Shop) -> None:
    fill(shop.machine, FILES)
    job = shop.job(
        {"source": "../photos", "destination": "store:in/here", "mode": "mirror",
         "guard": {"trash": {"max": "100%"}, "overwrite": {"max": "100%"}}}
    )  # fmt: skip
    assert shop.run(job).code == 0
    before = shop.lsl(f"s3:{shop.bucket}/in/here") if rclone() else []
    (shop.machine.photos / "a-b").unlink()
    fill(shop.machine, {"a/two": "changed"})
    assert shop.run(job).code == 0
    assert shop.run("cat", "store:in/here/a/two").out == "changed"

    listed = shop.run("trash", "list", "store:in/here")
    back = shop.run("trash", "restore", "store:in/here", "a-b")
    there = shop.run("cat", "store:in/here/a-b")
    undone = shop.run("undo", "last")

    assert "a-b" in listed.out
    assert "a/two" in listed.out
    assert (back.code, there.out) == (0, "3"), back.err
    assert undone.code == 0, undone.out + undone.err
    assert (shop.lsl(f"s3:{shop.bucket}/in/here") if rclone() else []) == before
    assert shop.run("restore", job, str(shop.machine.home / "whole")).code == 0
    assert on_disk(shop.machine.home / "whole") == content(FILES)


def test_what_acdrun_stores_is_to_rclone_as_if_it_were_its_own(shop: Shop) -> None:
    fill(shop.machine, FILES | {"big": BIG})
    job = shop.job({"source": "../photos", "destination": "store:", "mode": "mirror"})
    assert shop.run(job).code == 0

    checked = shop.rclone("check", "photos", f"s3:{shop.bucket}", "--exclude", ".acdrun-trash/**")

    assert "0 differences found" in checked
    assert f"{len(FILES) + 1} matching files" in checked
    assert shop.lsl(f"s3:{shop.bucket}") == shop.lsl("photos")


def test_what_rclone_stores_is_left_as_it_is(shop: Shop) -> None:
    fill(shop.machine, FILES | {"big": BIG})
    shop.rclone("copy", "photos", f"s3:{shop.bucket}", "--s3-chunk-size", "5Mi", "--s3-upload-cutoff", "5Mi")
    by: list[dict[str, object]] = [
        {"source": "../photos", "destination": "store:", "mode": "mirror"},
        {"source": "../photos", "destination": "store:", "mode": "mirror", "checksum": {"compare": "time"}},
    ]

    for pair in by:
        planned = shop.run("--plan", "--detailed-exitcode", shop.job(pair))
        assert planned.code == 0, planned.out + planned.err
