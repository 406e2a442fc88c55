"""Every line of the table of exit codes, met by a command line."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runner.backends.memory import Memory
from runner.cli.commands import run as run_command
from runner.model.checksum import Checksum
from runner.model.exits import Exit
from runner.remote.remote import Remote
from runner.state.locks import Scope, locked
from tests.rooms.cli.conftest import Acdrun, manifest, write

DOWN = 'remotes: { cloud: { type: acd, server: "http://127.0.0.1:9", auth: { token: { env: TOKEN } } } }'
TOKEN = '{"access_token":"x","token_type":"bearer","refresh_token":"y","expiry":"2099-01-01T00:00:00Z"}'


def test_0_everything_is_in_step(acdrun: Acdrun) -> None:
    assert acdrun("m.yaml").code == Exit.CONVERGED


def test_1_an_operation_failed_for_good(acdrun: Acdrun, place: Path) -> None:
    write(place / "m.yaml", manifest(job='before: ["false"]'))

    ended = acdrun("m.yaml")

    assert ended.code == Exit.FAILED
    assert "hook before photos: 'false' ended with exit code 1" in ended.out
    assert "exit 1: at least one operation failed for good" in ended.out


def test_2_the_manifest_is_wrong(acdrun: Acdrun, place: Path) -> None:
    write(place / "m.yaml", manifest("colour: red"))

    assert acdrun("m.yaml").code == Exit.USAGE


def test_3_something_is_in_the_way(acdrun: Acdrun, place: Path) -> None:
    write(place / "dst/sub", "a file where a folder is to be")

    ended = acdrun("m.yaml")

    assert ended.code == Exit.INCOMPLETE
    assert (place / "dst/one.txt").exists()
    assert "sub: blocked: a folder here, a file there" in ended.out


def test_4_a_guard_refuses(acdrun: Acdrun, place: Path) -> None:
    write(place / "m.yaml", manifest("guard: { source: { sentinel: .mounted } }"))

    ended = acdrun("m.yaml")

    assert ended.code == Exit.REFUSED
    assert not (place / "dst").exists()


def test_5_the_saved_plan_is_no_longer_true(acdrun: Acdrun, place: Path) -> None:
    acdrun("--plan", "--out", "it.plan", "m.yaml")
    write(place / "m.yaml", manifest("links: block"))

    assert acdrun("apply", "it.plan").code == Exit.STALE


def test_6_a_login_is_needed(acdrun: Acdrun, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOKEN", raising=False)
    write(place / "m.yaml", manifest(top=DOWN).replace("dst", '"cloud:x"'))

    assert acdrun("m.yaml").code == Exit.DENIED


def test_6_names_the_remote_to_log_in_to(acdrun: Acdrun, place: Path) -> None:
    top = "remotes: { cloud: { type: acd } }"
    write(place / "m.yaml", manifest(top=top).replace("dst", '"cloud:x"'))

    ended = acdrun("m.yaml")

    assert ended.code == Exit.DENIED
    assert "acdrun login cloud, or renew the permission; then run it again" in ended.out
    assert "! photos: list destination: cloud:x: " in ended.err


def test_7_a_remote_is_down(acdrun: Acdrun, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", TOKEN)
    text = manifest("retry: { attempts: 1, calls: 1 }", top=DOWN).replace("dst", '"cloud:x"')
    write(place / "m.yaml", text)

    ended = acdrun("m.yaml")

    assert ended.code == Exit.TEMPORARY
    assert "run it again later: what succeeded is not done twice" in ended.out


def test_8_another_run_is_at_it(acdrun: Acdrun, place: Path) -> None:
    (place / "state").mkdir()
    with locked(place / "state", [Scope("local", str(place / "dst").lstrip("/"))], "other-run"):
        ended = acdrun("m.yaml")

    assert ended.code == Exit.LOCKED
    assert "other-run" in ended.err
    assert "hint: wait for it to end, or use --wait 10m" in ended.err


def test_9_what_was_stored_is_damaged(acdrun: Acdrun, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    true = Remote.checksum

    async def bad(self: Remote, path: str, algorithm: str, *, expect: str | None = None) -> Checksum:
        if isinstance(self.backend, Memory):
            return Checksum(algorithm, "0" * 32)
        return await true(self, path, algorithm, expect=expect)

    monkeypatch.setattr(Remote, "checksum", bad)
    pair = "retry: { attempts: 1 }\nchecksum: { verify: readback }"
    top = f"remotes: {{ cloud: {{ type: memory, store: {place.name} }} }}"
    write(place / "m.yaml", manifest(pair, top=top).replace("dst", '"cloud:x"'))

    ended = acdrun("m.yaml")

    assert ended.code == Exit.DAMAGED
    assert "corrupted: reading back gave md5:0000" in ended.out


def test_10_changes_are_pending(acdrun: Acdrun) -> None:
    before = acdrun("--plan", "--detailed-exitcode", "m.yaml")
    acdrun("m.yaml")
    after = acdrun("--plan", "--detailed-exitcode", "m.yaml")

    assert (before.code, after.code) == (Exit.PENDING, Exit.CONVERGED)


def test_11_the_time_is_used_up(acdrun: Acdrun) -> None:
    ended = acdrun("--max-duration", "1ms", "m.yaml")

    assert ended.code == Exit.BUDGET
    assert "exit 11: time or byte budget used up; run again to go on" in ended.out
    assert acdrun("m.yaml").code == Exit.CONVERGED


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_130_and_143_a_signal_drains_and_the_next_run_goes_on(
    number: signal.Signals, code: int, acdrun: Acdrun, place: Path
) -> None:
    write(place / "m.yaml", manifest(job='before: [sh, -c, "touch begun; sleep 0.7"]'))
    process = subprocess.Popen(
        [sys.executable, "-m", "runner", "m.yaml", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={
            "ACDRUN_STATE": str(place / "state"),
            "PYTHONPATH": str(Path(__file__).parents[3]),
            "PATH": "/usr/bin:/bin",
        },
    )
    wait_for(place / "begun")

    process.send_signal(number)
    out, err = process.communicate(timeout=20)

    assert process.returncode == code
    assert json.loads(out.splitlines()[-1])["exit"] == code
    assert "no new work is started" in err
    assert not (place / "dst").exists()
    assert acdrun("m.yaml").code == 0


def test_130_an_interrupt_before_the_run_is_quiet(acdrun: Acdrun, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> Exit:
        raise KeyboardInterrupt

    monkeypatch.setattr(run_command, "run", interrupted)

    assert acdrun("m.yaml") == (130, "", "")


def wait_for(path: Path) -> None:
    """Until the file is there, at most 10 s."""
    ends = time.monotonic() + 10
    while not path.exists():
        assert time.monotonic() < ends
        time.sleep(0.02)
