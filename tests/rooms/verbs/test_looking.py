"""lsl, md5sum, cat, about, mkdir, rmdir: what they print, on a local disk and in memory."""

import json
import os
import subprocess
import sys
import time
from argparse import Namespace
from pathlib import Path

import pytest

from runner.cli.commands.about import in_units
from runner.cli.commands.cat import part
from runner.cli.commands.md5sum import sum_line
from runner.state.locks import Scope, locked
from tests.rooms.cli.conftest import Acdrun, write

ODD = ["new\nline", "back\\slash", "[x]*?", "trailing ", " leading", "#h!", "ü 😀", "-rf", "ret\rurn"]


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()


@pytest.mark.usefixtures("berlin")
def test_lsl_prints_size_local_time_to_the_nanosecond_and_path(acdrun: Acdrun, place: Path) -> None:
    for name in ("one.txt", "sub/two.txt", "sub/deep/three.txt"):
        os.utime(place / "src" / name, ns=(0, 1_136_214_245_000_000_007))

    ended = acdrun("lsl", "src")

    assert ended.out.splitlines() == [
        "        3 2006-01-02 16:04:05.000000007 one.txt",
        "        7 2006-01-02 16:04:05.000000007 sub/two.txt",
        "     3000 2006-01-02 16:04:05.000000007 sub/deep/three.txt",
    ]


def test_one_file_is_listed_by_its_name(acdrun: Acdrun, mem: Acdrun) -> None:
    mem("copy", "src", "mem:a/b")

    assert acdrun("ls", "src/sub/two.txt").out == "        7 two.txt\n"
    assert mem("ls", "mem:a/b/sub/two.txt").out == "        7 two.txt\n"


@pytest.mark.parametrize("verb", ["ls", "lsl", "lsd", "md5sum", "cat"])
def test_what_is_not_there_is_an_error_with_its_name(verb: str, mem: Acdrun) -> None:
    mem("mkdir", "mem:")

    local, remote = mem(verb, "src/nowhere"), mem(verb, "mem:no/where")

    assert (local.code, remote.code, local.out, remote.out) == (1, 1, "", "")
    assert "src/nowhere" in local.err
    assert "mem:no/where: " in remote.err or "mem:no: " in remote.err


def test_md5sum_is_what_the_md5sum_tool_checks(acdrun: Acdrun, place: Path) -> None:
    for name in ODD:
        write(place / "odd" / "a b" / name, f"content of {name}")
    write(place / "odd" / "empty", "")
    said = subprocess.run(
        [sys.executable, "-m", "runner", "md5sum", "odd"], cwd=place, capture_output=True, check=True,
        env={**os.environ, "LC_ALL": "C", "PYTHONPATH": str(Path(__file__).parents[3])},
    )  # fmt: skip

    checked = subprocess.run(["md5sum", "-c", "-"], cwd=place / "odd", input=said.stdout, capture_output=True)

    assert (checked.returncode, checked.stdout.count(b": OK")) == (0, len(ODD) + 1), checked
    assert b"d41d8cd98f00b204e9800998ecf8427e  empty\n" in said.stdout


def test_a_name_is_escaped_only_where_it_must_be() -> None:
    assert sum_line("0" * 32, "a b/ü") == b"0" * 32 + b"  a b/\xc3\xbc\n"
    assert sum_line("0" * 32, "a\\b\nc") == b"\\" + b"0" * 32 + b"  a\\\\b\\nc\n"


def test_md5sum_believes_a_listing_that_carries_digests(mem: Acdrun) -> None:
    mem("copy", "src", "mem:a")

    assert mem("md5sum", "mem:a").out == mem("md5sum", "src").out


def test_cat_writes_a_file_or_all_files_in_path_order(mem: Acdrun) -> None:
    mem("copy", "src", "mem:a")

    assert mem("cat", "mem:a/sub/two.txt").out == "two two"
    assert mem("cat", "mem:a").out == mem("cat", "src").out == "one" + "two two" + "3" * 3000


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--head", "3"], "two"),
        (["--tail", "2"], "wo"),
        (["--offset", "4"], "two"),
        (["--offset", "-5", "--count", "2"], "o "),
        (["--count", "0"], ""),
        (["--head", "99"], "two two"),
        (["--offset", "99"], ""),
    ],
)
def test_cat_writes_a_part(options: list[str], text: str, acdrun: Acdrun) -> None:
    assert acdrun("cat", *options, "src/sub/two.txt").out == text


def test_a_part_never_leaves_the_file() -> None:
    for size in range(4):
        for offset in range(-5, 6):
            start, end = part(Namespace(head=None, tail=None, offset=offset, count=2), size)

            assert 0 <= start <= size
            assert start <= end <= size


def test_cat_refuses_what_makes_no_sense(acdrun: Acdrun) -> None:
    assert acdrun("cat", "--json", "src").code == 2
    assert acdrun("cat", "--head", "1", "--tail", "1", "src").code == 2
    assert acdrun("cat", "--head", "-1", "src").code == 2


def test_a_reader_that_goes_away_is_no_error(place: Path) -> None:
    write(place / "src" / "big", "x" * 30_000_000)
    command = f"{sys.executable} -m runner cat src | head -c 5; exit ${{PIPESTATUS[0]}}"

    said = subprocess.run(
        ["bash", "-c", command], cwd=place, capture_output=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )  # fmt: skip

    assert (said.returncode, said.stdout, said.stderr) == (0, b"xxxxx", b"")


def test_about_prints_the_columns_of_rclone(mem: Acdrun) -> None:
    mem("copy", "src", "mem:a")

    text, records = mem("about", "mem:"), mem("about", "--json", "mem:")

    assert text.out == "Used:    2.939 KiB\n"
    quota = json.loads(records.out.splitlines()[0])
    assert (quota["total"], quota["used"], quota["free"]) == (None, 3010, None)
    assert [line.split()[0] for line in mem("about", "src").out.splitlines()] == ["Total:", "Used:", "Free:"]


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (17 << 30, "17 GiB"), (7993162416, "7.444 GiB")],
)
def test_sizes_are_written_as_rclone_writes_them(size: int, text: str) -> None:
    assert in_units(size) == text


def test_mkdir_makes_the_folders_above_and_twice_is_as_good_as_once(mem: Acdrun, place: Path) -> None:
    codes = [mem("mkdir", where).code for where in ("mem:a/b/c", "mem:a/b/c", "disk:a/b", "new/deep")]

    assert codes == [0, 0, 0, 0]
    assert mem("lsd", "mem:a/b").out.endswith(" c\n")
    assert (place / "disk/a/b").is_dir()
    assert (place / "new/deep").is_dir()


def test_mkdir_says_what_is_in_the_way(mem: Acdrun) -> None:
    mem("copy", "src", "mem:")

    ended = mem("mkdir", "mem:one.txt/below")

    assert ended.code != 0
    assert "mem:one.txt" in ended.err


def test_rmdir_takes_an_empty_folder_to_the_trash_and_refuses_any_other(mem: Acdrun, place: Path) -> None:
    mem("mkdir", "mem:a/b")

    refused, gone, root = mem("rmdir", "mem:a"), mem("rmdir", "mem:a/b"), mem("rmdir", "mem:")

    assert (refused.code, gone.code, root.code) == (4, 0, 3)
    assert "mem:a: the folder is not empty" in refused.err
    assert mem("lsd", "mem:a").out == ""
    assert "a/b/" in mem("trash", "list", "mem:").out


def test_rmdir_of_a_file_or_of_nothing_changes_nothing(mem: Acdrun) -> None:
    file, nothing = mem("rmdir", "src/one.txt"), mem("rmdir", "src/nothing")

    assert (file.code, nothing.code) == (3, 1)
    assert mem("ls", "src").out.count("\n") == 3


def test_a_local_folder_that_is_removed_comes_back(acdrun: Acdrun, place: Path) -> None:
    (place / "src/empty").mkdir()

    codes = [acdrun("rmdir", "src/empty").code]
    gone = (place / "src/empty").exists()
    codes.append(acdrun("trash", "restore", "src", "empty").code)

    assert codes == [0, 0]
    assert not gone
    assert (place / "src/empty").is_dir()


@pytest.mark.parametrize("verb", ["ls", "lsl", "md5sum", "cat", "mkdir", "rmdir", "about"])
def test_a_path_of_windows_is_told_as_one(verb: str, acdrun: Acdrun) -> None:
    ended = acdrun(verb, "C:\\photos")

    assert ended.code == 2
    assert "path of Windows" in ended.err


def test_what_writes_waits_for_nobody_and_says_who_is_there(acdrun: Acdrun, place: Path) -> None:
    acdrun("m.yaml")
    with locked(place / "state", [Scope("local", str(place / "src").lstrip("/"))], "other-run"):
        ended = [acdrun("mkdir", "src/new"), acdrun("rmdir", "src/sub"), acdrun("move", "src", "dst")]
        looked = acdrun("ls", "src")

    assert [one.code for one in ended] == [8, 8, 8]
    assert all("other-run" in one.err for one in ended)
    assert looked.code == 0
