"""An rclone.conf is taken over, and what has no place with us is named."""

from pathlib import Path

import pytest

from runner.manifest.rclone import read_rclone
from runner.model.errors import UsageError

TOKEN = (
    '{"access_token":"Atza|canary","token_type":"Bearer","refresh_token":"Atzr|canary",'
    '"expiry":"2031-01-02T03:04:05.123456789+01:00"}'
)
CONF = f"""\
# a comment
[drive]
type = amazon cloud drive
client_id = amzn1.application-oa2-client.1234
client_secret = canary-secret
auth_url = https://auth.example/oa
token_url =
templink_threshold = 9G
token = {TOKEN}

[disk]
type = local
nounc = true

[bucket]
type = dropbox
secret_access_key = canary-key

[locked]
type = crypt
password = canary-obscured

[odd]
remote = x
"""


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """The file."""
    path = tmp_path / "rclone.conf"
    path.write_text(CONF)
    return path


def test_an_acd_remote_comes_over_with_its_token_to_the_nanosecond(conf: Path) -> None:
    found = read_rclone(conf)[0]

    assert (found.name, found.why) == ("drive", "")
    assert found.fields == {"type": "amazon cloud drive", "auth": {"auth_url": "https://auth.example/oa"}}
    assert {leaf.name: secret.reveal() for leaf, secret in found.secrets.items()} == {
        "auth.client_id": "amzn1.application-oa2-client.1234",
        "auth.client_secret": "canary-secret",
    }
    assert found.token is not None
    assert found.token.expiry == pytest.approx(1925085845.123456789, abs=1e-6)


def test_what_has_no_place_is_named_and_never_shown(conf: Path) -> None:
    found = {one.name: one for one in read_rclone(conf)}

    assert list(found["drive"].left_out) == ["templink_threshold"]
    assert list(found["disk"].left_out) == ["nounc"]
    assert "'dropbox' is not built yet" in found["bucket"].why
    assert "'crypt' is no kind of storage" in found["locked"].why
    assert "has no type" in found["odd"].why
    assert "canary" not in repr(list(found.values()))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("# Encrypted rclone configuration File\n\nRCLONE_ENCRYPT_V0:\nXYZ", "is encrypted"),
        ("token = canary\n", "no rclone.conf, line 1"),
        ("[a]\ntype = local\ncanary canary\n", "no rclone.conf, line 3"),
    ],
)
def test_another_kind_of_file_is_refused_without_a_word_of_it(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "x"
    path.write_text(text)

    with pytest.raises(UsageError, match=words) as caught:
        read_rclone(path)

    assert "canary" not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_rclone(tmp_path / "none")


def test_a_percent_and_a_hash_in_a_value_mean_themselves(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("[a]\ntype = amazon cloud drive\nclient_secret = 100%(x)s # no comment\n")

    found = read_rclone(path)[0]

    assert [secret.reveal() for secret in found.secrets.values()] == ["100%(x)s # no comment"]
