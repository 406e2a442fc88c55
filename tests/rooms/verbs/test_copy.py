"""`copy`: a pair made on the command line, through plan, journal and report."""

import os
from contextlib import closing
from pathlib import Path

import pytest

from runner.manifest.manifest import from_canonical
from runner.state.journal import Journal
from tests.rooms.cli.conftest import Acdrun, write


def test_copy_takes_a_folders_content_and_a_second_one_finds_nothing_to_do(mem: Acdrun) -> None:
    first, second = mem("copy", "src", "mem:deep/as/you/like"), mem("copy", "./src/", "mem:deep/as/you/like")

    assert (first.code, second.code) == (0, 0)
    assert mem("ls", "mem:deep/as/you/like").out == mem("ls", "src").out
    assert "sent 3 files (2.94KiB), each confirmed by md5" in first.out
    assert "sent" not in second.out
    assert "unchanged 3 files (2.94KiB), proven by md5" in second.out


def test_a_plan_changes_nothing_and_names_the_command_that_does_it(mem: Acdrun, place: Path) -> None:
    planned = mem("copy", "--plan", "src", "mem:a b")

    assert planned.code == 0
    assert "3 new" in planned.out
    assert planned.out.endswith("to do it:  acdrun copy -f places.yaml src 'mem:a b'\n")
    assert mem("ls", "mem:").out == ""
    assert mem("copy", "--plan", "--detailed-exitcode", "src", "mem:a b").code == 10


def test_a_saved_plan_is_applied_exactly(acdrun: Acdrun, place: Path) -> None:
    acdrun("copy", "--plan", "--out", "a.plan", "src", "dst")
    write(place / "src/later", "later")

    applied = acdrun("apply", "a.plan")

    assert applied.code == 0
    assert acdrun("ls", "dst").out.count("\n") == 3


def test_retries_are_the_tries_of_one_file(acdrun: Acdrun) -> None:
    acdrun("copy", "--plan", "--out", "a.plan", "--retries", "7", "src", "dst")
    acdrun("copy", "--plan", "--out", "b.plan", "src", "dst")

    tries = []
    for name in ("a.plan", "b.plan"):
        with closing(Journal(Path(name))) as journal:
            tries.append(from_canonical(journal.header.manifest).pairs[0].retry.attempts)

    assert tries == [7, 3]


def test_one_file_goes_into_the_folder_alone(mem: Acdrun, place: Path) -> None:
    for name in ("[x]*?", "trailing ", "#h!", "back\\slash", "!x"):
        write(place / "src/sub" / name, name)

        assert mem("copy", f"src/sub/{name}", "mem:in").code == 0
    mem("copy", "mem:in/#h!", "back")

    assert sorted(line[10:] for line in mem("ls", "mem:in").out.splitlines()) == [
        "!x", "#h!", "[x]*?", "back\\slash", "trailing ",
    ]  # fmt: skip
    assert [path.name for path in (place / "back").iterdir()] == ["#h!"]


def test_what_is_overwritten_is_in_the_trash_and_nothing_is_removed(mem: Acdrun, place: Path) -> None:
    mem("copy", "src", "mem:a")
    write(place / "src/one.txt", "another")
    (place / "src/sub/two.txt").unlink()

    ended = mem("copy", "src", "mem:a")

    assert ended.code == 0
    assert mem("cat", "mem:a/one.txt").out == "another"
    assert mem("cat", "mem:a/sub/two.txt").out == "two two"
    assert "a/one.txt" in mem("trash", "list", "mem:").out


def test_checksum_and_size_only_say_what_a_change_is(acdrun: Acdrun, place: Path) -> None:
    acdrun("copy", "src", "dst")
    kept = (place / "src/one.txt").stat().st_mtime_ns
    write(place / "src/one.txt", "ONE")
    os.utime(place / "src/one.txt", ns=(kept, kept))

    by_time, by_sum = acdrun("copy", "src", "dst"), acdrun("copy", "--checksum", "src", "dst")
    os.utime(place / "src/sub/two.txt", ns=(1, 1))
    by_size = acdrun("copy", "--size-only", "src", "dst")

    assert "sent" not in by_time.out
    assert "sent 1 file (3B)" in by_sum.out
    assert "sent" not in by_size.out
    assert acdrun("copy", "--checksum", "--size-only", "src", "dst").code == 2


@pytest.mark.parametrize(
    ("filters", "copied"),
    [
        (["--exclude", "sub/"], ["one.txt"]),
        (["--include", "two.*"], ["sub/two.txt"]),
        (["--include", "/one.txt", "--exclude", "*.txt"], ["one.txt"]),
        (["--exclude", "*.txt", "--include", "/one.txt"], []),
    ],
)
def test_the_first_filter_that_matches_decides(filters: list[str], copied: list[str], mem: Acdrun) -> None:
    ended = mem("copy", *filters, "src", "mem:a")

    assert ended.code == 0
    assert [line[10:] for line in mem("ls", "mem:a").out.splitlines()] == copied


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["C:\\photos", "dst"], "path of Windows"),
        (["src", "src/sub"], "lies within"),
        (["src", "nobody:x"], 'no remote "nobody"'),
        (["--retries", "0", "src", "dst"], "--retries"),
        (["--transfers", "0", "src", "dst"], "--transfers"),
        (["--exclude", "[", "src", "dst"], "not a glob"),
        (["--out", "p", "src", "dst"], "--out goes with --plan"),
        (["src"], "DST"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_done(
    words: list[str], said: str, acdrun: Acdrun, place: Path
) -> None:
    ended = acdrun("copy", *words)

    assert ended.code == 2
    assert said in ended.err
    assert not (place / "dst").exists()


def test_a_source_that_is_not_there_is_named(mem: Acdrun, place: Path) -> None:
    local, remote = mem("copy", "src/nowhere", "dst"), mem("copy", "mem:no/where", "dst")

    assert (local.code, remote.code) == (1, 1)
    assert f"{place}/src/nowhere" in local.err
    assert "mem:no" in remote.err
    assert not (place / "dst").exists()


def test_an_empty_source_copies_nothing_and_is_no_accident(mem: Acdrun, place: Path) -> None:
    mem("copy", "src", "mem:a")
    (place / "empty").mkdir()

    ended = mem("copy", "empty", "mem:a")

    assert ended.code == 0
    assert mem("ls", "mem:a").out.count("\n") == 3


def test_a_one_off_stands_in_the_history(acdrun: Acdrun) -> None:
    acdrun("copy", "src", "dst")

    listed, log = acdrun("history"), acdrun("log", "last")

    assert listed.out.splitlines()[1].split()[-1] == "copy"
    assert "upload" in log.out
