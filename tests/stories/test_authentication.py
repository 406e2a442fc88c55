"""Tokens end, are dead, or would like to get out. Source: reliability.md §9, group A."""

import itertools
import json
import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stories.conftest import Machine
from tests.stories.conftest import Said as Told
from tests.stories.spoilt import Scene, md5
from tests.stories.test_places import Account, account

UPLOADS = {"method": "POST", "path": "/cdproxy/nodes"}
LISTINGS = {"method": "GET", "path": "/drive/v1/nodes", "query": "parents:"}
EXPIRED = {"do": "status", "status": 401, "message": "Token has expired"}
NUMBER = itertools.count()


@pytest.fixture(scope="module")
def one_account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """One drive for the stories of this file; each has a folder of its own."""
    home = tmp_path_factory.mktemp("drive")
    with account(Machine(home), "drive") as drive:
        yield drive


@pytest.fixture
def scene(machine: Machine, one_account: Account) -> Iterator[Scene]:
    """The drive has `old.jpg` alone, the machine six other files; who logged in is on the machine."""
    scene = Scene(machine, one_account, f"photos{next(NUMBER)}")
    scene.seed({"old.jpg": b"old"})
    machine.write({f"{number}.jpg": str(number) for number in range(6)})
    yield scene
    scene.faults()


def logged_in(scene: Scene, **spoilt: str) -> Path:
    """Keep the account's token as a log-in does, some of its parts replaced; return its file."""
    folder = scene.machine.state / "tokens"
    folder.mkdir(mode=0o700, parents=True)
    scene.machine.state.chmod(0o700)
    path = folder / "cloud.json"
    path.write_text(json.dumps(json.loads(scene.account.token) | spoilt))
    path.chmod(0o600)
    return path


def nightly(scene: Scene, remote: str = "", job: str = "") -> str:
    """A job file that names no token; remote, job: more of their fields."""
    return scene.machine.nightly(
        f"""\
version: 1
name: nightly
remotes:
  cloud: {{type: acd, server: "{scene.account.url}"{remote}}}
jobs:
  photos:
    {job}
    pairs:
      - source: ../photos
        destination: "cloud:{scene.folder}"
        mode: mirror
        retry: {{attempts: 2, calls: 2, backoff: 1ms..5ms, budget: 20s}}
"""
    )


def refreshes(scene: Scene) -> int:
    """How often a token was renewed, by whomever."""
    counts = scene.account.http.get("admin/counts").raise_for_status().json()["requests"]
    number: int = counts.get("POST /auth/o2/token", 0)
    return number


@pytest.mark.torture
def test_A1_a_token_that_ends_within_a_listing_and_an_upload_is_renewed_and_nothing_sent_twice(
    scene: Scene,
) -> None:
    token = logged_in(scene)
    scene.faults(
        {"match": LISTINGS, "times": 1, "skip": 1, **EXPIRED},
        {"match": UPLOADS, "times": 1, "skip": 2, **EXPIRED},
    )
    renewed, sent = refreshes(scene), scene.uploads()

    said = scene.machine.acdrun(nightly(scene))

    assert said.code == 0, said.out + said.err
    assert scene.stored() == {f"{number}.jpg": md5(b"%d" % number) for number in range(6)}
    assert refreshes(scene) - renewed in (1, 2), "one for each token that was refused"
    assert scene.uploads() - sent == 6 + 1
    assert json.loads(token.read_text())["access_token"] != json.loads(scene.account.token)["access_token"]


@pytest.mark.torture
def test_A2_a_refresh_token_that_is_dead_in_mid_run_ends_it_and_says_how_to_log_in(scene: Scene) -> None:
    scene.machine.write({f"more{number}.jpg": str(number) for number in range(40)})
    token = logged_in(scene, refresh_token="Atzr|dead-canary")
    before = token.read_text()
    scene.faults({"match": UPLOADS, "skip": 2, **EXPIRED})
    sent = scene.uploads()

    said = scene.machine.acdrun(nightly(scene))

    assert said.code == 6
    assert "acdrun login cloud" in said.out
    assert "nothing was trashed" in said.out
    assert "old.jpg" in scene.stored()
    assert scene.trashed() == []
    assert scene.uploads() - sent <= 2 + 16 + 4, "none is begun once a person is needed"
    assert token.read_text() == before
    assert "canary" not in said.out + said.err


@pytest.mark.torture
def test_A2_a_configured_token_that_is_dead_says_where_the_new_one_has_to_go(scene: Scene) -> None:
    dead = json.dumps(json.loads(scene.account.token) | {"refresh_token": "Atzr|dead-canary"})
    scene.faults({"match": UPLOADS, **EXPIRED})

    said = scene.machine.acdrun(nightly(scene, ", auth: {token: {env: TOKEN}}"), TOKEN=dead)

    assert said.code == 6
    assert "the token that its configuration names" in said.out
    assert "canary" not in said.out + said.err


@pytest.mark.torture
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_A5_a_token_file_of_another_user_is_refused_unread(scene: Scene) -> None:
    token = logged_in(scene)
    os.chown(token, 12345, -1)
    before = scene.requests()

    said = scene.machine.acdrun(nightly(scene))

    assert said.code == 6
    assert "belongs to another user" in said.out + said.err
    assert scene.requests() == before
    assert "old.jpg" in scene.stored()


CRASH = """\
import sys
from runner.remote.oauth import OAuth

told = OAuth.bearer


async def bearer(self):
    text = await told(self)
    raise RuntimeError(f"a fault with {text!r} in its words, and {self._client_secret.reveal()}")


OAuth.bearer = bearer
"""
HOOK = """\
import os, sys
seen = []
for pid in (os.getpid(), os.getppid()):
    for what in ("environ", "cmdline", "limits"):
        with open(f"/proc/{pid}/{what}", "rb") as file:
            data = file.read()
        if pid == os.getpid() or what != "environ":
            seen.append(data)
        if what == "limits":
            assert data.partition(b"Max core file size")[2].split()[0] == b"0", "a core would hold secrets"
with open("seen", "wb") as file:
    file.write(b"\\n".join(seen))
"""


@pytest.fixture
def cores() -> Iterator[None]:
    """What crashes leaves a core, as far as this machine lets us say so."""
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))


@pytest.mark.torture
@pytest.mark.usefixtures("cores")
@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="looks at processes through /proc")
def test_A7_a_secret_of_any_source_is_in_nothing_that_is_said_kept_or_handed_on(scene: Scene) -> None:
    machine = scene.machine
    given = json.loads(scene.account.token)
    canaries = {
        "command": "Atzr|canary-of-the-command-0001",
        "env": "canary-of-the-environment-0002",
        "file": "canary-of-the-file-0003",
        "url": "canary-of-the-address-0004",
    }
    token = json.dumps(given | {"refresh_token": canaries["command"]})
    for name, text in (("token.json", token), ("secret", canaries["file"])):
        (machine.home / name).write_text(text)
        (machine.home / name).chmod(0o600)
    (machine.jobs / "hook.py").write_text(HOOK)
    auth = (
        f", auth: {{token: {{command: [cat, {machine.home / 'token.json'}]}},"
        f" client_id: {{env: CLIENT}}, client_secret: {{file: {machine.home / 'secret'}}}}}"
    )
    job = nightly(scene, auth, f"before: [{sys.executable}, hook.py]")
    crashing = machine.home / "crashing"
    crashing.mkdir()
    (crashing / "sitecustomize.py").write_text(CRASH)

    def call(*args: str, **more: str) -> Told:
        return machine.acdrun(*args, CLIENT=canaries["env"], **more)

    said = [
        call("--plan", "-vv", "--out", "saved.plan", job),
        call("-vv", job),
        call("--json", "-vv", job),
        call("log", "last", "--all", "-v"),
        call("show", "saved.plan", "--json"),
        call("show", job),
    ]
    scene.faults({"match": LISTINGS, **EXPIRED})
    said.append(call("-vv", "--fresh", job))
    scene.faults()
    crashed = call("-vv", job, PYTHONPATH=f"{crashing}:{machine.environment['PYTHONPATH']}")
    address = scene.account.url.replace("://", f"://user:{canaries['url']}@")
    machine.nightly((machine.jobs / "nightly.yaml").read_text().replace(scene.account.url, address))
    refused = call("-vv", job)

    secrets = [*canaries.values(), given["access_token"], given["refresh_token"]]
    text = "\n".join(one.out + one.err for one in [*said, crashed, refused])
    assert [one.code for one in said[:5]] == [0] * 5, said
    assert said[-1].code == 6
    assert crashed.code == 1
    assert "acdrun itself failed" in crashed.err
    assert list((machine.state / "crashes").iterdir()) != []
    assert refused.code != 0
    assert b"HOME" in (machine.jobs / "seen").read_bytes()
    assert [secret for secret in secrets if secret in text] == []
    assert files_with(machine, secrets) == []


def files_with(machine: Machine, secrets: list[str]) -> list[str]:
    """Every file of the machine with a secret in it, but for those that a secret was put into by hand."""
    put = [machine.home / "token.json", machine.home / "secret", machine.jobs / "nightly.yaml"]
    found = []
    for path in machine.home.rglob("*"):
        if path.is_file() and path not in put:
            content = path.read_bytes()
            found += [str(path) for secret in secrets if secret.encode() in content]
    return found
