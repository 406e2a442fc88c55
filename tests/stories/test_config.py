"""`acdrun config` word by word, and the remotes it makes in use."""

import json
import stat
import subprocess
import sys

from tests.stories.conftest import Machine

CONF = """\
[photos]
type = amazon cloud drive
client_id = my-application
client_secret = canary-secret
token = {"access_token":"Atza|canary","token_type":"bearer","refresh_token":"Atzr|canary",\
"expiry":"2031-01-02T03:04:05.123456789Z"}

[disk]
type = local

[vault]
type = dropbox
secret_access_key = canary-key

[secret]
type = crypt
password = canary-password
"""


def test_a_remote_made_by_words_serves_a_run(machine: Machine) -> None:
    machine.write({"a.jpg": "a"})
    job = machine.nightly(
        "version: 1\nname: n\njobs: {j: {pairs: [{source: ../photos, destination: 'cloud:p', mode: copy}]}}\n"
    )

    made = machine.acdrun("config", "create", "cloud", "acd", "server=embedded", "root=Backups")
    ran = machine.acdrun(job)

    assert (made.code, ran.code) == (0, 0), made.err + ran.err
    assert machine.acdrun("ls", "cloud:p").out.split() == ["1", "a.jpg"]
    with machine.drive() as drive:
        assert list(drive.files()) == ["Backups/p/a.jpg"]


def test_create_refuses_what_is_there_and_what_is_wrong(machine: Machine) -> None:
    machine.acdrun("config", "create", "disk", "local", "path=/srv")

    again = machine.acdrun("config", "create", "disk", "local")
    wrong = machine.acdrun("config", "create", "other", "local", "pth=/srv")
    value = machine.acdrun("config", "create", "other", "acd", "server=ftp://x")
    kind = machine.acdrun("config", "create", "other", "dropbox")
    replaced = machine.acdrun("config", "create", "disk", "local", "path=/mnt", "--replace")

    assert [said.code for said in (again, wrong, value, kind, replaced)] == [2, 2, 2, 2, 0]
    assert "there is a remote 'disk' already" in again.err
    assert 'did you mean "path"' in wrong.err
    assert '"server" cannot be "ftp://x"' in value.err
    assert "'dropbox' is not built yet" in kind.err
    assert "path: /mnt" in machine.acdrun("config", "show", "disk").out


def test_a_secret_can_come_by_stdin(machine: Machine) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "runner", "config", "create", "cloud", "acd", "client_secret=-"],
        cwd=machine.home,
        env=machine.environment,
        input="canary-secret\n",
        text=True,
        capture_output=True,
        timeout=60,
    )

    shown = machine.acdrun("config", "show")
    kept = machine.state / "secrets" / "cloud.client_secret"
    assert done.returncode == 0, done.stderr
    assert kept.read_text() == "canary-secret"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert f"file: {kept}" in shown.out
    assert "canary" not in done.stdout + done.stderr + shown.out


def test_rename_and_delete_by_words(machine: Machine) -> None:
    machine.acdrun("config", "create", "disk", "local")

    codes = [
        machine.acdrun("config", "rename", "disk", "attic").code,
        machine.acdrun("config", "delete", "disk").code,
        machine.acdrun("config", "delete", "attic").code,
    ]

    assert codes == [0, 2, 0]
    assert "there are no remotes" in machine.acdrun("config", "show").err


def test_the_wizard_without_a_terminal_says_what_to_type_instead(machine: Machine) -> None:
    said = machine.acdrun("config")

    assert said.code == 2
    assert "this is no terminal" in said.err
    assert "acdrun config create NAME TYPE" in said.err


def test_an_rclone_conf_comes_over_and_what_does_not_is_named(machine: Machine) -> None:
    (machine.home / "rclone.conf").write_text(CONF)

    said = machine.acdrun("config", "import", "rclone.conf")

    remotes = machine.acdrun("remotes")
    assert said.code == 3
    assert "+ photos: amazon cloud drive, client_id and client_secret, token\n+ disk: local\n" in said.out
    assert "! vault: left out: 'dropbox' is not built yet" in said.err
    assert "! secret: left out: 'crypt' is no kind of storage" in said.err
    assert "canary" not in said.out + said.err
    assert "good until 2031-01-02 03:04 UTC" in remotes.out
    token = machine.state / "tokens" / "photos.json"
    assert json.loads(token.read_text())["refresh_token"] == "Atzr|canary"
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    assert "canary" not in (machine.home / "config" / "acdrun" / "remotes.yaml").read_text()


def test_a_second_import_replaces_nothing_unasked(machine: Machine) -> None:
    (machine.home / "rclone.conf").write_text("[disk]\ntype = local\n")
    machine.acdrun("config", "create", "disk", "local", "path=/srv")

    said = machine.acdrun("config", "import", "rclone.conf")
    replaced = machine.acdrun("config", "import", "rclone.conf", "--replace", "--json")

    assert (said.code, replaced.code) == (3, 0)
    assert "there is a remote 'disk' already" in said.err
    records = [json.loads(line) for line in replaced.out.splitlines()]
    assert records[0]["record"] == "import"
    assert records[0]["taken"] is True
    assert records[-1]["exit"] == 0


def test_a_live_remote_is_checked_by_every_rule_in_a_folder_that_goes_away(machine: Machine) -> None:
    (machine.home / "disk").mkdir()
    machine.acdrun("config", "create", "disk", "local", f"path={machine.home / 'disk'}")

    unasked = machine.acdrun("remotes", "check", "disk")
    said = machine.acdrun("remotes", "check", "disk", "--yes")

    assert unasked.code == 2
    assert "give --yes" in unasked.err
    assert said.code == 0, said.out
    assert "rules are kept" in said.out.splitlines()[-1]
    assert machine.acdrun("ls", "disk:").out == ""


def test_check_of_a_remote_that_is_not_there_contacts_nothing(machine: Machine) -> None:
    said = machine.acdrun("remotes", "check", "nobody", "--yes")

    assert said.code == 2
    assert "there is no remote 'nobody'" in said.err
