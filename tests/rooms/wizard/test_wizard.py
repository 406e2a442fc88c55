"""The conversation, in a pseudo-terminal, as a person has it."""

import os
import re
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.backends.swift.config import SwiftConfig
from runner.manifest.keep import Keep
from runner.manifest.remotes import user_remotes
from runner.model.secret import FileReference, Secret
from runner.remote.tokens import Token
from tests.rooms.wizard.terminal import Terminal

Start = Callable[..., Terminal]
MENU = "e/n/d/r/s/q"
ACD = [("auth.auth_url", ""), ("auth.token_url", ""), ("auth.pkce", ""), ("root", "")]
TOKEN = (
    '{"access_token":"Atza|canary","token_type":"bearer","refresh_token":"Atzr|canary",'
    '"expiry":"2031-01-02T03:04:05.123456789Z"}'
)


def test_a_new_remote_is_written_down_and_understood(config: Start, file: Path) -> None:
    terminal = config()
    terminal.answer(
        ("n/q", "n"), ("name", "disk"), ("Storage", "local"), ("path", "/srv"), ("root", "photos")
    )
    terminal.answer(("y/n", ""), ("y/e/d", "y"), (MENU, "q"))

    assert terminal.end() == 0
    assert "type: local\npath: /srv\nroot: photos\n" in terminal.screen
    found = user_remotes(file)["disk"]
    assert found.model_dump()["path"] == "/srv"
    assert found.root == "photos"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_an_embedded_server_needs_nothing_but_its_name(config: Start, file: Path) -> None:
    terminal = config()
    terminal.answer(("n/q", "n"), ("name", "cloud"), ("Storage", "1"), ("server", "embedded"), ("root", ""))
    terminal.answer(("y/n", ""), ("y/e/d", "y"), (MENU, "q"))

    assert terminal.end() == 0
    assert "auth." not in terminal.screen
    assert list(user_remotes(file)) == ["cloud"]


def test_storages_are_numbered_and_one_that_is_not_built_says_so(config: Start, file: Path) -> None:
    terminal = config()
    terminal.answer(("n/q", "n"), ("name", "disk"))
    listed = terminal.until("Storage> ")
    terminal.type("3")
    refused = terminal.until("Storage> ")
    terminal.type("floppy")
    unknown = terminal.until("Storage> ")
    terminal.type("5")
    terminal.answer(("path", ""), ("root", ""), ("y/n", "n"), ("y/e/d", ""), (MENU, "q"))

    assert terminal.end() == 0
    words = ["amazon cloud drive", "drive", "dropbox", "google cloud storage", "local", "s3", "swift"]
    assert re.findall(r"\\ (.+)", listed) == words
    assert "'dropbox' is not built yet" in refused
    assert "'floppy' is no kind of storage" in unknown
    assert list(user_remotes(file)) == ["disk"]


def test_an_answer_the_model_does_not_take_is_asked_again_with_its_message(config: Start, file: Path) -> None:
    terminal = config()
    terminal.answer(("n/q", "n"), ("name", "-x"), ("name", "cloud"), ("Storage", "1"), ("server", "ftp://x"))
    said = terminal.until("server> ")
    terminal.type("http://127.0.0.1:9")
    terminal.answer(("auth.client_id", ""), ("auth.client_secret", ""), ("auth.auth_url", "http://a:b@c/"))
    password = terminal.until("auth.auth_url> ")
    terminal.type("")
    terminal.answer(
        ("auth.token_url", ""), ("auth.pkce", "yes"), ("auth.pkce", "true"), ("root", ""), ("y/n", "y")
    )
    terminal.answer(("index.max_age", "3"), ("index.max_age", "3d"))
    terminal.answer(
        ("limits.requests_per_s", "-1"), ("limits.requests_per_s", "8"), ("limits.concurrency", "lots")
    )
    terminal.answer(("limits.concurrency", "4"), ("limits.bandwidth", "20"), ("limits.bandwidth", "20MiB/s"))
    terminal.answer(("lock", "both"), ("lock", "remote"))
    terminal.answer(("y/n", "n"), ("token", TOKEN), ("y/e/d", "y"), (MENU, "q"))

    assert terminal.end() == 0
    assert "'-x' cannot be a name" in terminal.screen
    assert '"server" cannot be "ftp://x"' in said
    assert "has a user name or password in it" in password
    assert '"pkce" must be true or false' in terminal.screen
    assert "should be greater than 0" in terminal.screen
    assert "a rate needs a unit" in terminal.screen
    assert user_remotes(file)["cloud"].limits.requests_per_s == 8
    assert user_remotes(file)["cloud"].lock == "remote"


def test_a_secret_is_not_shown_and_not_in_the_file(config: Start, file: Path, keep: Keep) -> None:
    terminal = config()
    terminal.answer(("n/q", "n"), ("name", "cloud"), ("Storage", "1"), ("server", ""))
    terminal.answer(
        ("auth.client_id", "my-client"), ("auth.client_secret", "canary-secret-ä"), *ACD, ("y/n", "")
    )
    terminal.answer(("y/n", "n"), ("token", TOKEN), ("y/e/d", "y"), (MENU, "s"), (MENU, "q"))

    assert terminal.end() == 0
    assert "canary" not in terminal.screen
    assert "auth.client_id: my-client\nauth.client_secret: ***\n" in terminal.screen
    assert "token: *** (good until 2031-01-02 03:04 UTC, then renewed by itself)" in terminal.screen
    assert "canary" not in file.read_text()
    kept = keep.vault.path("cloud", "client_secret")
    assert kept.read_text() == "canary-secret-ä"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    token = keep.state / "tokens" / "cloud.json"
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    assert "Atzr|canary" in token.read_text()


def test_a_pasted_token_may_be_longer_than_a_terminal_line(config: Start, keep: Keep) -> None:
    terminal = config()
    terminal.answer(
        ("n/q", "n"), ("name", "cloud"), ("Storage", "1"), ("server", ""), ("auth.client_id", "x")
    )
    terminal.answer(("auth.client_secret", ""), *ACD, ("y/n", ""), ("y/n", "n"), ("token", "{}"))
    said = terminal.until("token> ")
    terminal.type(TOKEN.replace("canary", "c" * 6000))
    terminal.answer(("y/e/d", "y"), (MENU, "q"))

    assert terminal.end() == 0
    assert "neither an access token nor a refresh token" in said
    assert "c" * 6000 in (keep.state / "tokens" / "cloud.json").read_text()


@pytest.mark.parametrize(("key", "code"), [("\x04", 0), ("\x03", 130)])
@pytest.mark.parametrize(
    "prompt", ["n/q", "name", "Storage", "server", "auth.client_secret", "y/n", "token", "y/e/d"]
)
def test_ctrl_d_and_ctrl_c_leave_without_writing(
    config: Start, file: Path, keep: Keep, prompt: str, key: str, code: int
) -> None:
    script = [("n/q", "n"), ("name", "cloud"), ("Storage", "1"), ("server", ""), ("auth.client_id", "x")]
    script += [("auth.client_secret", "canary"), *ACD, ("y/n", ""), ("y/n", "n"), ("token", TOKEN)]
    script += [("y/e/d", "y")]
    terminal = config()
    terminal.answer(*script[: [name for name, _ in script].index(prompt)])
    terminal.until(f"{prompt}> ")
    terminal.press(key)

    assert terminal.end() == code
    assert terminal.screen.rstrip().endswith("left; what was not finished is not written")
    assert "Traceback" not in terminal.screen
    assert not file.exists()
    assert keep.vault.fields("cloud") == []


def test_after_ctrl_c_in_a_hidden_answer_the_terminal_shows_again_what_is_typed(config: Start) -> None:
    terminal = config()
    terminal.answer(("n/q", "n"), ("name", "c"), ("Storage", "1"), ("server", ""), ("auth.client_id", ""))
    terminal.until("auth.client_secret> ")
    assert not terminal.echoes()

    terminal.press("\x03")
    terminal.end()

    assert terminal.echoes()


def test_an_edit_keeps_what_is_not_answered(config: Start, file: Path, keep: Keep) -> None:
    fields = {"type": "acd", "server": "http://127.0.0.1:9", "root": "a", "limits": {"concurrency": 3}}
    keep.store("other", {"type": "local"}, {})
    keep.store("cloud", fields, {})
    terminal = config()
    terminal.answer(
        (MENU, "e"), ("name", "nobody"), ("name", "cloud"), ("server", ""), ("auth.client_id", "env:ID")
    )
    terminal.answer(
        ("auth.client_secret", ""), ("auth.auth_url", ""), ("auth.token_url", ""), ("auth.pkce", "")
    )
    terminal.answer(("root", "-"), ("y/n", ""), ("y/n", ""), ("y/e/d", "y"), (MENU, "q"))

    assert terminal.end() == 0
    assert "there is no remote 'nobody'; there are other, cloud" in terminal.screen
    assert keep.fields() == {
        "other": {"type": "local"},
        "cloud": {
            "type": "acd",
            "server": "http://127.0.0.1:9",
            "limits": {"concurrency": 3},
            "auth": {"client_id": {"env": "ID"}},
        },
    }


def test_a_remote_that_is_deleted_at_the_end_was_never_there(config: Start, file: Path) -> None:
    terminal = config()
    terminal.answer(
        ("n/q", "n"), ("name", "disk"), ("Storage", "5"), ("path", "/a"), ("root", ""), ("y/n", "")
    )
    terminal.answer(("y/e/d", "e"), ("path", "/b"), ("root", ""), ("y/n", ""))
    summary = terminal.until("y/e/d> ")
    terminal.type("d")
    terminal.answer(("n/q", "q"))

    assert terminal.end() == 0
    assert "path: /b" in summary
    assert not file.exists()


def test_rename_and_delete_ask_and_take_secrets_and_token_along(config: Start, keep: Keep) -> None:
    terminal = config()
    terminal.answer(
        ("n/q", "n"), ("name", "cloud"), ("Storage", "1"), ("server", ""), ("auth.client_id", "my-client")
    )
    terminal.answer(("auth.client_secret", "hush-hush"), *ACD, ("y/n", ""), ("y/n", "n"), ("token", TOKEN))
    terminal.answer(("y/e/d", "y"), (MENU, "r"), ("name", "cloud"), ("new name", "attic"), (MENU, "q"))
    assert terminal.end() == 0
    renamed = keep.fields(), keep.vault.fields("attic"), sorted(os.listdir(keep.state / "tokens"))
    terminal = config()
    terminal.answer(
        (MENU, "d"),
        ("name", "attic"),
        ("y/n", ""),
        (MENU, "d"),
        ("name", "attic"),
        ("y/n", "y"),
        ("n/q", "q"),
    )

    assert terminal.end() == 0
    assert list(renamed[0]) == ["attic"]
    assert renamed[0]["attic"]["auth"]["client_secret"] == {
        "file": str(keep.vault.path("attic", "client_secret"))
    }
    assert renamed[1] == ["client_id", "client_secret"]
    assert "attic.json" in renamed[2]
    assert "cloud.json" not in renamed[2]
    assert keep.fields() == {}
    assert keep.vault.fields("attic") == []
    assert not (keep.state / "tokens" / "attic.json").exists()


def test_a_file_that_is_not_understood_is_not_touched(config: Start, file: Path) -> None:
    file.parent.mkdir(parents=True)
    file.write_text("remotes: {a: {type: local}\n")
    terminal = config()

    assert terminal.end() == 2
    assert f"{file}:" in terminal.screen
    assert file.read_text() == "remotes: {a: {type: local}\n"


def test_known_tokens_stay_out_of_show(config: Start, keep: Keep) -> None:
    keep.store(
        "cloud", {"type": "amazon cloud drive"}, {}, token=Token(Secret("Atza|canary"), Secret("Atzr|canary"))
    )
    terminal = config("show")

    assert terminal.end() == 0
    assert "canary" not in terminal.screen


def test_a_swift_remote_is_asked_for_its_log_in_and_its_key_is_kept_apart(config: Start, file: Path) -> None:
    terminal = config()
    terminal.answer(("n/q", "n"), ("name", "yard"), ("Storage", "swift"), ("container", "photos"))
    for field in ("region", "interface", "storage_url", "storage_policy", "segments"):
        terminal.answer((field, ""))
    terminal.answer(
        ("auth.url", "https://keystone.example.org:5000/v3"), ("auth.version", ""), ("auth.user", "me")
    )
    terminal.answer(("auth.user_id", ""), ("auth.key", "canary-key"), ("auth.project", "acme"))
    for field in ("project_id", "user_domain", "project_domain", "application_credential_id"):
        terminal.answer((f"auth.{field}", ""))
    for field in ("application_credential_name", "application_credential_secret", "token"):
        terminal.answer((f"auth.{field}", ""))
    terminal.answer(("root", ""), ("y/n", "n"), ("y/e/d", "y"), (MENU, "q"))

    assert terminal.end() == 0
    assert "canary" not in terminal.screen
    kept = user_remotes(file)["yard"]
    assert isinstance(kept, SwiftConfig)
    assert (kept.container, kept.auth.user, kept.auth.project) == ("photos", "me", "acme")
    assert isinstance(kept.auth.key, FileReference)
    assert kept.auth.key.file.read_text() == "canary-key"
