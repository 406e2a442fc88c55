"""Claims about `emulator token`: a token for a client that is set up by hand."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.emulator.conftest import Drive, Json, Launch


def issue(folder: Path, *options: str) -> Json:
    """Run the command; return what it printed."""
    command = [sys.executable, "-m", "runner.emulator", "token", "--dir", str(folder), *options]
    said = subprocess.run(command, capture_output=True, check=True, timeout=30)
    made: Json = json.loads(said.stdout)
    return made


def opens(drive: Drive, token: Json) -> bool:
    """Tell whether a token's access part opens the drive."""
    header = {"Authorization": f"Bearer {token['access_token']}"}
    return drive.http.get("drive/v1/account/info", headers=header).status_code == 200


def test_a_token_is_good_while_the_emulator_runs(launch: Launch) -> None:
    drive = launch()

    token = issue(drive.folder)

    assert opens(drive, token)
    assert opens(drive, drive.ready["token"])


def test_a_token_can_be_made_before_the_first_start(launch: Launch, tmp_path: Path) -> None:
    token = issue(tmp_path / "drive")

    assert opens(launch(), token)


def test_a_token_has_the_form_that_rclone_stores(tmp_path: Path) -> None:
    token = issue(tmp_path / "drive", "--token-life", "100")

    left = datetime.fromisoformat(token["expiry"][:26] + "+00:00") - datetime.now(UTC)
    assert set(token) == {"access_token", "token_type", "refresh_token", "expiry"}
    assert timedelta(seconds=80) < left <= timedelta(seconds=100)


def test_its_refresh_token_serves_any_client(launch: Launch) -> None:
    drive = launch()
    token = issue(drive.folder)

    form = {"grant_type": "refresh_token", "refresh_token": token["refresh_token"], "client_id": "anyone"}
    answer = drive.http.post("auth/o2/token", data=form)

    assert answer.status_code == 200
    assert opens(drive, answer.json())


def test_many_tokens_and_many_uploads_do_not_disturb_each_other(launch: Launch) -> None:
    drive = launch()
    command = [sys.executable, "-m", "runner.emulator", "token", "--dir", str(drive.folder)]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE) as first,
        subprocess.Popen(command, stdout=subprocess.PIPE) as second,
    ):
        stored = [drive.upload(f"{number}.txt", b"x").status_code for number in range(200)]
        tokens = [json.loads(process.communicate()[0]) for process in (first, second)]

    assert stored == [201] * 200
    assert all(opens(drive, token) for token in tokens)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    command = [sys.executable, "-m", "runner.emulator", "token", "--dir", str(tmp_path / "file")]

    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)

    assert ended.returncode == 2
    assert str(tmp_path / "file") in ended.stderr
