"""Cells of the torture matrix on S3: a server that answers as real ones do, and somebody between who does not.

In each story a mirror has an object to trash, which must not go while anything is unclear.
"""

import hashlib
import json
import re
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import quote, unquote

import httpx
import pytest
import yaml

from tests.lab import s3
from tests.lab.servers import Served, served
from tests.stories.between import Asked, Between, Rule, Said, between, raw
from tests.stories.conftest import Machine
from tests.stories.conftest import Said as Told

SEED = {"old": b"old", "kept": b"kept"}
MIRRORED = {"kept": b"kept", "new": b"new"}
SIGNED = (
    "AWS4-HMAC-SHA256 Credential=STRANGER/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
)
"""Moto looks whether there is a signature, and not at it."""
BIG = bytes(range(256)) * (17 << 12)


@dataclass(frozen=True)
class Scene:
    """A bucket with `old` and `kept`, a machine with `kept` and `new`, and who stands between them."""

    machine: Machine
    server: Served
    stage: Between
    bucket: str

    @cached_property
    def service(self) -> httpx.Client:
        """The service itself, as a stranger's client sees it."""
        return httpx.Client(base_url=self.server.url, timeout=30, headers={"Authorization": SIGNED})

    def seed(self, objects: dict[str, bytes]) -> None:
        """Make the bucket, and these objects in it."""
        self.service.put(f"/{self.bucket}").raise_for_status()
        for key, data in objects.items():
            self.service.put(f"/{self.bucket}/{quote(key)}", content=data).raise_for_status()

    def stored(self, prefix: str = "") -> dict[str, bytes]:
        """Content by key, without the trash."""
        listed = self.service.get(f"/{self.bucket}", params={"list-type": "2", "prefix": prefix}).text
        keys = [unquote(key) for key in re.findall(r"<Key>([^<]*)</Key>", listed)]
        return {
            key: self.service.get(f"/{self.bucket}/{quote(key)}").raise_for_status().content
            for key in keys
            if ".acdrun-trash/" not in key
        }

    def trashed(self) -> int:
        """How many objects are in the trash."""
        return self.service.get(f"/{self.bucket}", params={"prefix": ".acdrun-trash/"}).text.count("<Key>")

    def uploads(self) -> int:
        """How many uploads in parts are not finished."""
        return self.service.get(f"/{self.bucket}?uploads").text.count("<UploadId>")

    def job(
        self, *, source: str = "", destination: str = "store:", keys: object = None, **more: object
    ) -> str:
        """Write the job; returns how it is called."""
        fields = s3.fields(self.server._replace(url=self.stage.url), self.bucket) | {"region": "us-east-1"}
        pair = {
            "source": source or str(self.machine.photos), "destination": destination, "mode": "mirror",
            "retry": {"attempts": 2, "calls": 2, "backoff": "1ms..5ms", "budget": "20s"},
            "guard": {"trash": {"max": "100%"}, "overwrite": {"max": "100%"}}, **more,
        }  # fmt: skip
        remotes = {"store": fields | ({"auth": keys} if keys else {})}
        text = {"version": 1, "name": "torn", "remotes": remotes, "jobs": {"torn": {"pairs": [pair]}}}
        (self.machine.jobs / "torn.yaml").write_text(yaml.safe_dump(text))
        return "jobs/torn.yaml"

    def run(self, rule: Rule = lambda asked: None, *args: str, **more: object) -> Told:
        """Run the job while the one between follows this rule."""
        job = self.job(**more)  # type: ignore[arg-type]
        self.stage.rule, self.stage.seen[:] = rule, []
        try:
            return self.machine.acdrun(job, *args, **s3.environment(self.server))
        finally:
            self.stage.rule = lambda asked: None

    def sent(self, key: str) -> int:
        """How often this key was stored."""
        return sum(line == f"PUT /{self.bucket}/{key}" for line in self.stage.seen)


@pytest.fixture
def scene(machine: Machine) -> Iterator[Scene]:
    server = served("moto")
    with between(server.url) as stage:
        scene = Scene(machine, server, stage, s3.new_bucket())
        scene.seed(SEED)
        machine.write({"kept": "kept", "new": "new"})
        yield scene
        scene.service.close()


def refused(status: int, code: str, **headers: str) -> Said:
    """A complaint of the service."""
    return Said(status, headers, f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode())


def object_put(asked: Asked, word: str = "/new") -> bool:
    """Is it this key that is stored?"""
    return asked.method == "PUT" and asked.path.endswith(word)


def listing(asked: Asked) -> bool:
    """Is the bucket listed, all of it?"""
    return asked.method == "GET" and "list-type=2" in asked.path and "max-keys=1000" in asked.path


@pytest.mark.torture
@pytest.mark.parametrize("arrived", [True, False])
def test_P4_P5_killed_around_the_last_byte_of_an_upload_it_is_stored_once(
    scene: Scene, arrived: bool
) -> None:
    held, over = threading.Event(), threading.Event()

    def hold(asked: Asked) -> bytes | None:
        if not object_put(asked):
            return None
        if arrived:
            asked.real()
        held.set()
        over.wait(30)
        return b""

    job, scene.stage.rule = scene.job(), hold
    process = scene.machine.start(job, **s3.environment(scene.server))
    assert held.wait(60)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    over.set()
    between_runs = scene.stored()
    said = scene.run()

    assert between_runs == SEED | ({"new": b"new"} if arrived else {})
    assert said.code == 0, said.out + said.err
    assert scene.stored() == MIRRORED
    assert scene.sent("new") == (0 if arrived else 1)


@pytest.mark.torture
def test_P7_killed_between_two_parts_the_next_run_sends_the_others_alone(scene: Scene) -> None:
    scene.machine.write({"big": BIG})
    held, over = threading.Event(), threading.Event()

    def hold(asked: Asked) -> None:
        if asked.method == "PUT" and "partNumber=2" in asked.path:
            held.set()
            over.wait(30)

    job, scene.stage.rule = scene.job(), hold
    process = scene.machine.start(job, **s3.environment(scene.server))
    assert held.wait(60)
    for _ in range(600):  # the first part has arrived by then, or does at once
        if "PartNumber" in parts_of(scene):
            break
        threading.Event().wait(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    over.set()
    assert "big" not in scene.stored()
    said = scene.run()

    assert said.code == 0, said.out + said.err
    assert scene.stored() == MIRRORED | {"big": BIG}
    assert not any("partNumber=1&" in line for line in scene.stage.seen if line.startswith("PUT"))
    assert scene.uploads() == 0


def parts_of(scene: Scene) -> str:
    """What the service tells of the parts of the one upload there is."""
    uploads = scene.service.get(f"/{scene.bucket}?uploads").text
    names = re.findall(r"<UploadId>([^<]*)</UploadId>", uploads)
    return scene.service.get(f"/{scene.bucket}/big", params={"uploadId": names[0]}).text if names else ""


@pytest.mark.torture
def test_N22_an_upload_that_expires_amid_its_parts_is_begun_anew_by_the_same_run(scene: Scene) -> None:
    scene.machine.write({"big": BIG})

    def expire(asked: Asked) -> Said | None:
        if asked.method == "PUT" and "partNumber=3" in asked.path and asked.number == 1:
            upload = asked.path.partition("uploadId=")[2].partition("&")[0]
            scene.service.delete(f"/{scene.bucket}/big", params={"uploadId": upload})
            scene.stage.rule = lambda asked: None
            return refused(404, "NoSuchUpload")
        return None

    said = scene.run(expire)

    assert said.code == 0, said.out + said.err
    assert scene.stored() == MIRRORED | {"big": BIG}
    assert sum(line.startswith("POST") and "?uploads" in line for line in scene.stage.seen) == 2
    assert scene.uploads() == 0


@pytest.mark.torture
def test_N3_N4_lost_answers_and_busy_servers_delay_and_nothing_else(scene: Scene) -> None:
    scene.machine.write({"more": "more", "late": "late"})
    spoilt: list[str] = []

    def spoil(asked: Asked) -> Said | bytes | None:
        for word, how in (("/new", "lost"), ("/more", "503"), ("/late", "500")):
            if object_put(asked, word) and how not in spoilt:
                spoilt.append(how)
                if how == "lost":
                    asked.real()
                    return b""
                return (
                    refused(503, "SlowDown", **{"Retry-After": "0"})
                    if how == "503"
                    else refused(500, "InternalError")
                )
        return None

    said = scene.run(spoil)

    assert said.code == 0, said.out + said.err
    assert scene.stored() == MIRRORED | {"more": b"more", "late": b"late"}
    assert sorted(spoilt) == ["500", "503", "lost"]
    assert scene.sent("new") == 1, "what had arrived was found, and not sent again"


@pytest.mark.torture
@pytest.mark.parametrize("said_how_much", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_N6_N7_a_download_that_is_cut_leaves_no_file_and_nothing_is_trashed(
    scene: Scene, said_how_much: bool
) -> None:
    scene.seed({"kept": b"kept", "film": b"f" * 1000})
    down = scene.machine.home / "down"
    scene.machine.write({"extra": "extra", "kept": "kept"}, down)

    def cut(asked: Asked) -> bytes | None:
        if asked.method != "GET" or not asked.path.endswith("/film"):
            return None
        real = asked.real()
        length = ["Content-Length: 1000"] if said_how_much else ["Connection: close"]
        etag = next(value for name, value in real.headers.items() if name.lower() == "etag")
        return raw(real.body[:400], *length, f"ETag: {etag}", "x-amz-meta-mtime: 1500000000")

    said = scene.run(cut, source="store:", destination=str(down))

    assert said.code != 0
    assert not (down / "film").exists()
    assert (down / "extra").exists()
    assert (down / "old").read_bytes() == b"old"


@pytest.mark.torture
def test_N7_N12_N14_a_listing_that_is_cut_turns_in_circles_or_is_empty_trashes_nothing(scene: Scene) -> None:
    def halved(real: Said) -> Said:
        return real.saying(real.body[: len(real.body) // 2])

    def endless(real: Said) -> Said:
        token = b"<IsTruncated>true</IsTruncated><NextContinuationToken>x</NextContinuationToken>"
        return real.saying(real.body.replace(b"<IsTruncated>false</IsTruncated>", token))

    def endless_without_a_token(real: Said) -> Said:
        return real.saying(real.body.replace(b"<IsTruncated>false", b"<IsTruncated>true"))

    def page(real: Said) -> Said:
        return real.saying(b"<html><body>log in to the network</body></html>")

    def empty(real: Said) -> Said:
        return real.saying(re.sub(rb"<Contents>.*</Contents>", b"", real.body, flags=re.DOTALL))

    down = scene.machine.home / "down"
    scene.machine.write({"old": "old", "extra": "extra"}, down)

    def on_listings(how: Callable[[Said], Said]) -> Rule:
        return lambda asked: how(asked.real()) if listing(asked) else None

    for spoil in (halved, endless, endless_without_a_token, page):
        said = scene.run(on_listings(spoil))
        assert said.code != 0, spoil.__name__
        assert scene.stored() in (SEED, SEED | MIRRORED), spoil.__name__
    said = scene.run(on_listings(empty), source="store:", destination=str(down))

    assert said.code == 4, "an empty source is no source"
    assert sorted(path.name for path in down.iterdir()) == ["extra", "old"]
    assert scene.trashed() == 0


@pytest.mark.torture
def test_N9_N11_what_is_stored_otherwise_or_confirmed_wrongly_is_taken_back(scene: Scene) -> None:
    scene.machine.write({"other": "other"})

    def spoil(asked: Asked) -> Said | None:
        if object_put(asked):  # the service stores other bytes of the right size, and says so
            return asked.pass_on(asked.body[::-1])
        if object_put(asked, "/other"):  # it stores what was sent, and says something else
            real = asked.real()
            wrong = hashlib.md5(b"wrong").hexdigest()
            headers = {name: value for name, value in real.headers.items() if name.lower() != "etag"}
            return Said(real.status, headers | {"ETag": f'"{wrong}"'}, real.body)
        return None

    said = scene.run(spoil)

    assert said.code in (1, 9), said.out
    assert "new" not in scene.stored()
    assert scene.stored().get("other") in (None, b"other")
    assert scene.stored()["old"] == b"old", "nothing goes while an upload has failed"
    assert scene.trashed() == 0


@pytest.mark.torture
@pytest.mark.parametrize(("theirs", "code"), [(b"new", 0), (b"alien", 5)])
def test_N16_what_another_stored_meanwhile_is_adopted_if_equal_and_else_left(
    scene: Scene, theirs: bytes, code: int
) -> None:
    def first(asked: Asked) -> None:
        if object_put(asked) and asked.number == 1:
            scene.service.put(f"/{scene.bucket}/new", content=theirs).raise_for_status()

    said = scene.run(first)

    assert (said.code == 0) == (code == 0), said.out
    assert scene.stored()["new"] == theirs
    assert ("old" in scene.stored()) == (code != 0)


@pytest.mark.torture
@pytest.mark.parametrize(
    ("word", "code"), [("QuotaExceeded", 7), pytest.param("AccessDenied", 6, marks=pytest.mark.slow)]
)
def test_N17_N18_a_bucket_that_is_full_or_shut_amid_a_run_keeps_all_it_has(
    scene: Scene, word: str, code: int
) -> None:
    scene.machine.write({f"{number:02}": f"{number}" for number in range(40)})
    stored: list[str] = []

    def full(asked: Asked) -> Said | None:
        if asked.method == "PUT" and re.search(r"/\d\d$", asked.path):
            if len(stored) >= 24:
                return refused(403, word)
            stored.append(asked.path)
        return None

    said = scene.run(full)

    assert said.code == code, said.out
    assert SEED.items() <= scene.stored().items()
    assert scene.trashed() == 0
    assert scene.run().code == 0
    assert set(scene.stored()) == {"kept", "new"} | {f"{number:02}" for number in range(40)}


@pytest.mark.torture
@pytest.mark.parametrize("there_are_others", [True, False])
def test_A1_A2_keys_that_expire_amid_a_run_are_looked_for_once_more(
    scene: Scene, there_are_others: bool
) -> None:
    """The tool that hands out such keys writes new ones where the old ones were."""
    scene.machine.write({f"{number:02}": f"{number}" for number in range(20)})
    file, asked_for = scene.machine.home / "token", scene.machine.home / "asked"
    file.write_text("first")
    command = ["sh", "-c", f"echo . >> {asked_for}; cat {file}"]
    keys = {
        "access_key_id": {"env": "LAB_S3_ID"}, "secret_access_key": {"env": "LAB_S3_SECRET"},
        "session_token": {"command": command},
    }  # fmt: skip
    over: list[str] = []

    def expire(asked: Asked) -> Said | None:
        token = asked.headers.get("x-amz-security-token", "")
        if re.search(r"/1\d$", asked.path) and asked.method == "PUT" and not over:
            over.append("over")
            if there_are_others:
                file.write_text("second")
        return refused(400, "ExpiredToken") if over and token == "first" else None

    said = scene.run(expire, keys=keys)

    assert (said.code == 0) == there_are_others, said.out + said.err
    if there_are_others:
        assert set(scene.stored()) == {"kept", "new"} | {f"{number:02}" for number in range(20)}
        assert len(asked_for.read_text().split()) == 2, "one looked, all the others waited"
    else:
        assert said.code == 6
        assert "get new keys" in said.out + said.err
        assert scene.stored()["old"] == b"old"
        assert scene.trashed() == 0
    assert "first" not in said.out + said.err + json.dumps(scene.stage.seen)
