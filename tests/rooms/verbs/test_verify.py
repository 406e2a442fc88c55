"""`verify`: what is there is proven again, and what is not is told apart."""

import json
import os
from pathlib import Path

import pytest

from tests.rooms.cli.conftest import Acdrun, manifest, write


def damage(path: Path) -> None:
    """Turn one bit round, as a tired disk does: size and time stay."""
    seen = path.stat()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file below the folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def found(out: str) -> dict[str, str]:
    """Finding by path, from the JSON of a verification."""
    records = map(json.loads, out.splitlines())
    return {record["path"]: record["kind"] for record in records if record["record"] == "finding"}


def test_what_is_whole_is_proven_by_reading_and_nothing_is_written(acdrun: Acdrun, place: Path) -> None:
    acdrun("m.yaml")
    before = snapshot(place / "dst"), snapshot(place / "src")

    said = acdrun("verify", "m.yaml")

    assert said.code == 0
    assert "verified: 3 files (2.94KiB) proven\n" in said.out
    assert "by reading back" in said.out
    assert (snapshot(place / "dst"), snapshot(place / "src")) == before


def test_a_turned_bit_is_damage_and_is_repaired_on_request_only(acdrun: Acdrun, place: Path) -> None:
    acdrun("m.yaml")
    damage(place / "dst/sub/two.txt")
    rotten = (place / "dst/sub/two.txt").read_bytes()

    first = acdrun("verify", "m.yaml")

    assert first.code == 9
    assert "sub/two.txt: same size and time, other content" in first.out
    assert "acdrun verify --repair m.yaml" in first.out
    assert (place / "dst/sub/two.txt").read_bytes() == rotten
    repaired = acdrun("verify", "--repair", "m.yaml")
    assert repaired.code == 0
    assert "verified: 1 file (7B) proven\n" in repaired.out
    assert (place / "dst/sub/two.txt").read_text() == "two two"
    assert rotten in snapshot(place / "dst").values()
    assert acdrun("verify", "m.yaml").code == 0


@pytest.mark.torture
def test_S3_content_that_changed_with_size_and_time_restored_is_found(acdrun: Acdrun, place: Path) -> None:
    acdrun("m.yaml")
    damage(place / "src/one.txt")

    run, said = acdrun("m.yaml"), acdrun("verify", "m.yaml")

    assert run.code == 0
    assert said.code == 9
    assert "one.txt: same size and time, other content" in said.out


def test_each_kind_of_finding_is_told_by_its_name(acdrun: Acdrun, place: Path) -> None:
    for name in ("gone", "rotten", "theirs", "ours", "kind"):
        write(place / "src" / name, name * 100)
    acdrun("m.yaml")
    (place / "dst/gone").unlink()
    damage(place / "dst/rotten")
    write(place / "dst/theirs", "by somebody else")
    write(place / "dst/more", "extra")
    write(place / "src/ours", "newer than what is stored")
    write(place / "src/new", "not stored yet")
    (place / "dst/kind").unlink()
    write(place / "dst/kind/x", "a folder now")

    said = acdrun("verify", "--json", "m.yaml")

    assert said.code == 9
    assert found(said.out) == {
        "gone": "missing", "rotten": "damaged", "theirs": "drift", "more": "extra", "ours": "changed",
        "new": "changed", "kind": "drift",
    }  # fmt: skip
    (numbers,) = [one for one in map(json.loads, said.out.splitlines()) if one["record"] == "verified"]
    assert numbers["found"] == {"missing": 1, "damaged": 1, "drift": 2, "extra": 1, "changed": 2}
    assert numbers["proven"] == {"read back": {"files": 3, "bytes": 3010}}


def test_a_repair_leaves_alone_what_somebody_meant(acdrun: Acdrun, place: Path) -> None:
    acdrun("m.yaml")
    (place / "dst/one.txt").unlink()
    write(place / "dst/sub/two.txt", "somebody's own words")
    write(place / "dst/more", "somebody's file")
    write(place / "src/new", "the next run's business")

    said = acdrun("verify", "--repair", "m.yaml")

    assert said.code == 9
    assert "not repaired" in said.out
    assert (place / "dst/one.txt").read_text() == "one"
    assert (place / "dst/sub/two.txt").read_text() == "somebody's own words"
    assert (place / "dst/more").exists()
    assert not (place / "dst/new").exists()


def test_a_repair_is_held_to_the_guards(acdrun: Acdrun, place: Path) -> None:
    write(place / "m.yaml", manifest("guard: { overwrite: { max: 10%, always: 0 } }"))
    acdrun("m.yaml")
    damage(place / "dst/one.txt")

    said = acdrun("verify", "--repair", "m.yaml")

    assert said.code == 4
    assert "overwrite.max is 10% (m.yaml:9:31), but 1 file (3B) of 3 files" in said.out + said.err
    assert (place / "dst/one.txt").read_text() != "one"


def test_what_changed_in_the_source_alone_is_incomplete_and_no_alarm(acdrun: Acdrun, place: Path) -> None:
    acdrun("m.yaml")
    write(place / "src/one.txt", "another one")

    said = acdrun("verify", "m.yaml")

    assert said.code == 3
    assert "one.txt: changed in the source since the last good run" in said.out


def test_a_copy_leaves_what_only_the_destination_has(acdrun: Acdrun, place: Path) -> None:
    write(place / "m.yaml", manifest().replace("mirror", "copy"))
    acdrun("m.yaml")
    write(place / "dst/more", "more")

    said = acdrun("verify", "m.yaml")

    assert said.code == 0
    assert "1 file only at the destination, left there" in said.out


def test_what_a_filter_leaves_out_is_neither_missing_nor_extra(acdrun: Acdrun, place: Path) -> None:
    write(place / "m.yaml", manifest("filter: [ { exclude: '*.tmp' } ]"))
    write(place / "src/a.tmp", "a")
    acdrun("m.yaml")
    write(place / "dst/b.tmp", "b")

    assert acdrun("verify", "m.yaml").code == 0


def test_samples_take_turns_until_every_file_was_read(acdrun: Acdrun, place: Path) -> None:
    for number in range(40):
        write(place / f"src/many/{number}", f"content {number}")
    acdrun("m.yaml")

    reads = []
    for _ in range(4):
        assert acdrun("verify", "--sample", "25%", "m.yaml").code == 0
        logged = acdrun("log", "--all", "last").out
        reads.append(
            {line.split()[2] for line in logged.splitlines() if line.split()[:2] == ["prove", "done"]}
        )

    every = {f"many/{number}" for number in range(40)} | {"one.txt", "sub/two.txt", "sub/deep/three.txt"}
    assert set.union(*reads) == every
    assert sum(map(len, reads)) == len(every)
    assert acdrun("verify", "--sample", "25%", "m.yaml").out.count("part 1 of 4") == 1


def test_damage_outside_the_part_is_found_when_its_turn_comes(acdrun: Acdrun, place: Path) -> None:
    acdrun("m.yaml")
    damage(place / "dst/one.txt")

    codes = [acdrun("verify", "--sample", "20%", "m.yaml").code for _ in range(5)]

    assert sorted(codes) == [0, 0, 0, 0, 9]


def test_one_pair_alone_is_verified_by_its_name(acdrun: Acdrun, place: Path) -> None:
    two = "      - { source: src/sub, destination: other, mode: mirror }\n"
    write(place / "m.yaml", manifest() + two)
    acdrun("m.yaml")
    (place / "other/two.txt").unlink()

    assert acdrun("verify", "--pair", "photos", "m.yaml").code == 0
    assert acdrun("verify", "--pair", "photos#2", "m.yaml").code == 9
    assert acdrun("verify", "--pair", "photos#2", "--repair", "m.yaml").code == 0
    wrong = acdrun("verify", "--pair", "nope", "m.yaml")
    assert wrong.code == 2
    assert "its pairs: photos, photos#2" in wrong.err


def test_before_the_first_run_everything_is_missing(acdrun: Acdrun, place: Path) -> None:
    said = acdrun("verify", "--json", "m.yaml")

    assert said.code == 9
    assert set(found(said.out).values()) == {"missing"}
    assert acdrun("verify", "--repair", "m.yaml").code == 0
    assert snapshot(place / "dst") == snapshot(place / "src")


def test_history_and_log_tell_of_a_verification(acdrun: Acdrun, place: Path) -> None:
    acdrun("m.yaml")
    damage(place / "dst/one.txt")
    acdrun("verify", "m.yaml")

    history, log = acdrun("history"), acdrun("log", "last")

    assert history.out.splitlines()[1].endswith(f"verify {place / 'm.yaml'}")
    assert "9 damaged" in history.out.splitlines()[1]
    assert "one.txt: damaged: same size and time, other content" in log.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--sample", "5%", "--all"), "--sample and --all say different things"),
        (("--sample", "0%"), "--sample is a share from 0.01% to 100%, not 0%"),
        (("--sample", "lots"), "--sample: "),
    ],
)
def test_a_share_that_is_none_is_refused(words: tuple[str, ...], message: str, acdrun: Acdrun) -> None:
    said = acdrun("verify", *words, "m.yaml")

    assert said.code == 2
    assert message in said.err
