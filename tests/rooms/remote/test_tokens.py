"""Token files: their form, and what is refused."""

import json
import os
import stat
from pathlib import Path

import pytest

from runner.model.errors import Denied, LoginNeeded
from runner.model.secret import Secret
from runner.remote.tokens import Token, TokenStore

RCLONE = (
    '{"access_token":"Atza|canary","token_type":"bearer","refresh_token":"Atzr|canary",'
    '"expiry":"2016-03-14T15:09:26.535897932+01:00"}'
)


def test_the_form_that_rclone_writes_is_read() -> None:
    token = Token.parse(RCLONE, "the seed")

    assert token.access.reveal() == "Atza|canary"
    assert token.refresh == Secret("Atzr|canary")
    assert token.expiry == pytest.approx(1457964566.535897932)


@pytest.mark.parametrize(
    ("text", "expiry"),
    [
        ("2016-03-14T15:09:26Z", 1457968166.0),
        ("2016-03-14t15:09:26.5z", 1457968166.5),
        ("2016-03-14T10:09:26.123456789-05:00", 1457968166.123456789),
        ("0001-01-01T00:00:00Z", None),
        ("", None),
    ],
)
def test_expiry_is_any_rfc_3339_time_and_gos_zero_time_is_never(text: str, expiry: float | None) -> None:
    token = Token.parse(json.dumps({"access_token": "a", "expiry": text}), "the seed")

    assert token.expiry == (None if expiry is None else pytest.approx(expiry, abs=1e-6))


def test_a_token_without_an_access_token_has_to_be_refreshed_first() -> None:
    assert Token.parse('{"refresh_token":"Atzr|canary"}', "the seed").expiry == 0.0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "canary",
        "[]",
        "{}",
        '{"access_token":["canary"]}',
        '{"access_token":"canary","expiry":"canary"}',
        '{"access_token":"canary","expiry":"2016-13-41T15:09:26Z"}',
        "[" * 100_000,
    ],
)
def test_what_is_no_token_is_refused_by_the_name_of_its_place(text: str) -> None:
    with pytest.raises(LoginNeeded) as caught:
        Token.parse(text, "the seed")

    assert "the seed" in str(caught.value)
    assert "canary" not in str(caught.value) + repr(caught.value.__context__)


def test_no_part_of_a_token_is_readable() -> None:
    token = Token.parse(RCLONE, "the seed")

    assert "canary" not in f"{token!r} {token}"


def test_what_is_saved_is_loaded_and_only_the_owner_may_read_it(tmp_path: Path) -> None:
    store = TokenStore(tmp_path / "state", "cloud")
    token = Token.parse(RCLONE, "the seed")

    store.save(token)
    loaded = store.load()

    assert loaded is not None
    assert (loaded.access, loaded.refresh, loaded.type) == (token.access, token.refresh, token.type)
    assert loaded.expiry == pytest.approx(token.expiry, abs=1e-5)
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(store.path.parent.stat().st_mode) == 0o700
    assert [path.name for path in store.path.parent.iterdir()] == ["cloud.json"]


def test_where_nothing_was_saved_there_is_no_token(tmp_path: Path) -> None:
    assert TokenStore(tmp_path / "state", "cloud").load() is None


@pytest.mark.torture
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o660])
def test_A5_a_token_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    store = TokenStore(tmp_path, "cloud")
    store.save(Token.parse(RCLONE, "the seed"))
    store.path.chmod(mode)

    with pytest.raises(Denied):
        store.load()


@pytest.mark.torture
def test_A5_a_linked_token_file_and_one_of_another_user_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = TokenStore(tmp_path, "cloud")
    store.save(Token.parse(RCLONE, "the seed"))
    elsewhere = store.path.rename(tmp_path / "elsewhere")
    store.path.symlink_to(elsewhere)

    with pytest.raises(Denied):
        store.load()

    store.path.unlink()
    elsewhere.rename(store.path)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(Denied):
        store.load()


@pytest.mark.torture
def test_A5_a_token_directory_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    store = TokenStore(tmp_path, "cloud")
    store.save(Token.parse(RCLONE, "the seed"))
    store.path.parent.chmod(0o755)

    with pytest.raises(Denied):
        store.load()
    with pytest.raises(Denied):
        store.save(Token.parse(RCLONE, "the seed"))


@pytest.mark.torture
def test_A3_a_save_that_fails_leaves_the_old_token_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = TokenStore(tmp_path, "cloud")
    store.save(Token.parse(RCLONE, "the seed"))

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        store.save(Token(Secret("new")))

    loaded = store.load()
    assert loaded is not None
    assert loaded.access.reveal() == "Atza|canary"
    assert [path.name for path in store.path.parent.iterdir()] == ["cloud.json"]


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden", "a\0b"])
def test_a_remotes_name_cannot_lead_out_of_the_directory(tmp_path: Path, name: str) -> None:
    with pytest.raises(LoginNeeded):
        TokenStore(tmp_path, name)
