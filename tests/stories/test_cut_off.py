"""Runs that are killed, told to stop, or meet another: a real process, against a drive that outlives it."""

import hashlib
import json
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from tests.stories.conftest import Machine
from tests.stories.test_places import Account, account, job

UPLOAD = {"method": "POST", "path": "/cdproxy/nodes"}
LISTING = {"method": "GET", "path": "/drive/v1/nodes"}
TRASHING = {"method": "PUT", "path": "/drive/v1/trash/*"}
SLOW = b"x" * 400_000
"""At 100 kB/s this takes a process long enough to be met in the middle."""


def until(true: Callable[[], bool]) -> None:
    """Wait for it to come true."""
    ends = time.monotonic() + 60
    while not true():
        assert time.monotonic() < ends, "it never came to that"
        time.sleep(0.01)


def requests(drive: Account, method: str, path: str) -> int:
    """How many such requests have begun."""
    counts: dict[str, int] = drive.http.get("admin/counts").raise_for_status().json()["requests"]
    return sum(number for name, number in counts.items() if name.startswith(method) and path in name)


def calm(drive: Account) -> None:
    """No fault any more."""
    drive.http.delete("admin/faults").raise_for_status()


@contextmanager
def going(machine: Machine, *args: str, **more: str) -> Iterator["subprocess.Popen[str]"]:
    """A run that is ended, whatever the test thinks of it."""
    process = machine.start(*args, **more)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def hashed(machine: Machine) -> dict[str, str]:
    """What the drive should hold."""
    return {
        f"photos/{path.relative_to(machine.photos)}": hashlib.md5(path.read_bytes()).hexdigest()
        for path in machine.photos.rglob("*")
        if path.is_file()
    }


def journals(machine: Machine) -> dict[str, tuple[str, int | None]]:
    """State and exit code of every run, by its label; each journal is found sound."""
    found = {}
    for path in sorted((machine.state / "runs").glob("*.journal")):
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            ((state, code),) = connection.execute("SELECT state, exit FROM run").fetchall()
        found[path.stem] = (state, code)
    return found


def last(machine: Machine) -> tuple[str, int | None]:
    """How the latest run stands in its journal."""
    return list(journals(machine).values())[-1]


@pytest.fixture
def drive(machine: Machine) -> Iterator[Account]:
    """A drive in a process of its own, with what one run has stored there."""
    machine.write({"kept.jpg": "k", "changed.jpg": "old", "old.jpg": "o"})
    with account(machine, "drive") as drive:
        assert machine.acdrun(job(machine, drive), TOKEN=drive.token).code == 0
        (machine.photos / "old.jpg").unlink()
        yield drive


JOB = "jobs/nightly.yaml"


def converges(machine: Machine, drive: Account, trashed: list[str]) -> None:
    """The next run reaches what was declared."""
    calm(drive)
    said = machine.acdrun(JOB, TOKEN=drive.token)
    assert said.code == 0, said.out + said.err
    assert drive.drive.files() == hashed(machine)
    assert drive.drive.trashed() == trashed


@pytest.mark.torture
def test_P1_killed_while_it_lists_it_leaves_old_journals_alone_and_the_next_run_begins_anew(
    machine: Machine, drive: Account
) -> None:
    machine.write({"new.jpg": "n"})
    before = {path.name: path.read_bytes() for path in (machine.state / "runs").glob("*.journal")}
    drive.fault(match=LISTING, do="slow", seconds=3)
    begun, uploads = requests(drive, "GET", "/nodes"), drive.uploads()

    with going(machine, JOB, TOKEN=drive.token) as process:
        until(lambda: requests(drive, "GET", "/nodes") > begun)
        process.send_signal(signal.SIGKILL)
        process.wait()

    for name, data in before.items():
        assert (machine.state / "runs" / name).read_bytes() == data
    assert drive.uploads() == uploads
    assert drive.drive.trashed() == []
    converges(machine, drive, ["old.jpg"])
    assert drive.uploads() == uploads + 1
    assert [state for state, _ in journals(machine).values()] == ["closed"] * 3


@pytest.mark.torture
def test_P4_killed_amid_the_bytes_of_an_upload_nothing_of_it_shows_and_it_is_sent_again(
    machine: Machine, drive: Account
) -> None:
    machine.write({"new.jpg": SLOW, "changed.jpg": SLOW + b"y"})
    before = drive.drive.files()
    drive.fault(match=UPLOAD, do="slow", bytes_per_s=100_000)
    uploads = drive.uploads()

    with going(machine, JOB, TOKEN=drive.token) as process:
        until(lambda: drive.uploads() == uploads + 2)
        process.send_signal(signal.SIGKILL)
        process.wait()

    time.sleep(0.2)  # the drive hears of it
    assert drive.drive.files() == before, "neither the file nor a hidden part of it"
    assert drive.drive.trashed() == []
    converges(machine, drive, ["changed.jpg", "old.jpg"])
    assert drive.uploads() == uploads + 4
    assert last(machine)[0] == "closed"


@pytest.mark.torture
def test_P7_killed_between_a_staged_upload_and_its_name_nothing_is_lost_and_the_part_stays_hidden(
    machine: Machine, drive: Account
) -> None:
    machine.write({"changed.jpg": "new content"})
    drive.fault(match=TRASHING, do="slow", seconds=2)
    begun = requests(drive, "PUT", "/trash/")

    with going(machine, JOB, TOKEN=drive.token) as process:
        until(lambda: requests(drive, "PUT", "/trash/") > begun)
        process.send_signal(signal.SIGKILL)
        process.wait()

    time.sleep(2.2)  # the drive may still do what it was asked
    everything = set(drive.drive.files().values()) | {
        str(node["contentProperties"]["md5"])  # type: ignore[index]
        for node in drive.drive.nodes("status:TRASH")
    }
    assert hashlib.md5(b"old").hexdigest() in everything
    staged = [path for path in drive.drive.files() if path.endswith(".partial")]
    assert len(staged) == 1
    assert ".partial" not in machine.acdrun("ls", "-R", "cloud:photos", TOKEN=drive.token).out

    calm(drive)
    assert machine.acdrun(JOB, TOKEN=drive.token).code == 0
    there = drive.drive.files()
    assert there.pop(staged[0]) == hashlib.md5(b"new content").hexdigest()
    assert there == hashed(machine)
    assert drive.drive.trashed() == ["changed.jpg", "old.jpg"]


@pytest.mark.torture
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_P11_one_signal_lets_what_is_under_way_end_and_closes_everything(
    machine: Machine, drive: Account, number: signal.Signals, code: int
) -> None:
    machine.write({f"{n}.jpg": b"x" * 100_000 + bytes([n]) for n in range(40)})
    drive.fault(match=UPLOAD, do="slow", bytes_per_s=100_000)
    uploads = drive.uploads()

    with going(machine, JOB, TOKEN=drive.token) as process:
        until(lambda: drive.uploads() > uploads)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)

    begun = drive.uploads() - uploads
    assert process.returncode == code, out + err
    assert number.name in err
    assert "Traceback" not in out + err
    assert 0 < begun < 40
    stored = drive.drive.files()
    assert len(stored) == 3 + begun, "what was under way was finished, and nothing else begun"
    assert stored.items() <= (hashed(machine) | {"photos/old.jpg": stored["photos/old.jpg"]}).items()
    assert drive.drive.trashed() == []
    assert last(machine) == ("closed", code)
    assert not list((machine.state / "runs").glob("*-wal"))

    calm(drive)
    said = machine.acdrun(JOB, TOKEN=drive.token)
    assert said.code == 0
    assert "cut off" not in said.err, "it was closed in order"
    assert drive.uploads() == uploads + 40, "nothing is sent twice"
    assert drive.drive.files() == hashed(machine)
    assert drive.drive.trashed() == ["old.jpg"]


@pytest.mark.torture
def test_P11_a_signal_while_it_lists_ends_the_run_before_it_has_changed_anything(
    machine: Machine, drive: Account
) -> None:
    machine.write({"new.jpg": "n"})
    before = drive.drive.files()
    drive.fault(match=LISTING, do="slow", seconds=20)
    begun = requests(drive, "GET", "/nodes")

    with going(machine, JOB, TOKEN=drive.token) as process:
        until(lambda: requests(drive, "GET", "/nodes") > begun)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=15)  # no listing is waited for: it changes nothing

    calm(drive)
    assert process.returncode == 143, out + err
    assert "Traceback" not in out + err
    assert "nothing to do" not in out
    assert drive.drive.files() == before
    assert drive.drive.trashed() == []
    assert last(machine) == ("closed", 143)
    converges(machine, drive, ["old.jpg"])


@pytest.mark.torture
def test_P12_a_second_signal_ends_it_there_and_then_as_a_kill_would(machine: Machine, drive: Account) -> None:
    machine.write({"new.jpg": b"x" * 6_000_000})
    drive.fault(match=UPLOAD, do="slow", bytes_per_s=100_000)  # a minute
    uploads = drive.uploads()

    with going(machine, JOB, TOKEN=drive.token) as process:
        until(lambda: drive.uploads() > uploads)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert "SIGINT" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        code = process.wait(timeout=20)  # long before the grace of 30 s is over

    assert code == 130
    assert last(machine)[1] is None, "nobody had the time to close it"
    assert "photos/new.jpg" not in drive.drive.files()
    assert drive.drive.trashed() == []
    converges(machine, drive, ["old.jpg"])
    assert all(state == "closed" for state, _ in journals(machine).values())


@pytest.mark.torture
def test_L1_a_second_run_of_the_same_destination_is_refused_at_once_or_waits(
    machine: Machine, drive: Account
) -> None:
    machine.write({"new.jpg": SLOW})
    other = (machine.jobs / "nightly.yaml").read_text().replace("name: nightly", "name: other")
    (machine.jobs / "other.yaml").write_text(other)
    drive.fault(match=UPLOAD, do="slow", bytes_per_s=100_000, times=1)
    uploads = drive.uploads()

    with going(machine, JOB, TOKEN=drive.token) as first:
        until(lambda: drive.uploads() > uploads)
        refused = machine.acdrun("--json", "jobs/other.yaml", TOKEN=drive.token)
        assert first.poll() is None, "the first is still at it"
        waited = machine.acdrun("--wait", "1m", "jobs/other.yaml", TOKEN=drive.token)
        out, err = first.communicate(timeout=60)

    assert first.returncode == 0, out + err
    assert refused.code == 8
    assert f"process {first.pid}" in refused.err
    assert "--wait" in refused.err
    assert json.loads(refused.out.splitlines()[-1])["exit"] == 8
    assert waited.code == 0, waited.out + waited.err
    assert "waiting" in waited.err
    assert "nothing to do" in waited.out
    assert drive.uploads() == uploads + 1
    assert drive.drive.files() == hashed(machine)
    assert drive.drive.trashed() == ["old.jpg"]


@pytest.mark.torture
def test_P11_L1_a_signal_ends_the_wait_for_another_run_at_once(machine: Machine, drive: Account) -> None:
    machine.write({"new.jpg": SLOW})
    drive.fault(match=UPLOAD, do="slow", bytes_per_s=20_000, times=1)
    uploads = drive.uploads()

    with going(machine, JOB, TOKEN=drive.token) as first:
        until(lambda: drive.uploads() > uploads)
        with going(machine, "--wait", "1h", JOB, TOKEN=drive.token) as second:
            assert second.stderr is not None
            assert "waiting" in second.stderr.readline()
            second.send_signal(signal.SIGINT)
            code = second.wait(timeout=10)
        assert first.poll() is None, "the first is still at it"

    assert code == 130
