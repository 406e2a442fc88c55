"""A file that is written to without a pause, as a log is, by a process that knows nothing of us."""

import contextlib
import hashlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stories.conftest import Machine

WRITER = """
import sys, time
with open(sys.argv[1], "ab", buffering=0) as file:
    print("writing", flush=True)
    while True:
        file.write(b"another line of this log\\n" * 40)
        time.sleep(0.0005)
"""


@contextlib.contextmanager
def growing(file: Path) -> Iterator[None]:
    """Another process appends to the file all the while."""
    with subprocess.Popen([sys.executable, "-c", WRITER, str(file)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            process.stdout.readline()
            yield
        finally:
            process.kill()


@pytest.mark.torture
def test_S1_a_log_that_grows_all_the_while_is_counted_as_changed_and_holds_the_trash(
    machine: Machine,
) -> None:
    job = machine.nightly()
    machine.write({"fine.jpg": "fine", "old.jpg": "o"})
    machine.acdrun(job)
    (machine.photos / "old.jpg").unlink()
    machine.write({"new.jpg": "new", "the.log": b"x" * 20_000_000})

    with growing(machine.photos / "the.log"):
        said = machine.acdrun(job)

    assert said.code == 3, said.out + said.err
    assert "the.log: changed" in said.out
    assert "nothing was trashed" in said.out
    with machine.drive() as drive:
        assert set(drive.files()) == {"photos/fine.jpg", "photos/new.jpg", "photos/old.jpg"}
        assert drive.trashed() == []

    assert machine.acdrun(job).code == 0
    with machine.drive() as drive:
        digest = hashlib.md5((machine.photos / "the.log").read_bytes()).hexdigest()
        assert drive.files()["photos/the.log"] == digest
        assert drive.trashed() == ["old.jpg"]
