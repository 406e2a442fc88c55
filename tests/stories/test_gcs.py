"""Whole jobs with Google Cloud Storage, by the command line, and beside rclone."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest
import yaml

from tests.lab import gcs
from tests.lab.gcs_account import key_file
from tests.lab.gcs_forms import Asked
from tests.lab.gcs_server import serving
from tests.lab.gcs_service import Service
from tests.lab.servers import missing, rclone
from tests.stories.conftest import Machine, Said
from tests.stories.consent import free_port
from tests.stories.test_s3 import FILES, OLD_NS, content, fill, on_disk

BIG = bytes(range(256)) * (36 << 10) + b"end"
"""More than what is stored by one request."""


@dataclass
class Shop:
    """A machine and two buckets of one service: `store` and `other`. service: None where it is not ours."""

    machine: Machine
    url: str
    service: Service | None = None
    bucket: str = "shelf"
    second: str = "second"

    def run(self, *args: str, **more: str) -> Said:
        """Call the program."""
        return self.machine.acdrun(*args, **more)

    def remotes(self) -> dict[str, object]:
        """Both buckets, as a manifest says them."""
        return {"store": gcs.fields(self.url, self.bucket), "other": gcs.fields(self.url, self.second)}

    def job(self, *pairs: dict[str, object]) -> str:
        """A job file with these pairs, each in a job that needs the one before; returns how it is called."""
        retry = {"attempts": 3, "backoff": "10ms..50ms"}
        jobs: dict[str, dict[str, object]] = {}
        for number, pair in enumerate(pairs):
            needs = {"needs": [f"job{number - 1}"]} if number else {}
            jobs[f"job{number}"] = {"pairs": [{"retry": retry, **pair}], **needs}
        text = {"version": 1, "name": "shop", "remotes": self.remotes(), "jobs": jobs}
        (self.machine.jobs / "shop.yaml").write_text(yaml.safe_dump(text))
        return "jobs/shop.yaml"

    def rclone(self, *args: str) -> str:
        """Call rclone 1.75; `gcs:` is the service. Its words, error and all, must end well."""
        if (program := rclone()) is None:
            pytest.skip(missing("rclone"))
        environment = {
            "PATH": os.environ["PATH"], "HOME": str(self.machine.home), "TZ": "UTC", "RCLONE_CONFIG": os.devnull,
            "RCLONE_CONFIG_GCS_TYPE": "google cloud storage", "RCLONE_CONFIG_GCS_ANONYMOUS": "true",
            "RCLONE_CONFIG_GCS_ENDPOINT": f"{self.url}/storage/v1/", "RCLONE_CONFIG_GCS_PROJECT_NUMBER": "1",
            "RCLONE_CONFIG_GCS_BUCKET_POLICY_ONLY": "true",
        }  # fmt: skip
        done = subprocess.run(
            [program, *args, "--retries", "1", "--low-level-retries", "2"], env=environment,
            cwd=self.machine.home, capture_output=True, text=True, timeout=90, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    def lsl(self, where: str) -> list[str]:
        """Sizes, times and paths, as rclone sees them."""
        out = self.rclone("lsl", where, "--exclude", ".acdrun-trash/**")
        return sorted(line.strip() for line in out.splitlines())


@pytest.fixture
def shop(machine: Machine) -> Iterator[Shop]:
    """On the strict service, with nothing in it."""
    with serving() as service:
        yield shop_at(machine, service)


def shop_at(machine: Machine, service: Service) -> Shop:
    """A shop there, its buckets empty."""
    shop = Shop(machine, service.url, service)
    write_remotes(machine, shop.remotes())
    for bucket in (shop.bucket, shop.second):
        service.make(bucket)
    return shop


def write_remotes(machine: Machine, remotes: dict[str, object]) -> None:
    """What `acdrun config` would have written."""
    folder = machine.home / "config" / "acdrun"
    folder.mkdir(parents=True)
    (folder / "remotes.yaml").write_text(yaml.safe_dump({"version": 1, "remotes": remotes}))


@pytest.fixture(params=["strict", "fake"])
def anywhere(request: pytest.FixtureRequest, machine: Machine) -> Iterator[Shop]:
    """On the strict service, and on fake-gcs-server."""
    if request.param == "strict":
        with serving() as service:
            yield shop_at(machine, service)
        return
    url = gcs.url_of("fake")
    yield Shop(machine, url, None, gcs.new_bucket(url), gcs.new_bucket(url))


def test_up_across_and_down_and_the_second_time_there_is_nothing_to_do(shop: Shop) -> None:
    assert shop.service is not None
    fill(shop.machine, FILES | {"big": BIG})
    (shop.machine.photos / "nothing in it").mkdir()
    job = shop.job(
        {"source": "../photos", "destination": "store:up", "mode": "mirror"},
        {"source": "store:up", "destination": "other:across", "mode": "mirror"},
        {"source": "other:across", "destination": "../down", "mode": "mirror"},
    )

    planned = shop.run("--plan", job)
    first = shop.run(job)

    assert f"plan: {3 * (len(FILES) + 1)} new, 0 changed, 0 trashed" in planned.out, (
        "of what is to be there by then"
    )
    assert first.code == 0, first.out + first.err
    assert "1 empty folder not kept" in first.out
    assert on_disk(shop.machine.home / "down") == content(FILES | {"big": BIG})
    times = {name: (shop.machine.home / "down" / name).stat().st_mtime_ns for name in FILES}
    assert times == dict.fromkeys(FILES, OLD_NS)
    assert shop.service.count("GET", "second/o/across") == len(FILES) + 1, "only what is fetched passes by"
    assert shop.service.count("GET", "shelf/o/up") == 0, "the service has copied"
    assert shop.service.count("POST", "rewriteTo") > len(FILES), "and the big one in several steps"

    shop.service.seen.clear()
    again = shop.run("--plan", "--detailed-exitcode", job)

    assert again.code == 0, again.out
    assert {line.split("?")[0] for line in shop.service.seen} <= {
        "GET /storage/v1/b/shelf/o", "GET /storage/v1/b/second/o",
    }  # fmt: skip


@pytest.mark.parametrize("compare", ["hash", pytest.param("time", marks=pytest.mark.slow)])
def test_a_plan_costs_a_request_for_each_thousand_files_and_no_other(shop: Shop, compare: str) -> None:
    assert shop.service is not None
    shop.service.page = 100
    many: dict[str, str | bytes] = {f"folder {number % 7}/{number}": str(number) for number in range(250)}
    fill(shop.machine, many)
    job = shop.job(
        {"source": "../photos", "destination": "store:", "mode": "mirror", "checksum": {"compare": compare}}
    )
    assert shop.run(job).code == 0
    shop.service.seen.clear()

    planned = shop.run("--plan", "--detailed-exitcode", job)

    listed = [line for line in shop.service.seen if "delimiter" not in line and "maxResults=1000" in line]
    assert planned.code == 0, planned.out
    assert len(listed) == 3
    assert len(shop.service.seen) - len(listed) <= 1, shop.service.seen


def test_what_acdrun_stores_is_to_rclone_as_if_it_were_its_own(anywhere: Shop) -> None:
    shop = anywhere
    fill(shop.machine, FILES | {"big": BIG})
    job = shop.job({"source": "../photos", "destination": "store:", "mode": "mirror"})
    assert shop.run(job).code == 0

    checked = shop.rclone("check", "photos", f"gcs:{shop.bucket}", "--exclude", ".acdrun-trash/**")

    assert "0 differences found" in checked
    assert f"{len(FILES) + 1} matching files" in checked
    assert shop.lsl(f"gcs:{shop.bucket}") == shop.lsl("photos")


def test_what_rclone_stores_is_left_as_it_is(anywhere: Shop) -> None:
    shop = anywhere
    fill(shop.machine, FILES | {"big": BIG})
    shop.rclone("copy", "photos", f"gcs:{shop.bucket}", "--gcs-no-check-bucket")
    by: list[dict[str, object]] = [
        {"source": "../photos", "destination": "store:", "mode": "mirror"},
        {"source": "../photos", "destination": "store:", "mode": "mirror", "checksum": {"compare": "time"}},
    ]

    for pair in by:
        planned = shop.run("--plan", "--detailed-exitcode", shop.job(pair))
        assert planned.code == 0, planned.out + planned.err


@pytest.mark.parametrize(
    "way", ["", *(pytest.param(way, marks=pytest.mark.slow) for way in ("versions", "soft"))]
)
def test_a_mirror_trashes_and_a_restore_and_an_undo_bring_back(shop: Shop, way: str) -> None:
    assert shop.service is not None
    shop.service.buckets["shelf"].way = way
    fill(shop.machine, FILES)
    job = shop.job(
        {"source": "../photos", "destination": "store:in/here", "mode": "mirror",
         "guard": {"trash": {"max": "100%"}, "overwrite": {"max": "100%"}}}
    )  # fmt: skip
    assert shop.run(job).code == 0
    live = shop.service.buckets["shelf"].live
    before = {name: state.data for name, state in live.items()}
    (shop.machine.photos / "a-b").unlink()
    fill(shop.machine, {"a/two": "changed"})
    assert shop.run(job).code == 0
    assert shop.run("cat", "store:in/here/a/two").out == "changed"

    listed = shop.run("trash", "list", "store:in/here")
    back = shop.run("trash", "restore", "store:in/here", "a-b")
    undone = shop.run("undo", "last")

    assert "a-b" in listed.out
    assert "a/two" in listed.out
    assert back.code == 0, back.err
    assert undone.code == 0, undone.out + undone.err
    after = {name: state.data for name, state in live.items() if ".acdrun-trash" not in name}
    assert after == before


def test_an_object_put_together_of_others_is_read_once_and_left_as_it_is(shop: Shop) -> None:
    assert shop.service is not None
    fill(shop.machine, {"whole": "onetwo"})
    for name in ("one", "two"):
        fill(shop.machine, {name: name})
    job = shop.job({"source": "../photos", "destination": "store:", "mode": "copy"})
    assert shop.run(job).code == 0
    httpx.post(
        f"{shop.url}/storage/v1/b/shelf/o/whole/compose",
        json={"sourceObjects": [{"name": "one"}, {"name": "two"}], "destination": {}},
    ).raise_for_status()

    ran = shop.run(job)
    shop.service.seen.clear()
    again = shop.run("--plan", "--detailed-exitcode", job)

    assert (ran.code, again.code) == (0, 0), ran.out + again.out
    assert shop.service.buckets["shelf"].live["whole"].md5 == "", "nobody has replaced it"
    assert shop.service.count("GET", "alt=media") == 0


def test_keys_that_are_no_paths_are_told_and_left_alone(shop: Shop) -> None:
    assert shop.service is not None
    for name in ("good", "a//b", "../up", "x/../y", "mark/", "end/of/mark/", "k" * 1024):
        httpx.post(
            f"{shop.url}/upload/storage/v1/b/shelf/o",
            params={"uploadType": "multipart"},
            headers={"Content-Type": "multipart/related; boundary=B"},
            content=b'--B\r\nContent-Type: application/json\r\n\r\n{"name": "%b"}\r\n--B\r\n\r\n%b\r\n--B--'
            % (name.encode(), b"" if name.endswith("/") else b"x"),
        ).raise_for_status()

    planned = shop.run("--plan", shop.job({"source": "store:", "destination": "../down", "mode": "copy"}))

    assert planned.code == 3, planned.out
    told = [line for line in planned.out.splitlines() if "!" in line]
    assert len([line for line in told if "no part of a path" in line]) >= 3, planned.out
    assert "good" in planned.out
    assert "mark" not in planned.out


@pytest.mark.torture
def test_P7_a_process_killed_in_a_large_file_is_gone_on_with_by_the_next(shop: Shop) -> None:
    assert shop.service is not None
    fill(shop.machine, {"big": BIG * 4})
    pair: dict[str, object] = {"source": "../photos", "destination": "store:", "mode": "mirror"}
    slow = shop.job(pair)
    text = (shop.machine.jobs / "shop.yaml").read_text()
    (shop.machine.jobs / "slow.yaml").write_text(
        text.replace("    bucket: shelf\n", "    bucket: shelf\n    limits: {bandwidth: 12MiB/s}\n")
    )
    process = shop.machine.start("jobs/slow.yaml")
    until = time.monotonic() + 60
    while shop.service.count("PUT /upload") < 2 and time.monotonic() < until:
        time.sleep(0.01)
    process.kill()
    process.communicate()
    (upload,) = shop.service.uploads.values()
    assert upload.done is None
    there = len(upload.data)
    shop.service.seen.clear()

    ran = shop.run(slow)

    assert ran.code == 0, ran.out + ran.err
    assert there > 0
    assert shop.service.count("POST /upload") == 0, "no upload was begun anew"
    assert shop.service.count("PUT /upload") == 1 - (there - len(BIG) * 4) // (8 << 20)
    assert shop.service.buckets["shelf"].live["big"].data == BIG * 4


@pytest.mark.torture
def test_A7_a_whole_run_of_a_service_account_shows_no_secret(machine: Machine) -> None:
    with serving() as service:
        service.make("shelf")
        service.tokens = set()
        path = key_file(service, machine.home / "key.json")
        shop = Shop(machine, service.url, service)
        fill(machine, FILES | {"big": BIG})
        job = shop.job({"source": "../photos", "destination": "store:", "mode": "mirror"})
        file = machine.jobs / "shop.yaml"
        file.write_text(
            file.read_text()
            .replace("anonymous: true", f"service_account_file: {path}")
            .replace("second", "shelf")
        )
        ended: list[str] = []

        def hook(asked: Asked) -> None:
            if (
                asked.path.startswith("/upload")
                and len(ended) < 2
                and service.count("POST /upload") > 3 * len(ended)
            ):
                ended.extend(service.tokens or ())
                service.tokens = set()

        service.hook = hook

        planned = shop.run("--plan", job, "--out", "a.plan", "-vv")
        ran = shop.run(job, "-vv")
        wrong = shop.run("ls", "store:none", "-vv")

        assert (planned.code, ran.code) == (0, 0), planned.err + ran.out + ran.err
        assert len(ended) > 0, "a token ended in the middle"
        key = json.loads(path.read_text())["private_key"].split("\n")[1:-2]
        secrets = [word.encode() for word in [*key, *ended, *(service.tokens or ())]]
        said = [text.encode() for one in (planned, ran, wrong) for text in (one.out, one.err)]
        kept = [one.read_bytes() for one in machine.home.rglob("*") if one.is_file() and one != path]
        assert [word for word in secrets if any(word in data for data in (*said, *kept))] == []


def test_a_remote_of_rclone_comes_over_and_is_used(shop: Shop) -> None:
    conf = shop.machine.home / "rclone.conf"
    conf.write_text(
        f"[theirs]\ntype = google cloud storage\nanonymous = true\nendpoint = {shop.url}/storage/v1/\n"
        "project_number = 1\nstorage_class = NEARLINE\nbucket_policy_only = true\n"
    )

    said = shop.run("config", "import", str(conf))
    made = shop.run("mkdir", "theirs:fresh")
    fill(shop.machine, {"one": "1"})
    copied = shop.run("copy", "photos", "theirs:fresh/up")
    listed = shop.run("lsd", "theirs:")

    assert "bucket_policy_only left out" in said.out + said.err
    assert (made.code, copied.code, listed.code) == (0, 0, 0), made.err + copied.err + listed.err
    assert "fresh" in listed.out
    assert shop.service is not None
    state = shop.service.buckets["fresh"].live["up/one"]
    assert state.about["storageClass"] == "NEARLINE"


def test_a_person_logs_in_and_the_token_is_used_and_renewed(machine: Machine) -> None:
    with serving() as service:
        service.make("shelf")
        service.tokens = set()
        who = {"APP": "my-application", "SECRET": "canary-secret"}
        made = machine.acdrun(
            "config", "create", "vault", "gcs", "bucket=shelf", f"endpoint={service.url}", "client_id=env:APP",
            "client_secret=env:SECRET", f"auth_url={service.url}/auth", f"token_url={service.url}/token",
        )  # fmt: skip
        before = machine.acdrun("ls", "vault:", **who)
        process = machine.start("login", "vault", "--no-browser", "--port", str(free_port()), **who)
        assert process.stderr is not None
        link = [process.stderr.readline() for _ in range(2)][1].strip()

        page = httpx.get(link, follow_redirects=True, trust_env=False)
        out, err = process.communicate(timeout=60)
        service.tokens = set()  # it has ended
        after = machine.acdrun("ls", "vault:", **who)

        assert (made.code, before.code, page.status_code, process.returncode) == (0, 6, 200, 0), (
            made.err + err
        )
        assert "acdrun login vault" in before.err
        assert "then renewed by itself" in out
        assert after.code == 0, after.err
