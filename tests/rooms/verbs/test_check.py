"""`check`: what differs between two places."""

import json
import os
from pathlib import Path

from tests.rooms.cli.conftest import Acdrun, write


def test_two_places_with_the_same_files_match(mem: Acdrun) -> None:
    mem("copy", "src", "mem:a")

    ended = mem("check", "src", "mem:a")

    assert (ended.code, ended.out) == (0, "")
    assert ended.err == "0 differences found\n3 matching files\n"


def test_every_kind_of_difference_has_its_sign(mem: Acdrun, place: Path) -> None:
    mem("copy", "src", "mem:a")
    write(place / "src/new/file", "new")
    write(place / "src/one.txt", "One")
    write(place / "src/sub/two.txt", "longer than before")
    (place / "src/sub/deep/three.txt").unlink()

    ended = mem("check", "src", "mem:a")

    assert ended.code == 9
    assert ended.out.splitlines() == ["* one.txt", "+ new/file", "* sub/two.txt", "- sub/deep/three.txt"]
    assert ended.err.splitlines() == [
        "1 file missing at DST", "1 file missing at SRC", "2 files different",
        "4 differences found", "0 matching files",
    ]  # fmt: skip


def test_a_changed_byte_under_the_same_size_and_time_is_found_by_reading(acdrun: Acdrun, place: Path) -> None:
    acdrun("copy", "src", "dst")
    seen = (place / "dst/one.txt").stat()
    write(place / "dst/one.txt", "onE")
    os.utime(place / "dst/one.txt", ns=(seen.st_atime_ns, seen.st_mtime_ns))

    by_content, by_size = acdrun("check", "src", "dst"), acdrun("check", "--size-only", "src", "dst")

    assert (by_content.code, by_content.out) == (9, "* one.txt\n")
    assert (by_size.code, by_size.out) == (0, "")


def test_one_way_and_filters_leave_out_what_they_say(mem: Acdrun, place: Path) -> None:
    mem("copy", "src", "mem:a")
    (place / "src/one.txt").unlink()
    write(place / "src/x.tmp", "x")

    assert mem("check", "--one-way", "--exclude", "*.tmp", "src", "mem:a").code == 0
    assert mem("check", "--include", "sub/", "--include", "*.txt", "--one-way", "src", "mem:a").code == 0
    assert mem("check", "src/sub/two.txt", "mem:a/sub").err == "0 differences found\n1 matching file\n"


def test_nothing_is_written_anywhere(mem: Acdrun, place: Path) -> None:
    mem("copy", "src", "mem:a")
    before = mem("trash", "list", "mem:").out + mem("lsl", "mem:").out
    runs = sorted((place / "state" / "runs").iterdir())

    mem("check", "src", "mem:")
    mem("check", "mem:a", "src")

    assert mem("trash", "list", "mem:").out + mem("lsl", "mem:").out == before
    assert sorted((place / "state" / "runs").iterdir()) == runs


def test_what_cannot_be_read_is_counted_and_is_no_difference(mem: Acdrun, place: Path) -> None:
    mem("copy", "src", "mem:a")
    bad = place / "src" / b"bad\xff".decode("utf-8", "surrogateescape")
    bad.write_text("x")

    ended = mem("check", "src", "mem:a")

    assert ended.code == 3
    assert ended.out.startswith("! bad")
    assert "1 error while checking" in ended.err
    assert "0 differences found" in ended.err


def test_records_say_the_same(mem: Acdrun, place: Path) -> None:
    mem("copy", "src", "mem:a")
    write(place / "src/one.txt", "One")

    records = [json.loads(line) for line in mem("check", "--json", "src", "mem:a").out.splitlines()]

    assert next((r["sign"], r["path"]) for r in records if r["record"] == "compared") == ("*", "one.txt")
    assert next(r for r in records if r["record"] == "check")["differences"] == 1
    assert records[-1]["exit"] == 9


def test_a_destination_that_is_not_there_is_an_error(mem: Acdrun) -> None:
    assert mem("check", "src", "mem:nowhere").code == 1
    assert mem("check", "--size-only", "--download", "src", "mem:").code == 2
