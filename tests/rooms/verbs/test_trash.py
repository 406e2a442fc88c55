"""`trash list` and `trash restore`."""

import json
from pathlib import Path

from tests.rooms.cli.conftest import Acdrun, write


def lose(acdrun: Acdrun, place: Path) -> None:
    """Mirror, lose `sub` at the source, and mirror again."""
    acdrun("m.yaml")
    (place / "src/sub/two.txt").unlink()
    (place / "src/sub/deep/three.txt").unlink()
    (place / "src/sub/deep").rmdir()
    (place / "src/sub").rmdir()
    write(place / "m.yaml", (place / "m.yaml").read_text() + "        guard: { trash: { max: 100% } }\n")
    assert acdrun("m.yaml").code == 0


def test_what_a_mirror_trashed_is_listed_with_size_time_path_and_the_way_back(
    acdrun: Acdrun, place: Path
) -> None:
    lose(acdrun, place)

    ended = acdrun("trash", "list", "dst")

    lines = ended.out.splitlines()
    assert [line[30:].split("  ")[0] for line in lines] == [
        "sub/",
        "sub/deep/",
        "sub/deep/three.txt",
        "sub/two.txt",
    ]
    assert [line[:9].strip() for line in lines] == ["-", "-", "3000", "7"]


def test_a_path_brings_back_all_that_was_below_it_folders_first(acdrun: Acdrun, place: Path) -> None:
    lose(acdrun, place)

    ended = acdrun("trash", "restore", "dst", "sub")

    assert ended.code == 0
    assert (place / "dst/sub/two.txt").read_text() == "two two"
    assert (place / "dst/sub/deep/three.txt").stat().st_size == 3000
    assert acdrun("trash", "list", "dst").out == ""
    assert ended.out.splitlines()[0] == "+ sub/"


def test_an_id_brings_back_one_and_only_where_its_folder_is(acdrun: Acdrun, place: Path) -> None:
    lose(acdrun, place)
    records = [json.loads(line) for line in acdrun("trash", "list", "--json", "dst").out.splitlines()[:-1]]
    (ref,) = [record["ref"] for record in records if record["path"] == "sub/two.txt"]

    refused = acdrun("trash", "restore", "dst", ref)
    elsewhere = acdrun("trash", "restore", "dst", ref, "--to", "found.txt")

    assert refused.code == 1
    assert "its folder 'sub' is not there" in refused.err
    assert (elsewhere.code, elsewhere.out) == (0, "+ found.txt\n")
    assert (place / "dst/found.txt").read_text() == "two two"


def test_nothing_is_replaced_and_the_rest_comes_back(acdrun: Acdrun, place: Path) -> None:
    lose(acdrun, place)
    write(place / "dst/sub/two.txt", "mine")

    ended = acdrun("trash", "restore", "dst", "sub")

    assert ended.code == 3
    assert "! sub/two.txt: exists" in ended.err
    assert (place / "dst/sub/two.txt").read_text() == "mine"
    assert (place / "dst/sub/deep/three.txt").exists()


def test_the_latest_of_a_path_is_meant(mem: Acdrun, place: Path) -> None:
    for text in ("first", "second", "third"):
        write(place / "src/one.txt", text)
        mem("copy", "src", "disk:")

    (place / "disk/one.txt").unlink()
    ended = mem("trash", "restore", "disk:", "one.txt")

    assert ended.code == 0
    assert (place / "disk/one.txt").read_text() == "second"
    assert mem("trash", "list", "disk").out.count("one.txt  ") == 1


def test_a_path_below_a_remote_shows_its_part(mem: Acdrun) -> None:
    for folder in ("mem:a/x", "mem:b/y"):
        mem("mkdir", folder)
        mem("rmdir", folder)

    assert "x/" in mem("trash", "list", "mem:a").out
    assert "y/" not in mem("trash", "list", "mem:a").out
    assert mem("trash", "list", "mem").out.count("\n") == 2


def test_what_is_not_in_the_trash_is_named(mem: Acdrun) -> None:
    mem("mkdir", "mem:a")

    ended = mem("trash", "restore", "mem:", "nothing")

    assert ended.code == 1
    assert "nothing in the trash is 'nothing'" in ended.err
    assert mem("trash", "list", "mem:", "x").code == 2
    assert mem("trash", "restore", "mem:").code == 2
    assert mem("trash", "empty", "mem:").code == 2
