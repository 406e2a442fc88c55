"""Secrets: found, refused, never shown."""

import os
import sys
from pathlib import Path

import pytest

from runner.model.errors import Denied, LoginNeeded
from runner.model.secret import CommandReference, EnvReference, FileReference, Secret
from runner.remote.secrets import known, redact, resolve


def private(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_secret_is_found_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY", "canary-in-env")

    assert resolve(EnvReference(env="CANARY")) == Secret("canary-in-env")


def test_a_secret_is_found_in_a_file_without_its_last_newline(tmp_path: Path) -> None:
    path = private(tmp_path / "secret", "canary in file\n")

    assert resolve(FileReference(file=path)).reveal() == "canary in file"


def test_a_secret_is_what_a_command_prints(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "print('canary from $HOME; echo')"]

    assert resolve(CommandReference(command=command)).reveal() == "canary from $HOME; echo"


def test_a_command_sees_nothing_of_the_environment_but_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY", "canary-in-env")
    command = [sys.executable, "-c", "import os; print(sorted(os.environ))"]

    shown = resolve(CommandReference(command=command)).reveal()

    assert "CANARY" not in shown


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o602])
def test_a_file_that_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    path = private(tmp_path / "secret", "canary-in-file", mode)

    with pytest.raises(Denied) as caught:
        resolve(FileReference(file=path))

    assert "canary" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_link_a_folder_and_a_pipe_are_refused(tmp_path: Path) -> None:
    link, pipe = tmp_path / "link", tmp_path / "pipe"
    link.symlink_to(private(tmp_path / "secret", "canary"))
    os.mkfifo(pipe, 0o600)

    for path in (link, tmp_path, pipe):
        with pytest.raises(Denied):
            resolve(FileReference(file=path))


def test_another_users_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = private(tmp_path / "secret", "canary")
    monkeypatch.setattr(os, "geteuid", lambda: 12345)

    with pytest.raises(Denied, match="another user"):
        resolve(FileReference(file=path))


@pytest.mark.parametrize(
    ("reference", "named"),
    [
        (EnvReference(env="NOT_SET_ANYWHERE"), "{env: NOT_SET_ANYWHERE}"),
        (FileReference(file=Path("/nowhere/at/all")), "{file: /nowhere/at/all}"),
        (
            CommandReference(command=["/nowhere/at/all", "canary-argument"]),
            "{command: [/nowhere/at/all, ...]}",
        ),
        (CommandReference(command=[sys.executable, "-c", "print('canary'); exit(3)"]), "exit 3"),
    ],
)
def test_a_missing_secret_is_named_by_its_reference_only(
    reference: EnvReference | FileReference | CommandReference, named: str
) -> None:
    with pytest.raises(LoginNeeded) as caught:
        resolve(reference)

    assert named in str(caught.value)
    assert "canary" not in str(caught.value)


def test_registered_secrets_are_masked_in_any_text_also_percent_encoded() -> None:
    known(Secret("s3cr3t/canary|value"))

    text = redact("sent s3cr3t/canary|value and s3cr3t%2Fcanary%7Cvalue")

    assert text == "sent *** and ***"


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer canary",
        "authorization=[bearer canary]",
        "token Atza|canary-canary_x refused",
        "token=Atzr%7Ccanary",
        "https://s3.example/x?X-Amz-Signature=canary&X-Amz-Date=2",
        "https://s3.example/x?a=b&AWSAccessKeyId=canary",
        "https://x.example/?access_token=canary#top",
        '{"access_token":"canary","expires_in":3600}',
        '{"refresh_token": "canary"}',
        "/callback?code=canary",
    ],
)
def test_bearer_tokens_and_signatures_are_masked(text: str) -> None:
    assert "canary" not in redact(text)


def test_ordinary_text_is_left_alone() -> None:
    text = "GET https://drive.example/nodes: status 500: Internal failure"

    assert redact(text) == text
