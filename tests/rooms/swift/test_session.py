"""The log-in: both protocols, what is renewed, what is refused; and who logs in, as manifest and environment say."""

import asyncio
import json
from pathlib import Path

import pytest

from runner.backends.contract.rule import children, read, write
from runner.backends.swift import session
from runner.backends.swift.config import SwiftConfig
from runner.backends.swift.credentials import Account, account
from runner.backends.swift.session import Session
from runner.manifest.rclone import read_rclone
from runner.model.errors import AcdrunError, BadAnswer, LoginNeeded, UsageError
from runner.model.secret import Secret
from runner.remote.http import Answer, Sending
from runner.remote.throttle import Throttle
from runner.remote.wire import Wire
from tests.lab.spoilt import Spoil, Told
from tests.rooms.swift.conftest import Container

KEY = {"env": "LAB_SWIFT_KEY"}
CREDENTIAL = {"application_credential_secret": {"env": "LAB_SWIFT_CREDENTIAL"}}
KEYSTONE: list[dict[str, object]] = [
    {"user": "tester", "project": "test", "key": KEY},
    {"user_id": "u-tester", "project_id": "p-test", "key": KEY, "version": 3},
    {"application_credential_id": "cred-1", **CREDENTIAL},
    {"application_credential_name": "nightly", "user": "tester", "user_domain": "Default", **CREDENTIAL},
]


@pytest.mark.parametrize("auth", KEYSTONE)
def test_keystone_knows_a_user_and_its_credentials(
    container: Container, auth: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_SWIFT_CREDENTIAL", "cred-secret")
    container.fields = {"auth": {"url": f"{container.server.url}/v3", **auth}}

    container.use(lambda remote: write(remote, "file", b"content"))

    assert container.use(lambda remote: read(remote, "file")) == b"content"
    assert container.engine.count("POST", "/v3/auth/tokens") >= 1


def test_the_storage_is_that_of_region_and_interface(container: Container) -> None:
    auth = {"url": container.server.url, "user": "tester", "project": "test", "key": KEY}
    container.fields = {"auth": auth, "region": "RegionTwo", "interface": "internal"}
    assert container.use(children) == {}

    container.fields = {"auth": auth, "region": "RegionThree"}
    with pytest.raises(UsageError, match="RegionThree") as caught:
        container.use(children)
    assert "RegionTwo (internal)" in caught.value.hint


@pytest.mark.torture
def test_A1_a_token_that_is_refused_in_mid_run_is_renewed_once(container: Container) -> None:
    expired = Spoil("PUT", "/file", "refused", times=8, status=401, body=b"")
    container.engine.spoil(
        expired._replace(times=1), Spoil("GET", "format=json", "refused", status=401, body=b"")
    )

    async def act(remote: object) -> None:
        await asyncio.gather(*(write(remote, f"file{number}") for number in range(6)))  # type: ignore[arg-type]
        assert len(await children(remote)) == 6  # type: ignore[arg-type]

    container.use(act)
    assert container.engine.count("GET", "/auth/v1.0") == 3

    container.engine.spoil(expired)
    with pytest.raises(LoginNeeded) as caught:
        container.use(lambda remote: write(remote, "file"))
    assert "acdrun login" not in caught.value.hint


class Scripted:
    """An engine that answers each log-in with the next of what it was given, and keeps what was asked."""

    def __init__(self, *told: Told) -> None:
        self.told = list(told)
        self.asked: list[Sending] = []

    async def send(self, sending: Sending) -> Answer:
        """See `http.Engine`."""
        self.asked.append(sending)
        await asyncio.sleep(0)
        return self.told.pop(0)

    async def close(self) -> None:
        """There is nothing to close."""


def entry(number: int, life: str = "3600") -> Told:
    """A log-in that worked."""
    headers = {
        "x-auth-token": f"token-{number}",
        "x-storage-url": "https://store/v1/a",
        "x-auth-token-expires": life,
    }
    return Told(200, headers, b"")


ACCOUNT = Account(1, "https://host/auth/v1.0", "who", key=Secret("canary-key"))


def opened(engine: Scripted, now: list[float], account: Account = ACCOUNT) -> Session:
    """A session whose clock is the list's last entry."""
    return Session(Wire(engine, Throttle(concurrency=1), session.classify), account, clock=lambda: now[-1])


def test_one_log_in_serves_all_and_a_new_one_comes_before_the_end() -> None:
    engine, now = Scripted(entry(1), entry(2), entry(3, "30")), [0.0]

    async def act() -> list[str]:
        one = opened(engine, now)
        said = await asyncio.gather(*(one.bearer() for _ in range(9)))
        now.append(3600 - 59)
        said += await asyncio.gather(*(one.bearer() for _ in range(9)))
        await asyncio.gather(*(one.renew("token-2") for _ in range(9)))
        now.append(now[-1] + 14)
        return [*said, await one.bearer()]

    assert asyncio.run(act()) == ["token-1"] * 9 + ["token-2"] * 9 + ["token-3"]


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        (Told(401, {}, b"canary-key"), LoginNeeded),
        (Told(404, {}, b""), LoginNeeded),
        (Told(200, {"x-auth-token": "t", "x-storage-url": "http://10.0.0.1/v1/a"}, b""), BadAnswer),
        (Told(200, {"x-storage-url": "https://store/v1/a"}, b""), BadAnswer),
        (Told(302, {"location": "https://elsewhere/"}, b""), BadAnswer),
    ],
)
def test_a_log_in_that_is_none_is_no_log_in(told: Told, kind: type[AcdrunError]) -> None:
    engine = Scripted(told)

    with pytest.raises(kind) as caught:
        asyncio.run(opened(engine, [0.0]).bearer())

    assert "canary" not in f"{caught.value!r} {caught.value.hint}"


@pytest.mark.parametrize("body", [b"", b"[]", b'{"token": 5}', b'{"token": {"catalog": 7}}', b"[" * 100_000])
def test_a_token_that_makes_no_sense_is_none(body: bytes) -> None:
    engine = Scripted(Told(201, {"x-subject-token": "t"}, body))

    with pytest.raises(BadAnswer):
        asyncio.run(opened(engine, [0.0], ACCOUNT._replace(version=3, url="https://host/v3")).bearer())


def test_what_keystone_is_told_is_what_its_interface_describes() -> None:
    body = json.dumps({"token": {"catalog": [{"type": "object-store", "endpoints": [
        {"interface": "public", "region_id": "r", "url": "https://store/v1/a/"}]}]}}).encode()  # fmt: skip
    engine = Scripted(Told(201, {"x-subject-token": "tok"}, body))
    who = ACCOUNT._replace(version=3, url="https://host", project="acme", project_domain="Other")

    assert asyncio.run(opened(engine, [0.0], who).storage_url()) == "https://store/v1/a"

    asked = engine.asked[0]
    assert (asked.method, asked.url) == ("POST", "https://host/v3/auth/tokens")
    assert isinstance(asked.body, bytes)
    assert json.loads(asked.body) == {"auth": {
        "identity": {"methods": ["password"], "password": {"user": {
            "name": "who", "domain": {"name": "Default"}, "password": "canary-key"}}},
        "scope": {"project": {"name": "acme", "domain": {"name": "Other"}}},
    }}  # fmt: skip


def said(**fields: object) -> Account:
    """Who logs in by such a manifest."""
    return asyncio.run(account(SwiftConfig.model_validate({"type": "swift", **fields})))


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of OpenStack in the environment."""
    for name in ("OS_AUTH_URL", "OS_STORAGE_URL", "OS_AUTH_TOKEN", "ST_AUTH", "OS_REGION_NAME"):
        monkeypatch.delenv(name, raising=False)


OPENSTACK = {
    "OS_AUTH_URL": "https://k/v3/", "OS_USERNAME": "me", "OS_PASSWORD": "canary-pass", "OS_PROJECT_NAME": "acme",
    "OS_USER_DOMAIN_NAME": "Mine", "OS_PROJECT_DOMAIN_ID": "other", "OS_REGION_NAME": "here",
    "OS_INTERFACE": "internal",
}  # fmt: skip


def test_the_environment_speaks_openstacks_words_and_then_swifts(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LoginNeeded):
        said()
    monkeypatch.setenv("OS_STORAGE_URL", "https://s/v1/a")
    monkeypatch.setenv("OS_AUTH_TOKEN", "canary-token")
    assert said()[0] == 0
    for name, value in {"ST_AUTH": "https://h/auth/v1.0", "ST_USER": "a:b", "ST_KEY": "canary-key"}.items():
        monkeypatch.setenv(name, value)
    assert (said().version, said().user, said().key) == (1, "a:b", Secret("canary-key"))
    for name, value in OPENSTACK.items():
        monkeypatch.setenv(name, value)

    found = said(region="there")

    assert found._replace(storage_url="") == Account(
        3, "https://k/v3", "me", key=Secret("canary-pass"), project="acme", user_domain="Mine",
        project_domain_id="other", region="there", interface="internal",
    )  # fmt: skip
    assert "canary" not in repr(found) + found.place
    assert said(interface="public").interface == "public"


def test_a_manifest_that_says_where_does_not_ask_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_SWIFT_KEY", "key")
    monkeypatch.setenv("OS_AUTH_URL", "https://elsewhere/v3")

    assert said(auth={"url": "https://h/auth/v1.0", "user": "a:b", "key": KEY}).version == 1
    assert said(auth={"url": "https://h:5000", "user": "b", "project": "p", "key": KEY}).version == 3
    assert said(auth={"url": "https://h", "user": "b", "key": KEY, "version": 3}).version == 3
    with pytest.raises(LoginNeeded):
        said(auth={"url": "https://h", "user": "b"})
    with pytest.raises(UsageError, match="v2"):
        said(auth={"url": "https://h:5000/v2.0", "user": "b", "key": KEY})


RCLONE = """
[cloud]
type = swift
env_auth = false
user = me
key = canary-key
auth = https://keystone.example.org:5000/v3
tenant = acme
tenant_domain = Other
domain = Mine
auth_version = 3
region = here
endpoint_type = internal
storage_policy = gold
application_credential_id = cred
application_credential_secret = canary-cred
chunk_size = 1G
"""


def test_a_remote_of_rclone_comes_over(tmp_path: Path) -> None:
    conf = tmp_path / "rclone.conf"
    conf.write_text(RCLONE)

    (found,) = read_rclone(conf)

    assert found.fields == {
        "type": "swift", "region": "here", "interface": "internal", "storage_policy": "gold",
        "auth": {"user": "me", "url": "https://keystone.example.org:5000/v3", "project": "acme",
                 "project_domain": "Other", "user_domain": "Mine", "version": 3, "application_credential_id": "cred"},
    }  # fmt: skip
    assert {leaf.name: secret.reveal() for leaf, secret in found.secrets.items()} == {
        "auth.key": "canary-key", "auth.application_credential_secret": "canary-cred",
    }  # fmt: skip
    assert set(found.left_out) == {"env_auth", "chunk_size"}
