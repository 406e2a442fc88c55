"""Looking and copying by hand, on a drive: what a person types, and what a stranger's client then sees."""

import hashlib
import re
import signal
import subprocess
import sys
import time

import pytest

from tests.stories.conftest import Machine
from tests.stories.test_killed import stored

DEEP = "cloud:Backups/web1/a/b/c/d/e"
FILES: dict[str, str | bytes] = {
    "one.txt": "one",
    "a b/ü 😀.txt": "umlaut",
    "x/y/z/[glob]*?.bin": b"\x00" * 100_000,
    "x/'quoted' \"twice\"": "q",
    "empty": "",
}
MD5 = {
    name: hashlib.md5(data.encode() if isinstance(data, str) else data).hexdigest()
    for name, data in FILES.items()
}


@pytest.fixture
def cloud(machine: Machine) -> Machine:
    """A machine whose owner has a remote `cloud`, and something to copy in `photos`."""
    folder = machine.home / "config" / "acdrun"
    folder.mkdir(parents=True)
    (folder / "remotes.yaml").write_text("remotes: { cloud: { type: acd, server: embedded } }\n")
    machine.write(FILES)
    return machine


def test_what_is_copied_is_there_deep_down_and_every_verb_shows_it(cloud: Machine) -> None:
    copied = cloud.acdrun("copy", "photos", DEEP)
    listed, long, sums = (cloud.acdrun(verb, DEEP) for verb in ("ls", "lsl", "md5sum"))
    folders, one = cloud.acdrun("lsd", f"{DEEP}/x"), cloud.acdrun("cat", f"{DEEP}/a b/ü 😀.txt")

    assert copied.code == 0
    assert "sent 5 files (97.7KiB), each confirmed by md5" in copied.out
    sizes = {name: (cloud.photos / name).stat().st_size for name in FILES}
    assert sorted(listed.out.splitlines()) == sorted(f"{size:>9} {name}" for name, size in sizes.items())
    assert dict(line.split("  ", 1)[::-1] for line in sums.out.splitlines()) == MD5
    pattern = r" {0,8}\d+ \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{9} .+"
    assert all(re.fullmatch(pattern, line) for line in long.out.splitlines())
    assert f" {time.strftime('%Y', time.gmtime())}-" in long.out, (
        "the service's own time, where it keeps no other"
    )
    assert re.fullmatch(r"          -1 \d{4}-\d\d-\d\d \d\d:\d\d:\d\d        -1 y\n", folders.out)
    assert one.out == "umlaut"
    with cloud.drive() as drive:
        assert drive.files() == {f"Backups/web1/a/b/c/d/e/{name}": md5 for name, md5 in MD5.items()}


def test_a_plan_changes_nothing_and_a_second_copy_sends_nothing(cloud: Machine) -> None:
    planned = cloud.acdrun("copy", "--plan", "photos", "cloud:backup")
    with cloud.drive() as drive:
        before = drive.files(), drive.nodes("kind:FOLDER")
    cloud.acdrun("copy", "photos", "cloud:backup")
    again = cloud.acdrun("copy", "--checksum", "--retries", "2", "--transfers", "3", "photos", "cloud:backup")

    assert planned.code == 0
    assert "5 new" in planned.out
    assert before[0] == {}
    assert [node.get("isRoot") for node in before[1]] == [True]
    assert again.code == 0
    assert "sent" not in again.out
    assert "unchanged 5 files" in again.out


def test_check_finds_a_changed_byte_and_says_how_many_match(cloud: Machine) -> None:
    cloud.acdrun("copy", "photos", "cloud:backup")
    fine = cloud.acdrun("check", "photos", "cloud:backup")
    cloud.write({"one.txt": "onE", "new": "n"})

    differs = cloud.acdrun("check", "photos", "cloud:backup")

    assert (fine.code, fine.out, fine.err) == (0, "", "0 differences found\n5 matching files\n")
    assert differs.code == 9
    assert sorted(differs.out.splitlines()) == ["* one.txt", "+ new"]
    assert "2 differences found\n4 matching files\n" in differs.err


def test_a_move_empties_the_source_into_its_trash_and_back_again(cloud: Machine) -> None:
    moved = cloud.acdrun("move", "photos", "cloud:backup")
    left = cloud.acdrun("ls", "photos")
    back = cloud.acdrun("move", "cloud:backup", "again")

    assert (moved.code, back.code) == (0, 0)
    assert "took 5 files (97.7KiB) out of the source; they are in its trash" in moved.out
    assert left.out == ""
    with cloud.drive() as drive:
        assert drive.files() == {}
        assert len(drive.trashed()) == 5
    sums = cloud.acdrun("md5sum", "again").out
    assert dict(line.split("  ", 1)[::-1] for line in sums.splitlines()) == MD5
    assert cloud.acdrun("trash", "restore", "photos", "one.txt").out == "+ one.txt\n"


def test_what_was_trashed_on_the_drive_comes_back_folder_by_folder(cloud: Machine) -> None:
    cloud.acdrun("copy", "photos", "cloud:backup")
    cloud.write({"one.txt": "another one"})
    cloud.acdrun("copy", "photos", "cloud:backup")
    cloud.acdrun("mkdir", "cloud:empty/inner")
    cloud.acdrun("rmdir", "cloud:empty/inner")
    cloud.acdrun("rmdir", "cloud:empty")

    listed = cloud.acdrun("trash", "list", "cloud")
    taken = cloud.acdrun("trash", "restore", "cloud:", "backup/one.txt")
    aside = cloud.acdrun("trash", "restore", "cloud:", "backup/one.txt", "--to", "backup/old one.txt")
    inner = cloud.acdrun("trash", "restore", "cloud:", "empty/inner")
    both = cloud.acdrun("trash", "restore", "cloud:", "empty")

    assert [line[30:].rsplit("  ", 1)[0] for line in listed.out.splitlines()] == [
        "backup/one.txt", "empty/", "empty/inner/",
    ]  # fmt: skip
    assert (taken.code, aside.code) == (3, 0)
    assert "exists" in taken.err
    assert cloud.acdrun("cat", "cloud:backup/old one.txt").out == "one"
    assert cloud.acdrun("cat", "cloud:backup/one.txt").out == "another one"
    assert inner.code == 1
    assert "'empty' is" in inner.err
    assert (both.code, both.out) == (0, "+ empty/\n+ empty/inner/\n")
    assert cloud.acdrun("trash", "list", "cloud").out == ""


def test_small_things_are_said_plainly(cloud: Machine) -> None:
    cloud.acdrun("copy", "photos/one.txt", "cloud:single")

    about = cloud.acdrun("about", "cloud:")
    missing = cloud.acdrun("ls", "cloud:no/where")
    refused = cloud.acdrun("rmdir", "cloud:single")

    assert cloud.acdrun("ls", "cloud:").out == "        3 single/one.txt\n"
    assert [line.split()[0] for line in about.out.splitlines()] == ["Total:", "Used:", "Free:"]
    assert (missing.code, missing.out) == (1, "")
    assert "cloud:no" in missing.err
    assert refused.code == 4
    assert "cloud:single: the folder is not empty" in refused.err


def test_a_pipe_that_is_closed_early_is_no_error(cloud: Machine) -> None:
    cloud.acdrun("copy", "photos", "cloud:backup")
    program = f"{sys.executable} -m runner"
    for command in ("cat cloud:backup", "ls cloud:backup", "md5sum cloud:backup"):
        said = subprocess.run(
            ["bash", "-c", f"{program} {command} | head -c 1 >/dev/null; exit ${{PIPESTATUS[0]}}"],
            cwd=cloud.home, env=cloud.environment, capture_output=True, text=True,
        )  # fmt: skip

        assert (said.returncode, said.stderr) == (0, ""), command


def test_a_killed_move_loses_nothing_and_the_next_one_finishes_it(cloud: Machine) -> None:
    files: dict[str, str | bytes] = {
        f"{number // 50:02}/{number}.jpg": f"picture {number}" * 40 for number in range(500)
    }
    cloud.write(files)
    process = cloud.start("move", "photos", "cloud:photos")
    deadline = time.monotonic() + 60
    while stored(cloud) < 100:
        assert time.monotonic() < deadline, "the move does not get on"
        time.sleep(0.02)

    process.send_signal(signal.SIGKILL)
    process.communicate()
    time.sleep(0.5)  # the server winds down; nothing tells us when
    kept = sum(path.is_file() for path in cloud.photos.rglob("*") if ".acdrun-trash" not in path.parts)
    again = cloud.acdrun("move", "photos", "cloud:photos")

    assert kept == len(files) + len(FILES), "nothing leaves the source before everything has arrived"
    assert again.code == 0
    assert cloud.acdrun("ls", "photos").out == ""
    with cloud.drive() as drive:
        assert len(drive.files()) == len(files) + len(FILES)


def test_a_copy_within_one_remote_ends_however_few_requests_it_may_make_at_once(cloud: Machine) -> None:
    remotes = cloud.home / "config" / "acdrun" / "remotes.yaml"
    remotes.write_text("remotes: { cloud: { type: acd, server: embedded, limits: { concurrency: 1 } } }\n")
    cloud.acdrun("copy", "photos", "cloud:first")

    copied = cloud.acdrun("copy", "cloud:first", "cloud:second", "--max-duration", "60s")

    assert copied.code == 0
    with cloud.drive() as drive:
        assert {path: md5 for path, md5 in drive.files().items() if path.startswith("second/")} == {
            f"second/{name}": md5 for name, md5 in MD5.items()
        }
