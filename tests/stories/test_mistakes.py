"""What a user gets wrong, and what the program says then."""

import json

from tests.stories.conftest import NIGHTLY, Machine


def test_a_typo_is_named_with_its_line_and_nothing_is_contacted(machine: Machine) -> None:
    job = machine.nightly(NIGHTLY.replace("mode: mirror", "mod: mirror"))
    machine.write({"a.jpg": "a"})

    said = machine.acdrun(job)

    assert said.code == 2
    assert "jobs/nightly.yaml:8:" in said.err
    assert 'did you mean "mode"' in said.err
    assert "^" in said.err
    assert "Traceback" not in said.err
    assert not (machine.state / "emulator").exists()


def test_a_missing_source_is_refused_and_nothing_is_changed(machine: Machine) -> None:
    job = machine.nightly()
    machine.write({"a.jpg": "a"})
    machine.acdrun(job)
    machine.photos.rename(machine.home / "unmounted")

    said = machine.acdrun(job)

    assert said.code == 4
    assert "does not exist" in said.err + said.out
    with machine.drive() as drive:
        assert list(drive.files()) == ["photos/a.jpg"]


def test_an_emptied_source_is_refused(machine: Machine) -> None:
    job = machine.nightly()
    machine.write({"a.jpg": "a", "b.jpg": "b"})
    machine.acdrun(job)
    for path in machine.photos.iterdir():
        path.unlink()

    said = machine.acdrun(job)

    assert said.code == 4
    assert "the source is empty" in said.err + said.out
    with machine.drive() as drive:
        assert len(drive.files()) == 2


def test_a_file_that_cannot_be_read_is_counted_and_nothing_is_trashed(machine: Machine) -> None:
    job = machine.nightly()
    machine.write({"a.jpg": "a", "b.jpg": "b"})
    machine.acdrun(job)
    (machine.photos / "b.jpg").unlink()
    (machine.photos / "b\udcff.jpg").write_bytes(b"a name that is no UTF-8")

    said = machine.acdrun(job)

    assert said.code == 3
    assert "UTF-8" in said.out + said.err


def test_a_second_run_at_the_same_time_is_locked_out(machine: Machine) -> None:
    job = machine.nightly()
    machine.write({f"{number}.jpg": "x" * 5000 for number in range(1500)})
    first = machine.start(job)
    lock = machine.state / "locks"
    while not list(lock.glob("*.json")):
        assert first.poll() is None

    second = machine.acdrun(job)

    out, err = first.communicate(timeout=120)
    assert second.code == 8
    assert str(first.pid) in second.err
    assert first.returncode == 0, out + err


def test_no_login_is_exit_6_with_the_way_to_log_in(machine: Machine) -> None:
    job = machine.nightly(NIGHTLY.replace(", server: embedded", ""))
    machine.write({"a.jpg": "a"})

    said = machine.acdrun(job)

    assert said.code == 6
    assert "acdrun login cloud" in said.out + said.err


def test_a_server_that_is_down_is_exit_7(machine: Machine) -> None:
    token = json.dumps(
        {
            "access_token": "Atza|canary",
            "refresh_token": "Atzr|canary",
            "token_type": "bearer",
            "expiry": "2099-01-01T00:00:00Z",
        }
    )
    text = NIGHTLY.replace("server: embedded", "server: 'http://127.0.0.1:9', auth: {token: {env: TOKEN}}")
    job = machine.nightly(text.replace("attempts: 3,", "attempts: 2, calls: 2, "))
    machine.write({"a.jpg": "a"})

    said = machine.acdrun(job, TOKEN=token)

    assert said.code == 7
    assert "canary" not in said.out + said.err
