"""Who asks: service accounts, log-ins, application default credentials, nobody; and what is never shown of it."""

import asyncio
import builtins
import json
import os
from pathlib import Path
from typing import Any

import pytest

from runner.backends.contract.rule import read, write
from runner.backends.gcs.config import GcsConfig
from runner.backends.gcs.connect import address
from runner.backends.gcs.login import provider
from runner.model.errors import AcdrunError, BadAnswer, Denied, LoginNeeded
from runner.remote.secrets import redact
from runner.remote.tokens import Token, TokenStore
from tests.lab.gcs_account import key_file
from tests.lab.gcs_forms import Asked
from tests.lab.spoilt import Spoil
from tests.rooms.gcs.conftest import Bucket
from tests.rooms.remote.test_canaries import everything_said_by

CANARY = "1//canary-refresh"


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither this machine's owner nor its environment is logged in."""
    for word in ("GOOGLE_APPLICATION_CREDENTIALS", "STORAGE_EMULATOR_HOST"):
        monkeypatch.delenv(word, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "gcloud"))


@pytest.fixture
def closed(bucket: Bucket) -> Bucket:
    """The bucket, for those with a token."""
    bucket.service.tokens = set()
    bucket.service.refresh = {CANARY}
    return bucket


def private(path: Path, data: object) -> Path:
    """A file that only its owner may read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    path.chmod(0o600)
    return path


def user(bucket: Bucket, path: Path, refresh: str = CANARY) -> Path:
    """What gcloud writes of a person."""
    said = {
        "type": "authorized_user",
        "client_id": "id",
        "client_secret": "canary-secret",
        "refresh_token": refresh,
    }
    bucket.fields["auth"] = {"token_url": f"{bucket.service.url}/token"}
    return private(path, said)


def stores(bucket: Bucket) -> None:
    """Store something and read it."""
    assert bucket.use(lambda remote: write(remote, "file", b"content")).size == 7
    assert bucket.use(lambda remote: read(remote, "file")) == b"content"


def test_a_service_account_asks_by_its_key_file(closed: Bucket, tmp_path: Path) -> None:
    path = key_file(closed.service, tmp_path / "key.json")
    closed.fields["auth"] = {"service_account_file": str(path)}

    stores(closed)

    assert closed.service.count("POST /token") == 2, "one for each run, and no more"
    assert not (closed.state / "tokens").exists()


def test_a_service_account_asks_by_a_reference_to_its_key(
    closed: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THE_KEY", key_file(closed.service, tmp_path / "key.json").read_text())
    closed.fields["auth"] = {"service_account_credentials": {"env": "THE_KEY"}}

    stores(closed)


def test_a_key_that_others_may_read_is_refused(closed: Bucket, tmp_path: Path) -> None:
    path = key_file(closed.service, tmp_path / "key.json")
    path.chmod(0o644)
    closed.fields["auth"] = {"service_account_file": str(path)}

    with pytest.raises(Denied, match="others may read"):
        stores(closed)


def test_a_key_that_is_not_the_accounts_any_more_says_so(closed: Bucket, tmp_path: Path) -> None:
    path = key_file(closed.service, tmp_path / "key.json")
    key_file(closed.service, tmp_path / "new.json")
    closed.fields["auth"] = {"service_account_file": str(path)}

    with pytest.raises(LoginNeeded, match="refuses the key of 'robot@") as caught:
        stores(closed)

    assert "clock" in caught.value.hint


def test_without_the_package_that_signs_the_extra_is_named(
    closed: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = key_file(closed.service, tmp_path / "key.json")
    closed.fields["auth"] = {"service_account_file": str(path)}
    real = builtins.__import__

    def without(name: str, *args: Any) -> Any:
        if name.startswith("cryptography"):
            raise ImportError(name)
        return real(name, *args)

    monkeypatch.setattr(builtins, "__import__", without)

    with pytest.raises(LoginNeeded) as caught:
        stores(closed)

    assert "acdrun[gcs]" in caught.value.hint


@pytest.mark.parametrize("by", ["variable", "gcloud"])
def test_application_default_credentials_of_a_person(
    closed: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    name = "x.json" if by == "variable" else "gcloud/application_default_credentials.json"
    path = user(closed, tmp_path / name)
    if by == "variable":
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))

    stores(closed)

    assert closed.service.count("POST /token") == 1, "the second run found the token of the first"


def test_application_default_credentials_of_an_account(
    closed: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = key_file(closed.service, tmp_path / "key.json")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    closed.fields["auth"] = {}

    stores(closed)


@pytest.mark.parametrize("data", ["{", "[]", {"type": "external_account"}, {"type": "authorized_user"}])
def test_other_credentials_are_named_and_not_shown(
    closed: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: object
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(private(tmp_path / "x.json", data)))
    closed.fields["auth"] = {}

    with pytest.raises(LoginNeeded, match=r"x\.json"):
        stores(closed)


def test_the_token_of_a_login_is_used_and_renewed(closed: Bucket) -> None:
    store = TokenStore(closed.state, "store")
    asyncio.run(_save(store, closed))
    closed.fields["auth"] = {"token_url": f"{closed.service.url}/token"}

    stores(closed)

    assert closed.service.count("POST /token") == 1
    assert (store.load() or Token.parse("", "")).access.reveal() in (closed.service.tokens or ())


async def _save(store: TokenStore, bucket: Bucket) -> None:
    async with store.locked():
        store.save(Token.parse(json.dumps({"access_token": "old", "refresh_token": CANARY}), "it"))


def test_who_is_not_logged_in_is_told_how(closed: Bucket) -> None:
    closed.fields["auth"] = {}

    with pytest.raises(LoginNeeded) as caught:
        stores(closed)

    assert "acdrun login store" in caught.value.hint
    assert "GOOGLE_APPLICATION_CREDENTIALS" in caught.value.hint


@pytest.mark.parametrize("form", ["{}", "{}/", "without scheme"])
def test_an_emulator_of_the_environment_needs_nobody(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    url = bucket.service.url
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", form.format(url) if "{}" in form else url[len("http://") :])
    bucket.fields = {"auth": {}, "endpoint": ""}

    stores(bucket)


def test_an_emulator_elsewhere_is_not_spoken_to_without_encryption(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://storage.example.org:4443")
    bucket.fields = {"auth": {}, "endpoint": ""}

    with pytest.raises(BadAnswer, match="without encryption"):
        stores(bucket)


@pytest.mark.torture
def test_A1_a_token_that_ends_in_the_middle_is_renewed_once(closed: Bucket, tmp_path: Path) -> None:
    closed.fields["auth"] = {"service_account_file": str(key_file(closed.service, tmp_path / "key.json"))}
    ended: list[str] = []

    def hook(asked: Asked) -> None:
        if asked.path.startswith("/upload") and not ended:
            ended.append(asked.path)
            closed.service.tokens = set()

    closed.service.hook = hook

    stores(closed)

    assert closed.service.count("POST /token") == 3, "two runs, and one that was renewed"


@pytest.mark.torture
@pytest.mark.parametrize("fault", ["refused", "dead", "key", "unsent"])
def test_A7_no_secret_is_said_by_whatever_fails(
    closed: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    path = key_file(closed.service, tmp_path / "key.json")
    words = json.loads(path.read_text())["private_key"].split("\n")[1:-2]
    if fault == "key":
        data = json.loads(path.read_text())
        private(path, data | {"private_key": data["private_key"].replace(words[3], words[3][::-1])})
    closed.fields["auth"] = {"service_account_file": str(path)}
    if fault == "dead":
        monkeypatch.setenv(
            "GOOGLE_APPLICATION_CREDENTIALS", str(user(closed, tmp_path / "u.json", CANARY + "x"))
        )
    if fault == "refused":
        closed.engine.spoil(Spoil("POST", "/upload", "refused", times=9, status=403, body=b"no"))
    if fault == "unsent":
        closed.engine.spoil(Spoil("POST", "/token", "unsent", times=99))

    with pytest.raises(AcdrunError) as caught:
        stores(closed)

    said = everything_said_by(caught.value)
    secret = [*words, CANARY, "canary-secret", *(closed.service.tokens or ())]
    assert [word for word in secret if word in said] == []
    if fault in ("refused", "unsent"):
        assert all(word not in redact(f"{word} {word}") for word in words), (
            "what is read is known as a secret"
        )


def test_an_upload_that_others_could_go_on_with_is_kept_where_only_its_owner_reads(bucket: Bucket) -> None:
    from tests.rooms.gcs.test_uploads import die_midway

    die_midway(bucket)

    (word,) = bucket.service.uploads
    for path in [
        path for path in bucket.state.rglob("*") if path.is_file() and word.encode() in path.read_bytes()
    ]:
        assert os.stat(path).st_mode & 0o077 == 0, path
    assert word not in redact(f"PUT https://x/upload?uploadType=resumable&upload_id={word}")


def test_two_remotes_copy_from_each_other_only_for_the_same_asker(bucket: Bucket, tmp_path: Path) -> None:
    def copies() -> str:
        return bucket.use(_copies)

    anonymous = copies()
    bucket.fields["auth"] = {"service_account_file": str(key_file(bucket.service, tmp_path / "one.json"))}
    account = copies()
    bucket.fields["user_project"] = "payer"
    paid = copies()

    assert len({anonymous, account, paid, ""}) == 4
    assert copies() == paid


async def _copies(remote: Any) -> str:
    return str(remote.can.copies)


def test_a_login_goes_to_google_with_pkce_and_asks_for_a_token_that_lasts() -> None:
    found = provider(GcsConfig.model_validate({"type": "gcs"}))

    assert found is not None
    assert found.auth_url.startswith("https://accounts.google.com/")
    assert found.token_url == "https://oauth2.googleapis.com/token"
    assert found.pkce
    assert ("access_type", "offline") in found.more
    assert provider(GcsConfig.model_validate({"type": "gcs", "auth": {"anonymous": True}})) is None


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("", "https://storage.googleapis.com"),
        ("https://gcs.example.org", "https://gcs.example.org"),
        ("http://127.0.0.1:4443/storage/v1/", "http://127.0.0.1:4443"),
        ("http://127.0.0.1:4443/storage/v1", "http://127.0.0.1:4443"),
    ],
)
def test_an_endpoint_is_written_as_rclone_writes_it_or_shorter(endpoint: str, url: str) -> None:
    assert address(GcsConfig.model_validate({"type": "gcs", "endpoint": endpoint})) == (url, False)
